"""What a learner reads when something is wrong: one sentence each for what, why and what to do."""

from __future__ import annotations


class LabsError(Exception):
    """Something a user can cause or meet, told so that it can be mended.

    Parameters
    ----------
    what
        What happened, as one sentence.
    meaning
        What it means for the learner, as one sentence.
    remedy
        What to do now, as one sentence.
    """

    def __init__(self, what: str, *, meaning: str = "", remedy: str = "") -> None:
        self.what = what
        self.meaning = meaning
        self.remedy = remedy
        super().__init__(" ".join(part for part in (what, meaning, remedy) if part))

    def _render_traceback_(self) -> list[str]:
        """Show the sentences alone in a notebook; IPython calls this instead of printing a traceback."""
        return str(self).splitlines()


class NotPossibleHereError(LabsError):
    """The cluster is somebody else's, or lacks a feature: the request was refused and nothing was done."""


class BrokerUnreachableError(LabsError):
    """The broker's management API or its AMQP port did not answer."""
