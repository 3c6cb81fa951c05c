"""Expectations about the messages that are ready in a queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab_helpers.exercises import words
from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.model import Difference, Expectation


@dataclass(frozen=True)
class Contents:
    """Expectations about what is in the queue of this name."""

    name: str

    def is_empty(self) -> Expectation:
        """No message is ready in it."""
        return self.holds([])

    def holds_count(self, count: int) -> Expectation:
        """So many messages are ready in it."""

        def check(bench: Bench) -> Difference | None:
            seen = ready(bench, self.name)
            if isinstance(seen, Difference) or seen == count:
                return seen if isinstance(seen, Difference) else None
            return Difference(
                f"The queue `{self.name}` holds {words.counted(seen, 'message')}; it should hold {count}.",
                words.counted(count, "message"),
                words.counted(seen, "message"),
                self._look,
            )

        return check

    def holds_something(self) -> Expectation:
        """At least one message is ready in it."""

        def check(bench: Bench) -> Difference | None:
            seen = ready(bench, self.name)
            if isinstance(seen, Difference):
                return seen
            if seen:
                return None
            return Difference(
                f"The queue `{self.name}` is there, and empty: the message went elsewhere, or was dropped.",
                look="Does the routing key lead to this queue?",
            )

        return check

    def holds(self, expected: Sequence[bytes]) -> Expectation:
        """These messages are ready in it, in this order, and no others."""

        def check(bench: Bench) -> Difference | None:
            seen = ready(bench, self.name)
            if isinstance(seen, Difference) or seen == 0 == len(expected):
                return seen if isinstance(seen, Difference) else None
            found = [message.body for message in bench.messages(self.name)] if seen else []
            if found == list(expected):
                return None
            text, wanted = words.bodies(found), words.bodies(expected)
            order = " The order counts." if sorted(found) == sorted(expected) else ""
            return Difference(
                f"The queue `{self.name}` holds {text}; it should hold {wanted}.{order}", wanted, text, self._look
            )

        return check

    def contains(self, body: bytes, otherwise: str = "") -> Expectation:
        """A message with this body is among those that are ready; ``otherwise`` is the sentence if not."""

        def check(bench: Bench) -> Difference | None:
            seen = ready(bench, self.name)
            if isinstance(seen, Difference):
                return Difference(otherwise or seen.message)
            found = [message.body for message in bench.messages(self.name)] if seen else []
            if body in found:
                return None
            wanted, text = words.bodies([body]), words.bodies(found)
            return Difference(otherwise or f"The queue `{self.name}` does not hold {wanted}.", wanted, text, self._look)

        return check

    def messages_have(self, **properties: Any) -> Expectation:
        """Every message that is ready has these properties: ``delivery_mode=2``, ``content_type="…"``."""

        def check(bench: Bench) -> Difference | None:
            for message in bench.messages(self.name):
                for name, value in properties.items():
                    found, wanted = message.properties.get(name), f"`{name}: {value}`"
                    if found != value:
                        return Difference(
                            f"The message `{words.shown(message.body)}` in `{self.name}` should have {wanted}.",
                            wanted,
                            f"no `{name}`" if found is None else f"`{name}: {found}`",
                        )
            return None

        return check

    def died_in(self, origin: str) -> Expectation:
        """Every message that is ready is a dead letter of that queue, by the newest row of its header ``x-death``.

        https://www.rabbitmq.com/docs/dlx#effects
        """

        def check(bench: Bench) -> Difference | None:
            for message in bench.messages(self.name):
                deaths = (message.properties.get("headers") or {}).get("x-death") or [{}]
                if deaths[0].get("queue") != origin:
                    return Difference(
                        f"The message `{words.shown(message.body)}` in `{self.name}` did not die in `{origin}`.",
                        f"a header `x-death` with `{origin}`",
                        f"one with `{deaths[0]['queue']}`" if deaths[0] else "none",
                        "It has to come there as a dead letter.",
                    )
            return None

        return check

    @property
    def _look(self) -> str:
        return f'`lab.depth("{self.name}")` counts what is ready; a delivery that is not acknowledged is not counted.'


def ready(bench: Bench, name: str) -> int | Difference:
    """How many messages are ready in a queue, or why that is not known."""
    found = bench.topology().queue(name)
    if found is None:
        return Difference(f"There is no queue named `{name}`.")
    if found.messages is None:
        return Difference(
            f"The queue `{name}` cannot be asked: it is exclusive to a connection, or its node is down.",
            look="`lab.status()` shows the nodes.",
        )
    return found.messages
