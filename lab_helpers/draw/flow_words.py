"""Small words that the captions of a flow share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab_helpers.broker.topology import DEFAULT_EXCHANGE

MOST_RANGES = 4
"""As many ranges of numbers are spelled out."""


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def ranges(numbers: Iterable[int]) -> list[str]:
    """The numbers as ranges: "1–3", "7"."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [str(first) if first == last else f"{first}–{last}" for first, last in found]


def messages_words(numbers: Sequence[int]) -> str:
    """ "message 1", "messages 1–3 and 7"."""
    if len(numbers) == 1:
        return f"message {numbers[0]}"
    found = ranges(numbers)
    return f"messages {listed(found)}" if len(found) <= MOST_RANGES else f"{len(numbers)} messages"


def exchange_words(name: str) -> str:
    """ "exchange orders", "the default exchange"."""
    return "the default exchange" if name == DEFAULT_EXCHANGE else f"exchange {name}"


def queues_words(names: Sequence[str]) -> str:
    """ "queue eu", "queues audit and eu"."""
    return f"queue {names[0]}" if len(names) == 1 else f"queues {listed(names)}"


def sentence(text: str) -> str:
    """The text with a capital at its start; a name may follow later."""
    return text[:1].upper() + text[1:]
