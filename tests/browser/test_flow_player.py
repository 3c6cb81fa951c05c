"""The flow player in a real browser: what it shows, how it is worked, and what it must not do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lab_helpers.draw.flow import flow_data
from lab_helpers.record.story import Story
from tests.browser.stories import INJECTION, many, shop

Show = Callable[[Story | dict[str, Any]], Page]
STEPS = flow_data(shop())["steps"]
SECOND = 1000


def step(page: Page) -> int:
    return int(page.locator(".player").get_attribute("data-step") or -1)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def seen(page: Page) -> str:
    """Everything that a still player shows, but for the place of the focus."""
    expect(page.locator(".player")).to_have_attribute("data-moving", "false")
    return str(
        page.locator(".player").evaluate(
            """player => [
                player.querySelector(".caption").textContent,
                ...[...player.querySelectorAll(".actor, .chip")].map((one) => one.textContent + "|" + one.className),
            ].join("\\n")"""
        )
    )


def moving(page: Page) -> int:
    """How many envelopes and words are drawn on their way."""
    return page.locator(".stage svg > g:last-child > g:not([display])").count()


def test_it_stands_at_the_beginning_and_shows_who_takes_part(show: Show) -> None:
    page = show(shop())
    names = page.locator(".actor .name").all_text_contents()
    assert names == ["shop", "orders", "orders.dead", "audit", "eu", "us", "dead", "lyon", "dallas", "morgue"]
    assert page.locator(".title").all_text_contents() == ["Publishers", "Exchanges", "Queues", "Consumers"]
    assert page.locator(".key text").all_text_contents() == ["order.#", "order.eu.*", "order.us.*", "dead letters"]
    assert step(page) == 0
    assert page.locator(".count").all_text_contents() == ["0 ready" + "0 messages ready"] * 4


def test_it_plays_pauses_and_goes_on_to_the_end(show: Show) -> None:
    page = show(shop())
    press(page, "Play")
    page.clock.run_for(3500)
    assert step(page) == 4
    assert moving(page) == 1
    expect(page.locator(".caption")).to_have_text("Queue eu delivers message 1 to lyon.")
    press(page, "Pause")
    page.clock.run_for(3 * SECOND)
    assert step(page) == 4
    press(page, "Play")
    page.clock.run_for((len(STEPS) + 1) * SECOND)
    assert step(page) == len(STEPS)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(page.locator("[data-actor=q0] .count")).to_contain_text("3 ready")
    # From the end it begins again.
    press(page, "Play")
    page.clock.run_for(500)
    assert step(page) == 1


@pytest.mark.parametrize(("speed", "steps"), [("0.5×", 2), ("1×", 4), ("2×", 8), ("4×", 16)])
def test_speeds(show: Show, speed: str, steps: int) -> None:
    page = show(shop())
    page.get_by_label("Speed").select_option(speed)
    press(page, "Play")
    page.clock.run_for(3900)
    assert step(page) == steps


def test_a_step_back_shows_the_same_as_the_step_forward_did(show: Show) -> None:
    page = show(shop())
    there = [seen(page)]
    for _ in STEPS:
        press(page, "One step forward")
        page.clock.run_for(1100)
        there.append(seen(page))
    assert len(set(there)) == len(STEPS) + 1
    for number in reversed(range(len(STEPS))):
        press(page, "One step back")
        assert step(page) == number
        assert seen(page) == there[number]
    page.get_by_label("Step", exact=True).fill(str(len(STEPS)))
    assert seen(page) == there[-1]
    press(page, "To the beginning")
    assert seen(page) == there[0]


def test_each_queue_holds_what_the_story_says(show: Show) -> None:
    page = show(shop())
    depths = {actor["id"]: 0 for actor in flow_data(shop())["actors"] if actor["role"] == "queue"}
    for number, one in enumerate(STEPS, 1):
        page.get_by_label("Step", exact=True).fill(str(number))
        depths |= one["depths"]
        for queue, depth in depths.items():
            expect(page.locator(f"[data-actor={queue}] .count")).to_contain_text(f"{depth} ready")
            drawn = page.locator(f"[data-actor={queue}] [data-message]").count()
            assert drawn == depth


def test_what_happens_to_a_message_has_a_symbol_of_its_own(show: Show) -> None:
    page = show(shop())
    press(page, "To the end")
    fates = [re.sub("\ufe0e", "", text) for text in page.locator(".fates").all_text_contents()]
    assert fates == ["✓☑", "✓↻☑", "↩✓", "✗✓", "⊘†"]
    labels = [chip.get_attribute("aria-label") for chip in page.locator(".chip").all()]
    assert labels[2] == "Message 3, order 3, returned, confirmed by the broker"
    assert labels[4] == "Message 5, order 5, dead-lettered, rejected by a consumer"
    shapes = set()
    for number, one in enumerate(STEPS):
        page.get_by_label("Step", exact=True).fill(str(number))
        press(page, "One step forward")
        page.clock.run_for(300)
        look = one["moves"][0]["look"]
        drawn = page.locator(".stage svg > g:last-child > g:not([display])").first
        expect(drawn).to_have_class(re.compile(rf"\b{look}\b"))
        shapes.add((look, drawn.evaluate("one => one.querySelector('.tag-text, path + text')?.textContent ?? ''")))
    assert len({symbol for _, symbol in shapes}) == len({look for look, _ in shapes})


def test_keys(show: Show) -> None:
    page = show(shop())
    page.get_by_role("group", name="Message flow:").focus()
    page.keyboard.press("ArrowRight")
    page.clock.run_for(1100)
    page.keyboard.press("ArrowRight")
    page.clock.run_for(1100)
    assert step(page) == 2
    page.keyboard.press("ArrowLeft")
    assert step(page) == 1
    page.keyboard.press("End")
    assert step(page) == len(STEPS)
    page.keyboard.press("Home")
    assert step(page) == 0
    page.keyboard.press(" ")
    page.clock.run_for(500)
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    page.keyboard.press(" ")
    assert page.locator(".player").get_attribute("data-playing") == "false"
    assert page.evaluate("scrollY") == 0


def test_the_tab_order_goes_from_the_stage_through_the_controls_to_one_message(show: Show) -> None:
    page = show(shop())
    passed = []
    for _ in range(10):
        page.keyboard.press("Tab")
        passed.append(
            page.evaluate(
                """() => { const at = document.querySelector(".rabbitmq-labs-flow").shadowRoot.activeElement;
                return at ? at.getAttribute("aria-label") ?? at.textContent : "" }"""
            )
        )
    assert passed[0].startswith("Message flow: space plays")
    assert passed[1:8] == [
        "To the beginning", "One step back", "Play", "One step forward", "To the end", "Step", "Speed",
    ]  # fmt: skip
    assert passed[8].startswith("Message 1")
    assert passed[9].startswith("All 22 steps")


def test_focus_can_be_seen(show: Show) -> None:
    page = show(shop())
    for _ in range(9):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            """() => {
                const at = document.querySelector(".rabbitmq-labs-flow").shadowRoot.activeElement;
                return getComputedStyle(at).outlineStyle }"""
        )
        assert outline == "solid"


def test_a_message_clicked_or_chosen_by_key_shows_its_content(show: Show) -> None:
    page = show(shop())
    page.get_by_role("button", name="Message 1,").press("Enter")
    panel = page.get_by_role("region", name="Message 1")
    expect(panel.locator("pre")).to_have_text('{"order": 1, "paid": true}')
    expect(panel).to_contain_text("delivery_mode")
    expect(panel).to_contain_text("region")
    expect(panel).to_contain_text("lyon acknowledges message 1.")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.get_by_role("button", name="Message 1,")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Message 4")
    expect(panel.locator("pre")).to_have_text("fa fb fc fd fe ff")
    expect(panel).to_contain_text("in hexadecimal")
    press(page, "Close the message")
    # An envelope in a queue, and one on its way.
    page.get_by_label("Step", exact=True).fill("2")
    page.locator("[data-actor=q0] [data-message='1']").click()
    expect(page.get_by_role("region", name="Message 1")).to_be_visible()
    press(page, "To the beginning")
    press(page, "One step forward")
    page.clock.run_for(400)
    page.locator(".stage svg > g:last-child > g").first.click()
    expect(page.get_by_role("region", name="Message 1")).to_be_visible()


def test_nothing_in_a_message_is_read_as_html(show: Show) -> None:
    data = flow_data(shop())
    for actor in data["actors"]:
        actor["name"] = INJECTION
    for one in data["steps"]:
        one["caption"] += INJECTION
    data["messages"][1]["headers"] = {INJECTION: {INJECTION: INJECTION}}
    page = show(data)
    press(page, "To the end")
    page.get_by_role("button", name="Message 2,").click()
    page.locator("summary").click()
    expect(page.locator("pre")).to_have_text(INJECTION)
    expect(page.locator(".words li")).to_have_count(len(STEPS))
    assert page.locator("img, .player script").count() == 0
    assert page.title() == "A story"


def test_names_that_could_end_the_script_or_be_long_do_no_harm(show: Show) -> None:
    data = flow_data(shop())
    for actor in data["actors"]:
        actor["name"] = f"</script>{'x' * 300}"
    page = show(data)
    box = page.locator(".actor .box").first.bounding_box()
    name = page.locator(".actor .name").first.bounding_box()
    assert box
    assert name
    assert name["width"] <= box["width"]


def test_without_motion_steps_jump(show: Show, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    show(shop())
    press(page, "One step forward")
    assert (step(page), page.locator(".player").get_attribute("data-moving")) == (1, "false")
    press(page, "Play")
    page.clock.run_for(2500)
    assert page.locator(".player").get_attribute("data-moving") == "false"
    assert step(page) == 4
    page.clock.run_for((len(STEPS) + 1) * SECOND)
    assert step(page) == len(STEPS)
    # What leaves no trace can be seen all the same.
    page.get_by_label("Step", exact=True).fill("3")
    expect(page.locator(".mark.confirmed").first).to_be_visible()


RATIO = """(text) => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const bright = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const player = text.closest(".player");
  const style = getComputedStyle(text);
  const box = text.closest(".actor")?.querySelector(".box");
  const over = box ? getComputedStyle(box).fill : getComputedStyle(player).backgroundColor;
  const own = text.closest("svg") ? style.fill : style.color;
  const [one, other] = [bright(channels(own)), bright(channels(over))];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}"""
"""Contrast by https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(show: Show, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    show(shop())
    press(page, "To the end")
    assert ("dark" in str(page.locator(".player").get_attribute("class"))) == (scheme == "dark")
    texts = page.locator(".name, .kind, .title, .count, .caption, .legend li, .chip .of, summary, .tally").all()
    assert len(texts) > 40
    ratios = [text.evaluate(RATIO) for text in texts]
    assert min(ratios) >= 4.5, ratios
    assert max(ratios) > 10


@pytest.mark.parametrize(
    ("host", "attributes", "dark"),
    [
        ("JupyterLab", {"data-jp-theme-light": "false"}, True),
        ("JupyterLab", {"data-jp-theme-light": "true"}, False),
        ("Material", {"data-md-color-scheme": "slate"}, True),
        ("Material", {"data-md-color-scheme": "default"}, False),
    ],
)
def test_it_follows_the_theme_of_its_host(
    show: Show, page: Page, host: str, attributes: dict[str, str], dark: bool
) -> None:
    page.emulate_media(color_scheme="light" if dark else "dark")
    show(shop())
    for name, value in attributes.items():
        page.evaluate("([name, value]) => document.body.setAttribute(name, value)", [name, value])
    expect(page.locator(".player.dark")).to_have_count(int(dark))


def test_everything_that_is_worked_has_a_name(show: Show) -> None:
    page = show(shop())
    press(page, "To the end")
    page.get_by_role("button", name="Message 2,").click()
    nameless = page.locator(".player").evaluate(
        """player => [...player.querySelectorAll("button, input, select, [tabindex], svg[role]")]
          .filter((one) => !(one.getAttribute("aria-label") ?? one.textContent).trim()).map((one) => one.outerHTML)"""
    )
    assert nameless == []
    expect(page.get_by_role("img")).to_have_accessible_name(
        "1 publisher, 2 exchanges, 4 queues, 3 consumers; 5 messages in 22 steps"
    )
    expect(page.get_by_role("status")).to_have_text("Step 22 of 22: Queue dead delivers message 5 to morgue.")
    slider = page.get_by_role("slider", name="Step")
    expect(slider).to_have_attribute("aria-valuetext", "22 of 22: Queue dead delivers message 5 to morgue.")


def test_while_it_plays_it_does_not_talk_all_the_time(show: Show) -> None:
    page = show(many())
    page.evaluate(
        """() => { window.said = 0; new MutationObserver(() => window.said++).observe(
          document.querySelector(".rabbitmq-labs-flow").shadowRoot.querySelector(".heard"), { childList: true }) }"""
    )
    press(page, "Play")
    page.clock.run_for(5 * SECOND)
    assert step(page) > 50
    assert 1 <= page.evaluate("said") <= 4


def test_many_messages_are_a_stream_of_few_envelopes(show: Show) -> None:
    page = show(many(1000))
    press(page, "Play")
    page.clock.run_for(3 * SECOND)
    assert 20 < moving(page) <= 60
    expect(page.locator(".head .note")).to_have_text(re.compile(r"^\d+ more envelopes? on the way, folded here$"))
    # Within the time that a story may take, and to the same end as at once.
    page.get_by_label("Step", exact=True).fill("4950")
    press(page, "Play")
    page.clock.run_for(6 * SECOND)
    assert step(page) == 5000
    assert moving(page) == 0
    expect(page.locator("[data-actor=q0] .count")).to_contain_text("1000 ready")
    expect(page.locator("[data-actor=c0]")).to_contain_text("1000")


def test_four_hundred_messages_stay_fluid(show: Show) -> None:
    page = show(many())
    press(page, "Play")
    metrics = page.context.new_cdp_session(page)
    metrics.send("Performance.enable")

    def busy() -> float:
        found = metrics.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in found if one["name"] == "ScriptDuration"))

    before = busy()
    page.clock.run_for(8 * SECOND)
    # 60 frames a second have 16 ms each; the script may take half of that.
    assert busy() - before < 8 * 60 * 0.008


def test_a_narrow_page_scrolls_the_stage_and_not_the_page(show: Show, page: Page) -> None:
    page.set_viewport_size({"width": 420, "height": 800})
    show(shop())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".stage").evaluate("stage => stage.scrollWidth > stage.clientWidth")


def test_an_empty_story_says_so(show: Show) -> None:
    page = show(Story())
    expect(page.locator(".caption")).to_have_text("Nothing moved while this was recorded.")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_disabled()


def test_another_format_is_refused_in_a_sentence(show: Show) -> None:
    page = show({**flow_data(shop()), "format": 2})
    expect(page.locator("body")).to_contain_text("This player reads format 1 of a flow, and this one is in format 2.")


def test_it_can_be_taken_out_again(show: Show) -> None:
    page = show(shop())
    press(page, "Play")
    page.evaluate("end()")
    page.clock.run_for(SECOND)
    expect(page.locator(".player")).to_have_count(0)
