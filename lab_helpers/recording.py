"""What ``with lab.record() as story`` gives: a story that is told once the block has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lab_helpers.draw.flow import FlowPlayer, flow_picture
from lab_helpers.draw.picture import Picture
from lab_helpers.draw.sequence import sequence_picture
from lab_helpers.errors import LabsError
from lab_helpers.record.recorder import Recorder
from lab_helpers.record.story import Story


class Recording:
    """A story in the making; after the block it has all of a :class:`Story` and its pictures.

    ``story.published()``, ``story.closes()`` and all other queries are those of :class:`Story`.
    """

    def __init__(self) -> None:
        self._story: Story | None = None

    @property
    def story(self) -> Story:
        """The story as plain data.

        Raises
        ------
        LabsError
            The ``with`` block has not ended yet.
        """
        if self._story is None:
            raise LabsError(
                "This recording is not over, so it has no story yet.",
                remedy="Look at it after the `with lab.record() as story:` block, not indented under it.",
            )
        return self._story

    def flow(self) -> FlowPlayer:
        """The messages on their way through exchanges and queues: play it, or step through it."""
        return flow_picture(self.story)

    def sequence(self, *, frames: bool = False, title: str = "") -> Picture:
        """What client and broker said to each other, from top to bottom.

        Parameters
        ----------
        frames
            Whether to show every frame: also those that open the connection, and those a message is split into.
        title
            Stands above the picture.
        """
        return sequence_picture(self.story, frames=frames, title=title)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.story, name)

    def __repr__(self) -> str:
        return "<a recording that is not over>" if self._story is None else self._story.text()


@contextmanager
def recording(recorder: Recorder, finished: Callable[[Story], None]) -> Iterator[Recording]:
    """Record what happens in a block, also where it raises.

    Parameters
    ----------
    recorder
        Records.
    finished
        Takes the story at the end.
    """
    made = Recording()
    recorder.start()
    try:
        yield made
    finally:
        made._story = recorder.stop()
        finished(made._story)
