"""The one object a notebook holds."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from types import EllipsisType
from typing import Any, TypeVar

from IPython.display import display

from lab_helpers.broker import topology as broker_topology
from lab_helpers.broker import vhost, waiting
from lab_helpers.broker.amqp import queue_depths
from lab_helpers.broker.features import FEATURES
from lab_helpers.cluster import Cluster, lifecycle
from lab_helpers.draw.card import Card
from lab_helpers.draw.cluster import cluster_picture
from lab_helpers.draw.picture import Picture
from lab_helpers.draw.topology import topology_picture
from lab_helpers.errors import LabsError
from lab_helpers.exercises import Bench, Exercise, Outcome, load
from lab_helpers.exercises.judge import judge
from lab_helpers.exercises.model import Verdict
from lab_helpers.exercises.progress import Progress
from lab_helpers.exercises.solutions import solution
from lab_helpers.notebook import explain_errors
from lab_helpers.settings import ROOT, load_settings

T = TypeVar("T")

VERDICT = "application/vnd.rabbitmq-labs.verdict+json"
"""The MIME type under which a check's verdict stands in a notebook for programs to read."""

TONES = {
    Outcome.PASSED: "good",
    Outcome.INCORRECT: "bad",
    Outcome.NOT_ATTEMPTED: "open",
    Outcome.ERROR: "trouble",
    Outcome.ENVIRONMENT: "trouble",
}


