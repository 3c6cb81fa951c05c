"""What tells one message from another: ids as texts, the id of a message without one, and their order."""

from __future__ import annotations

import hashlib
import re

from lab_helpers.errors import LabsError

Id = int | str
"""What tells a message from all others. 7 and "7" are one message: on the wire an id is always a text."""

HASH_DIGITS = 16
"""Of a hash that stands for a body: that two of 100,000 bodies share one is as likely as 3 in ten thousand million."""
NUMBER = re.compile("-?[0-9]{1,4000}")
"""What sorts as a number; Python refuses to read longer ones."""


def id_text(id: Id) -> str:
    """An id as a text, as it stands in a message's properties.

    Raises
    ------
    LabsError
        It is neither a text nor a number.
    """
    if isinstance(id, bool) or not isinstance(id, int | str):
        raise LabsError(
            f"A message's id is a text or a number, and this is {id!r}.",
            remedy="Give the `message_id` that you published with, or `body.decode()`.",
        )
    return str(id)


def identity(message_id: object, body: bytes) -> str:
    """What a message is known by: its ``message_id``, else its body as text, or a short hash of one that is no text.

    Parameters
    ----------
    message_id
        The property; None or empty where the publisher set none.
    body
        The whole body.
    """
    if message_id:
        return str(message_id)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return hashed(body)
    return text if all(letter.isprintable() or letter.isspace() for letter in text) else hashed(body)


def hashed(body: bytes) -> str:
    """A name for bytes: the beginning of their hash."""
    return "sha256:" + hashlib.sha256(body).hexdigest()[:HASH_DIGITS]


def in_order(text: str) -> tuple[bool, int, tuple[tuple[int, str], ...], str]:
    """Sort ids as people do: numbers first, by their value, and "order 10" after "order 9"."""
    if NUMBER.fullmatch(text):
        return False, int(text), (), text
    # Digits stand at every second place, and a longer run of them is a larger number.
    parts = [part.lstrip("0") if place % 2 else part for place, part in enumerate(re.split("([0-9]+)", text))]
    return True, 0, tuple((len(part) * (place % 2), part) for place, part in enumerate(parts)), text
