"""A card's two forms: plain and rich, saying the same."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from lab_helpers.draw.card import TONES, Card, CodeCard, marked


class Reader(HTMLParser):
    """Reads a rich form as a browser would: its text, its code, its tags."""

    def __init__(self, rich: str) -> None:
        super().__init__()
        self.text = ""
        self.code: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(rich)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "br":
            self.open.append(tag)
        else:
            self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open[-1:] == ["code"]:
            self.code.append(data)


def rich(card: Card) -> Reader:
    return Reader(card._repr_mimebundle_()["text/html"])


@pytest.mark.parametrize(
    ("card", "plain"),
    [
        (Card("good", "bindings", "All there."), "[PASSED] bindings: All there."),
        (Card("open", "bindings", ""), "[NOT ATTEMPTED] bindings"),
        (Card("note", "bindings", "Try.", label="Hint 1 of 2"), "[HINT 1 OF 2] bindings: Try."),
    ],
)
def test_the_plain_form(card: Card, plain: str) -> None:
    assert card.text == repr(card) == plain
    assert card._repr_mimebundle_()["text/plain"] == plain


@pytest.mark.parametrize("tone", TONES)
def test_the_rich_form_says_the_same(tone: str) -> None:
    card = Card(tone, "the heading", "One sentence.\nAnother.")
    colour, word = TONES[tone]
    assert rich(card).text == f"{word} the headingOne sentence.\nAnother."
    assert card.text == f"[{word.upper()}] the heading: One sentence.\nAnother."
    assert colour in card._repr_mimebundle_()["text/html"]


def test_words_tell_tones_apart() -> None:
    assert len({word for _, word in TONES.values()}) == len(TONES)


def test_backticks_are_code() -> None:
    card = Card("bad", "`eu`", "Key `order.<eu>` reached `audit`.\nA lone ` stays.")
    assert rich(card).code == ["eu", "order.<eu>", "audit"]
    assert rich(card).text.endswith("\nA lone ` stays.")
    assert "`order.<eu>`" in card.text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a & b &amp; c", "\"quoted\" 'too'", "`<b>x</b>`"])
def test_text_is_escaped(text: str) -> None:
    card = Card("note", text, text, label=text)
    read = rich(card)
    assert read.text.count(text.strip("`")) == 3
    assert set(read.tags) <= {"div", "span", "b", "code"}
    assert read.tags.count("b") == 1
    assert "script" not in read.tags


def test_a_label_cannot_leave_its_place() -> None:
    assert rich(Card("note", "x", "y", label='"></span><i>')).tags == ["div", "span", "b", "div"]


def test_data_goes_along() -> None:
    data = {"application/x-verdict+json": {"outcome": "passed"}}
    bundle = Card("good", "x", "y", data)._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/html", "text/plain", "application/x-verdict+json"}
    assert bundle["application/x-verdict+json"] == {"outcome": "passed"}


def test_marked_keeps_line_ends() -> None:
    assert marked("a\nb") == "a<br>b"


def test_rows_are_a_table_in_both_forms() -> None:
    card = Card("bad", "x", "y", rows=(("Expected", "`<a>`"), ("Seen", "nothing")), look="Look at `z`.")
    assert card.text == "[NOT YET] x: y\n  Expected: `<a>`\n  Seen:     nothing\n  Look at `z`."
    read = rich(card)
    assert read.code == ["<a>", "z"]
    assert read.tags.count("th") == read.tags.count("td") == read.tags.count("tr") == 2
    assert "Expected<a>Seennothing" in read.text


def test_a_card_without_rows_has_no_table() -> None:
    assert "table" not in rich(Card("bad", "x", "y")).tags


def test_code_keeps_its_form_and_its_sentence() -> None:
    card = CodeCard("One solution", "regions", "if a < b:\n    pass", "It was shown.")
    assert card.text == repr(card) == "[ONE SOLUTION] regions:\nif a < b:\n    pass\nIt was shown."
    read = Reader(card._repr_mimebundle_()["text/html"])
    assert read.code == ["if a < b:\n    pass"]
    assert read.text.endswith("It was shown.")