class Lab:
    """A lab at work: a clean virtual host of its own, and the means to look at it.

    Making it again, also half-way through the lab, gives a clean start: faults of the cluster are healed, the
    virtual host is deleted and made afresh, and nothing outside it is touched.

    Parameters
    ----------
    slug
        The lab's name, as in ``labs/src``: "04_direct_exchange".

    Raises
    ------
    LabsError
        There is no such lab; or no cluster is running.
    """

    def __init__(self, slug: str) -> None:
        if not re.fullmatch(r"\d\d_[a-z0-9_]+", slug) or not (ROOT / "labs" / "src" / slug).is_dir():
            raise LabsError(
                f"There is no lab {slug!r}.",
                remedy='A lab is named as its notebook, for example "00_start_here".',
            )
        self.slug = slug
        settings = load_settings()
        self.cluster: Cluster = lifecycle.current()
        """The nodes: ``lab.cluster["rmq2"].kill()``, ``.stop()``, ``.start()``, ``.pause()``, ``.resume()``."""
        self.cluster.heal()
        self.vhost = settings.vhost_prefix + slug
        """The lab's virtual host; its user has the same name."""
        self._nodes = self.cluster.managements()
        self._password = vhost.make_afresh(self._nodes, self.vhost)
        self._exercises = load(ROOT, slug)
        self._progress = Progress(settings.progress_file or settings.state_dir / "progress.json")
        self._hints = dict.fromkeys(self._exercises, 0)
        self._predictions: dict[str, str] = {}
        self._cells = explain_errors()
        self._version = self._nodes[0].version()
        display(
            Card(
                "note",
                f"Lab {slug[:2]} is ready",
                "It has a clean virtual host of its own, "
                f"`{self.vhost}`, on the cluster {', '.join(self.cluster.engine.nodes)}.",
                label="Set up",
            )
        )

    def __repr__(self) -> str:
        return f"<Lab {self.slug}>"

    @property
    def url(self) -> str:
        """The AMQP URL of the lab's virtual host, through the front door: for ``pika.URLParameters(lab.url)``."""
        return self.cluster.amqp_url(self.vhost, self.vhost, self._password)

    @property
    def version(self) -> str:
        """RabbitMQ's version, as "4.3.6"."""
        return self._version

    def status(self) -> Picture:
        """The cluster as it is now, as a picture: the front door, the nodes, and whether each is ready."""
        return cluster_picture(self.cluster.status())

    def topology(self, *, default_exchange: bool = False) -> Picture:
        """The exchanges, bindings and queues that exist now, as a picture.

        Parameters
        ----------
        default_exchange
            Whether to draw the default exchange and its implicit bindings too.
        """
        snapshot = broker_topology.snapshot(self._nodes, self.vhost, queue_depths(lambda: self.url))
        return topology_picture(snapshot.declared(default_exchange=default_exchange))

    def wait_until(self, condition: Callable[[], T], seconds: float = 10.0) -> T:
        """Poll a condition until it is true, and return its value.

        Raises
        ------
        LabsError
            It was not true within ``seconds``.
        """
        return waiting.wait_until(condition, seconds=seconds)

    def depth(self, queue: str) -> int:
        """How many messages are ready in a queue now.

        Raises
        ------
        LabsError
            There is no such queue.
        """
        known = queue_depths(lambda: self.url)([queue])
        if queue not in known:
            raise LabsError(
                f"The queue {queue!r} cannot be asked: it is not in this lab's virtual host, or its node is down.",
                remedy="Run the cell that declares it, correct its name, or look at `lab.status()`.",
            )
        return known[queue][0]

    def needs(self, feature: str) -> bool:
        """Whether the cluster has a feature; if not, say which version has it and what replaced it.

        Parameters
        ----------
        feature
            A name of :data:`lab_helpers.broker.features.FEATURES`, or "break-nodes".

        Raises
        ------
        LabsError
            There is no feature of that name.
        """
        if feature == "break-nodes":
            if not self.cluster.is_ours:
                display(
                    Card(
                        "note",
                        "Not on this cluster",
                        "This part stops or breaks nodes, and the cluster is somebody else's. Read on; to see it live, "
                        "run `labs up` on your own machine.",
                    )
                )
            return self.cluster.is_ours
        if feature not in FEATURES:
            raise LabsError(f"No feature is called {feature!r}.", remedy=f"There are: {', '.join(sorted(FEATURES))}.")
        wanted = FEATURES[feature]
        present = wanted.is_in(self._version)
        if not present:
            display(
                Card(
                    "note",
                    f"{wanted.title}: not in RabbitMQ {self._version}",
                    f"Only RabbitMQ {wanted.versions} has this. {wanted.instead} See {wanted.source}",
                    label="Version",
                )
            )
        return present

    def predict(self, question: str, answer: str | EllipsisType) -> None:
        """Take a prediction before the experiment is run.

        Parameters
        ----------
        question
            The question's name, as in the text above the cell.
        answer
            Your answer; ``...`` as long as you have none.
        """
        if answer is ...:
            self._predictions.pop(question, None)
            display(
                Card(
                    "open",
                    question,
                    "Replace the dots with your answer, then run this cell.",
                    label="Predict",
                )
            )
            return
        self._predictions[question] = str(answer)
        display(Card("note", question, f"You expect `{answer}`.", label="Predict"))

    def happened(self, question: str, answer: object) -> None:
        """Compare what happened with the prediction.

        Parameters
        ----------
        question
            The name given to :meth:`predict`.
        answer
            What the experiment showed.
        """
        expected = self._predictions.get(question)
        if expected is None:
            body, tone = f"`{answer}` (you made no prediction).", "note"
        elif expected.strip().casefold() == str(answer).casefold():
            body, tone = f"`{answer}`, as you expected.", "good"
        else:
            body, tone = f"`{answer}`, and you expected `{expected}`. The text below says why.", "bad"
        display(Card(tone, question, body, label="Happened"))

    def check(self, exercise: str) -> None:
        """Judge an exercise by the state of the broker now, and say what was seen."""
        wanted = self._exercise(exercise)
        verdict = judge(wanted, Bench(self.cluster, self._nodes, self.vhost))
        error = self._cells.error
        if error is not None and verdict.outcome in (Outcome.INCORRECT, Outcome.NOT_ATTEMPTED):
            verdict = Verdict(
                Outcome.ERROR,
                f"The cell before this one ended with {type(error).__name__}: {error}. Mend that first. "
                f"The broker's state now: {verdict.message}",
            )
        self._progress.record_check(self.slug, exercise, verdict.outcome)
        data = {VERDICT: {"exercise": exercise, "outcome": str(verdict.outcome), "message": verdict.message}}
        label = {Outcome.ERROR: "Your code raised", Outcome.ENVIRONMENT: "Cluster"}.get(verdict.outcome, "")
        display(Card(TONES[verdict.outcome], exercise, verdict.message, data, label))

    def hint(self, exercise: str) -> None:
        """Give the next hint, which tells more than the one before."""
        hints = self._exercise(exercise).hints
        number = min(self._hints[exercise], len(hints) - 1)
        self._hints[exercise] = number + 1
        self._progress.record_hint(self.slug, exercise, number + 1)
        display(Card("note", exercise, hints[number], label=f"Hint {number + 1} of {len(hints)}"))

    def solution(self, exercise: str, *, reveal: bool = False) -> None:
        """Show the solution, after the hints or at once with ``reveal=True``."""
        hints = self._exercise(exercise).hints
        if self._hints[exercise] < len(hints) and not reveal:
            left = len(hints) - self._hints[exercise]
            display(
                Card(
                    "note",
                    exercise,
                    f"There {'is 1 hint' if left == 1 else f'are {left} hints'} left: `lab.hint({exercise!r})`. "
                    f"To see the solution all the same: `lab.solution({exercise!r}, reveal=True)`.",
                    label="Solution",
                )
            )
            return
        self._progress.record_shown(self.slug, exercise)
        display(CodeCard(exercise, solution(ROOT, self.slug, exercise)))

    def progress(self) -> None:
        """Show which of this lab's exercises are done."""
        known = self._progress.of(self.slug)
        done = [name for name in self._exercises if known.get(name, {}).get("outcome") == Outcome.PASSED]
        left = [name for name in self._exercises if name not in done]
        body = "; ".join(
            f"{title}: {', '.join(f'`{name}`' for name in names)}"
            for title, names in (("done", done), ("open", left))
            if names
        )
        display(
            Card(
                "note" if left else "good",
                f"{len(done)} of {len(self._exercises)} exercises",
                body + ".",
                label="Progress",
            )
        )

    def _exercise(self, name: str) -> Exercise:
        if name not in self._exercises:
            raise LabsError(
                f"This lab has no exercise {name!r}.", remedy=f"Its exercises: {', '.join(self._exercises)}."
            )
        return self._exercises[name]


class CodeCard:
    """A solution, shown as code."""

    def __init__(self, exercise: str, code: str) -> None:
        self.text = f"[SOLUTION] {exercise}:\n{code}"
        self._code = code

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {
            "text/html": f"<p><b>One solution</b></p><pre><code>{html.escape(self._code)}</code></pre>",
            "text/plain": self.text,
        }
