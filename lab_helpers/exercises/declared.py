"""Expectations about what is declared: exchanges, queues, bindings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab_helpers.broker.topology import Binding, Exchange, Queue
from lab_helpers.exercises import words
from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.contents import Contents
from lab_helpers.exercises.model import Difference, Expectation

LOOK = "Look at `lab.topology()`."
FLAGS = {
    "durable": ("durable", "a restart of the broker would remove it"),
    "exclusive": ("exclusive", "other connections may use it"),
    "auto_delete": ("auto-delete", "it stays when its last user has gone"),
    "internal": ("internal", "clients may publish to it"),
}
"""Each flag's word, and what it means that it is missing."""


def no_longer(expectation: Expectation, message: str) -> Expectation:
    """Holds once another expectation does not: for a state that the lab's own cells made, and the learner changes."""

    def changed(bench: Bench) -> Difference | None:
        return Difference(message) if expectation(bench) is None else None

    return changed


@dataclass(frozen=True)
class exchange:  # noqa: N801 - it reads as a word of the vocabulary: exchange("x").has(...)
    """Expectations about the exchange of this name."""

    name: str

    def exists(self, remedy: str = "") -> Expectation:
        """It is there; ``remedy`` is a sentence for where it is not."""

        def check(bench: Bench) -> Difference | None:
            return None if bench.topology().exchange(self.name) else absent("exchange", self.name, remedy)

        return check

    def has(
        self,
        *,
        type: str | None = None,
        durable: bool | None = None,
        auto_delete: bool | None = None,
        internal: bool | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Expectation:
        """It is there and is so; what is not given does not matter."""
        flags = {"durable": durable, "auto_delete": auto_delete, "internal": internal}

        def check(bench: Bench) -> Difference | None:
            found = bench.topology().exchange(self.name)
            if found is None:
                return absent("exchange", self.name)
            return different(f"exchange `{self.name}`", found, type, flags, arguments)

        return check

    is_ = has


@dataclass(frozen=True)
class queue(Contents):  # noqa: N801 - as above
    """Expectations about the queue of this name, and about the messages that are ready in it."""

    def exists(self, remedy: str = "") -> Expectation:
        """It is there; ``remedy`` is a sentence for where it is not."""

        def check(bench: Bench) -> Difference | None:
            return None if bench.topology().queue(self.name) else absent("queue", self.name, remedy)

        return check

    def has(
        self,
        *,
        type: str | None = None,
        durable: bool | None = None,
        exclusive: bool | None = None,
        auto_delete: bool | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Expectation:
        """It is there and is so; what is not given does not matter.

        ``type`` is "classic", "quorum" or "stream"; ``arguments`` are those that must be among its own.
        """
        flags = {"durable": durable, "exclusive": exclusive, "auto_delete": auto_delete}

        def check(bench: Bench) -> Difference | None:
            found = bench.topology().queue(self.name)
            if found is None:
                return absent("queue", self.name)
            return different(f"queue `{self.name}`", found, type, flags, arguments)

        return check

    is_ = has

    def has_consumers(self, count: int) -> Expectation:
        """So many consumers take from it now."""

        def check(bench: Bench) -> Difference | None:
            found = bench.topology().queue(self.name)
            if found is None:
                return absent("queue", self.name)
            if found.consumers == count:
                return None
            wanted, seen = words.counted(count, "consumer"), words.counted(found.consumers or 0, "consumer")
            return Difference(f"The queue `{self.name}` has {seen}, and should have {count}.", wanted, seen)

        return check


def bound(destination: str, exchange: str, key: str | None = None, **arguments: Any) -> Expectation:
    """A binding leads from the exchange to the destination, with this key and these arguments if they are given."""

    def check(bench: Bench) -> Difference | None:
        there = between(bench, exchange, destination)
        if any(key in (None, one.key) and arguments.items() <= one.arguments.items() for one in there):
            return None
        with_key = f" with the key `{key}`" if key is not None else ""
        with_arguments = f" and the arguments {words.arguments(arguments)}" if arguments else ""
        return Difference(
            f"`{destination}` is not bound to `{exchange}`{with_key}{with_arguments}.",
            described([Binding(exchange, destination, False, key or "", arguments)]),
            described(there),
            LOOK,
        )

    return check


def only_bound(destination: str, exchange: str, key: str) -> Expectation:
    """One binding leads from the exchange to the destination, and it has this key."""

    def check(bench: Bench) -> Difference | None:
        there = between(bench, exchange, destination)
        if [one.key for one in there] == [key]:
            return None
        wanted = described([Binding(exchange, destination, False, key)])
        return Difference(
            f"`{destination}` should be bound to `{exchange}` with `{key}` alone.", wanted, described(there), LOOK
        )

    return check


def unbound(destination: str) -> Expectation:
    """No binding leads there, but for the default exchange's own."""

    def check(bench: Bench) -> Difference | None:
        there = [one for one in bench.topology().bindings if one.destination == destination]
        if not there:
            return None
        return Difference(
            f"`{destination}` is bound to the exchange `{there[0].source}`, and should not be bound.",
            "no binding",
            described(there),
            LOOK,
        )

    return check


def between(bench: Bench, exchange: str, destination: str) -> list[Binding]:
    """The bindings from an exchange to a queue or another exchange."""
    return [one for one in bench.topology().bindings_of(exchange) if one.destination == destination]


def described(bindings: list[Binding]) -> str:
    """Bindings in a few words: "`a` with `key`"."""
    texts = [
        f"`{one.source}` with `{one.key}`" + (f" and {words.arguments(one.arguments)}" if one.arguments else "")
        for one in bindings
    ]
    return ", ".join(texts) or "no binding"


def absent(what: str, name: str, remedy: str = "") -> Difference:
    """There is none of that name."""
    return Difference(f"There is no {what} named `{name}` yet." + (f" {remedy}" if remedy else ""))


def different(
    what: str,
    found: Exchange | Queue,
    type: str | None,
    flags: Mapping[str, bool | None],
    arguments: Mapping[str, Any] | None,
) -> Difference | None:
    """The first property that is not as wanted."""
    kind = what.split()[0]
    if type is not None and found.type != type:
        return Difference(
            f"The {what} is a {found.type} {kind}; a {type} one was asked for.",
            f"type `{type}`",
            f"type `{found.type}`",
            f"A type cannot be changed: delete the {kind} and declare it again.",
        )
    for name, wanted in flags.items():
        seen = getattr(found, name)
        if wanted is None or seen == wanted:
            continue
        word, consequence = FLAGS[name]
        if wanted:
            return Difference(f"The {what} is not {word}: {consequence}.", word, f"not {word}")
        return Difference(f"The {what} is {word}, and should not be.", f"not {word}", word)
    for name, value in (arguments or {}).items():
        if name not in found.arguments or found.arguments[name] != value:
            argument = words.arguments({name: value})
            return Difference(
                f"The {what} should have the argument {argument}.",
                argument,
                words.arguments(found.arguments),
                LOOK,
            )
    return None
