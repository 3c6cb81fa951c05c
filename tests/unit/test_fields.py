"""How the values of steps that are told as one are put together."""

from __future__ import annotations

import pytest

from lab_helpers.draw.fields import Detail


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        (Detail("delivery-tag", (1, 2, 3), counter=True), "delivery-tag=1…3"),
        (Detail("message-count", (4, 3, 0), counter=True), "message-count=4…0"),
        (Detail("delivery-tag", (2, 3, 1), counter=True), "delivery-tag=1…3"),
        (Detail("body", (14, 13, 12), unit="byte", counter=True), "12…14 bytes"),
        (Detail("key", ("a", "b")), "key=(2 different)"),
    ],
)
def test_several_values(detail: Detail, words: str) -> None:
    assert str(detail) == words
