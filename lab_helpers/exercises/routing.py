"""Expectations about where messages go: the broker is asked, by publishing to a copy."""

from __future__ import annotations

from collections.abc import Mapping, Set

from lab_helpers.exercises import words
from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.model import Difference, Expectation
from lab_helpers.exercises.probe import Probe, PublishRefusedError


def routes(exchange: str, expected: Mapping[str, Set[str]] | Mapping[Probe, Set[str]]) -> Expectation:
    """Messages published to the exchange reach exactly these queues.

    Parameters
    ----------
    exchange
        Where to publish; "" for the default exchange.
    expected
        The names of the queues, by the routing key or by a :func:`message` with headers.
    """
    probes = {key if isinstance(key, Probe) else Probe(key): set(queues) for key, queues in expected.items()}

    def check(bench: Bench) -> Difference | None:
        if exchange and bench.topology().exchange(exchange) is None and not exchange.startswith("amq."):
            return Difference(f"There is no exchange named `{exchange}`.")
        try:
            reached = bench.routes(exchange, probes)
        except PublishRefusedError as error:
            return Difference(
                error.what, look="An internal exchange takes messages only from other exchanges, by bindings."
            )
        for (probe, queues), seen in zip(probes.items(), reached, strict=True):
            if astray := misrouted(probe, queues, seen):
                reach = "reach" if probe.headers else "reaches"
                where = f"the exchange `{exchange}`" if exchange else "the default exchange"
                return Difference(
                    astray,
                    f"{probe} {reach} {words.queues(queues)}",
                    f"{probe} {reach} {words.queues(seen)}",
                    f"Look at the bindings of {where} in `lab.topology()`.",
                )
        return None

    return check


def misrouted(probe: Probe, expected: Set[str], seen: Set[str]) -> str:
    """Name the first queue in which a message is missing or should not be; empty where there is none."""
    for queue in sorted(expected - seen):
        return f"A message with {probe} should reach `{queue}`, and did not."
    for queue in sorted(seen - expected):
        return f"A message with {probe} reached `{queue}`, and should not."
    return ""
