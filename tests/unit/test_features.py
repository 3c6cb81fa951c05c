"""Which RabbitMQ has what."""

from __future__ import annotations

import pytest

from lab_helpers.broker.features import FEATURES, Feature, dotted, parsed


@pytest.mark.parametrize(
    ("feature", "version", "present"),
    [
        ("mirrored-queues", "3.10.8", True),
        ("mirrored-queues", "3.13.7", True),
        ("mirrored-queues", "4.0.0", False),
        ("mirrored-queues", "4.0.0-beta.1", False),
        ("transient-queues", "4.2.9", True),
        ("transient-queues", "4.3.0", False),
        ("global-prefetch", "3.10.8", True),
        ("global-prefetch", "4.2.9", True),
        ("global-prefetch", "4.3.6", False),
        ("delayed-retry", "4.2.9", False),
        ("delayed-retry", "4.3.0", True),
        ("delayed-retry", "4.10.1", True),
        ("delayed-retry", "3.10.8", False),
        ("consumer-timeout", "4.2.9", False),
        ("consumer-timeout", "4.3.0", True),
    ],
)
def test_what_a_version_has(feature: str, version: str, present: bool) -> None:
    assert FEATURES[feature].is_in(version) is present


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ((4, 3), (999,), "from 4.3 on"),
        ((0,), (4, 0), "before 4.0"),
        ((3, 8), (4, 0), "from 3.8 on and before 4.0"),
    ],
)
def test_versions_in_words(since: tuple[int, ...], until: tuple[int, ...], words: str) -> None:
    assert Feature("Title", "Instead.", "https://www.rabbitmq.com/docs", since, until).versions == words


def test_every_feature_says_which_versions_and_what_instead() -> None:
    for feature in FEATURES.values():
        assert feature.versions
        assert feature.instead.endswith(".")
        assert feature.source.startswith("https://www.rabbitmq.com/")


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("4.3.6", (4, 3)), ("3.10.8", (3, 10)), ("4.3.0-beta.1", (4, 3)), ("4.3.0+1.g0", (4, 3)), ("4.3", (4, 3))],
)
def test_versions_are_compared_as_numbers(version: str, numbers: tuple[int, ...]) -> None:
    assert parsed(version) == numbers
    assert dotted(numbers) == ".".join(version.split(".")[:2])
