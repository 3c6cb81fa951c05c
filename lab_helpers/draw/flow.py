"""Messages that move: a story as a flow from publishers through exchanges and queues to consumers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from lab_helpers.draw.flow_cast import Cast, cast
from lab_helpers.draw.flow_contents import messages_data
from lab_helpers.draw.flow_drawing import flow_svg
from lab_helpers.draw.flow_moves import Step
from lab_helpers.draw.flow_steps import steps
from lab_helpers.draw.picture import Picture
from lab_helpers.record.story import Story

FORMAT = 1
"""The version of the data, which flow.js checks."""
FLOW = "application/vnd.rabbitmq-labs.flow+json"
"""The MIME type that carries the data in a notebook's output, from which the site's players are made."""


@dataclass(frozen=True)
class FlowPlayer:
    """A flow that plays in JupyterLab and on the site, with the same thing as a still drawing and in words."""

    text: str
    svg: str
    data: dict[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        return self.text

    @cached_property
    def widget(self) -> Any:
        """The widget, made when it is shown for the first time."""
        # Not before: it takes a third of a second to import.
        from lab_helpers.draw.flow_widget import FlowWidget

        return FlowWidget(data=self.data)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        # Without the widget, JupyterLab, GitHub and the exports show the drawing, and a terminal the words.
        shown: dict[str, Any] = dict(Picture(self.text, self.svg)._repr_mimebundle_())
        bundle = self.widget._repr_mimebundle_(**options)
        view = bundle[0] if bundle else {}
        return {**view, **shown, FLOW: self.data}


def flow_picture(story: Story) -> FlowPlayer:
    """Make a story's flow player."""
    actors = cast(story)
    found = steps(story, actors)
    words = flow_text(story)
    return FlowPlayer(words, flow_svg(actors, found, words), as_data(story, actors, found))


def flow_data(story: Story) -> dict[str, Any]:
    """A story as the plain data that flow.js plays; it has no times, so it differs only where the order does.

    Returns
    -------
    dict
        ``format``; ``actors`` and ``links`` by id; ``messages`` by number; ``steps`` with a caption, moves and the
        depths that they change.
    """
    actors = cast(story)
    return as_data(story, actors, steps(story, actors))


def as_data(story: Story, actors: Cast, found: Sequence[Step]) -> dict[str, Any]:
    """The parts of a flow as plain data."""
    return {
        "format": FORMAT,
        "actors": [asdict(actor) for actor in actors.actors],
        "links": [asdict(link) for link in actors.links],
        "messages": messages_data(story.messages),
        "steps": [step.data() for step in found],
    }


def flow_text(story: Story) -> str:
    """The flow in words, one line a message with its fate."""
    return story.text()
