"""Long runs folded: what repeats is told once, with how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from lab_helpers.draw.steps import Step, alike

LONG_RUN = 4
"""As often must something repeat to be folded."""
LONGEST_PATTERN = 16
"""Steps of a pattern that is looked for: opening a connection and a channel and closing both takes 14."""
MOST_STEPS = 60
"""More steps than this make no picture: what is sent often is folded regardless of its order, and then the middle
is left out."""
FIRST_STEPS = 40
"""As many steps are kept from the beginning, where the middle is left out."""


@dataclass(frozen=True)
class Passage:
    """Steps in a row."""

    steps: tuple[Step, ...]
    times: int = 1
    """How often they were taken, one after the other."""
    interleaved: bool = False
    """Whether they were taken many times, in no fixed order; each step has its own number."""
    left_out: int = 0
    """Of a passage without steps: how many there were."""


def folded(steps: Sequence[Step]) -> list[Passage]:
    """The steps with long runs folded, and never many more than :data:`MOST_STEPS` of them."""
    found = list(patterns(steps))
    if drawn(found) > MOST_STEPS:
        found = list(busy(steps))
    if drawn(found) > MOST_STEPS:
        found = list(busy(steps, any_channel=True))
    return shortened_to(found)


def drawn(passages: Sequence[Passage]) -> int:
    """How many steps a picture of them shows."""
    return sum(len(passage.steps) for passage in passages)


def patterns(steps: Sequence[Step]) -> Iterator[Passage]:
    """Fold equal-looking steps, and repeating patterns of a few steps, where they follow one another."""
    looks = [step.look() for step in steps]
    at = 0
    while at < len(steps):
        length, times = repetition(looks, at)
        if times == 1:
            yield Passage((steps[at],))
        elif length == 1:
            yield Passage((alike(steps[at : at + times]),))
        else:
            end = at + length * times
            yield Passage(tuple(told_once(steps[at + part : end : length]) for part in range(length)), times)
        at += length * times


def told_once(steps: Sequence[Step]) -> Step:
    """One step of a pattern, for all its repetitions: how often is said of the pattern."""
    return replace(alike(steps), times=1)


def repetition(looks: Sequence[Hashable], at: int) -> tuple[int, int]:
    """The pattern that begins here, as (its length, how often it comes): the one that folds most, or (1, 1)."""
    best = (1, 1)
    for length in range(1, min(LONGEST_PATTERN, (len(looks) - at) // LONG_RUN) + 1):
        if looks[at] != looks[at + length]:
            continue
        end = at + length
        while end < len(looks) and looks[end] == looks[end - length]:
            end += 1
        times = (end - at) // length
        if times >= LONG_RUN and length * times > best[0] * best[1]:
            best = (length, times)
    return best


def busy(steps: Sequence[Step], *, any_channel: bool = False) -> Iterator[Passage]:
    """Fold stretches of what is sent often, whatever it says and in whichever order."""
    sorts = [step.sort(any_channel=any_channel) for step in steps]
    often = Counter(sorts)
    for is_busy, stretch in groupby(range(len(steps)), key=lambda number: often[sorts[number]] > LONG_RUN):
        by_sort: dict[Hashable, list[Step]] = {}
        numbers = list(stretch)
        for number in numbers:
            by_sort.setdefault(sorts[number], []).append(steps[number])
        if is_busy and len(by_sort) < len(numbers) and len(by_sort) <= LONGEST_PATTERN:
            yield Passage(tuple(map(alike, by_sort.values())), interleaved=len(by_sort) > 1)
        else:
            yield from (Passage((steps[number],)) for number in numbers)


def shortened_to(passages: Sequence[Passage]) -> list[Passage]:
    """The passages, without those in the middle if there are too many."""
    if drawn(passages) <= MOST_STEPS:
        return list(passages)
    kept: list[Passage] = []
    ends = list(reversed(passages))
    last: list[Passage] = []
    while drawn(kept) < FIRST_STEPS:
        kept.append(passages[len(kept)])
    while drawn(last) < MOST_STEPS - FIRST_STEPS and len(kept) + len(last) < len(passages):
        last.append(ends[len(last)])
    middle = passages[len(kept) : len(passages) - len(last)]
    return [*kept, *([Passage((), left_out=taken(middle))] if middle else []), *reversed(last)]


def taken(passages: Sequence[Passage]) -> int:
    """How many steps the passages stand for."""
    return sum(passage.times * sum(step.times for step in passage.steps) for passage in passages)
