"""The button that is held while one speaks, in Chromium: a microphone that hums without end, an ear that counts it."""

from collections.abc import Iterator
from typing import Any

import pytest
from chat_page import answers, ask, chromium, microphone, needs_chromium, opened, shoot
from fake_microphone import AS_IT_IS, IS_OFF, tone, write_sound
from loud_ear import LOUD, Hum, LoudEar
from playwright.sync_api import Browser, Locator, Page, expect
from test_page_access import faults
from walk_house import DECODER, EAR, WalkHouse

pytestmark = needs_chromium

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(microphone(write_sound(tmp_path_factory.mktemp("humming"), tone(1, LOUD)), loops=True)) as browser:
        yield browser


def house(voice: Hum | None = None) -> WalkHouse:
    ear = LoudEar()
    return WalkHouse(transcriptions=ear, ear=ear, voice=voice, modules=(DECODER, EAR), max_tokens=200)


def button(page: Page) -> Locator:
    return page.get_by_role("button", name="Hold to talk")


def middle(node: Locator) -> tuple[float, float]:
    box = node.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def press(page: Page) -> None:
    page.mouse.move(*middle(button(page)))
    page.mouse.down()


def hears(page: Page) -> None:
    """Words are shown while they are spoken."""
    expect(page.locator("#talk-draft")).to_contain_text("one two")


def is_answered(page: Page) -> None:
    expect(page.locator(".user .text")).to_contain_text("one two")
    expect(answers(page)).to_contain_text("You said: one two")
    page.wait_for_function(IS_OFF)


def is_given_up(page: Page) -> None:
    expect(button(page)).to_have_attribute("aria-pressed", "false")
    page.wait_for_function(IS_OFF)
    # What comes next is the first that the server is asked.
    ask(page, "Good morning")
    expect(answers(page)).to_have_text("You said: Good morning")


def test_what_is_said_while_the_mouse_holds_it_is_sent_and_answered_aloud(browser: Browser) -> None:
    voice = Hum(ms=50)
    with house(voice).live() as address, opened(browser, address, script=AS_IT_IS) as page:
        page.get_by_role("textbox", name="Message").fill("begun")
        press(page)
        expect(page.locator("#talk-state")).to_have_text("Speak; let go to send")
        expect(button(page)).to_have_attribute("aria-pressed", "true")
        hears(page)
        shoot(page, "hold")
        page.mouse.up()
        is_answered(page)
        expect(page.get_by_role("textbox", name="Message")).to_have_value("begun")
        expect(page.locator("#talk-state")).to_contain_text("Speaking")
        said = answers(page).inner_text()
        expect(page.locator("#talk-state")).to_be_empty()
        page.reload()
        expect(answers(page)).to_have_text(said)
    assert "".join(text for text, _ in voice.spoken) == said


@pytest.mark.parametrize("key", ["Space", "Enter"])
def test_what_is_said_while_a_key_holds_it_is_sent(browser: Browser, key: str) -> None:
    with house().live() as address, opened(browser, address, script=AS_IT_IS) as page:
        button(page).focus()
        page.keyboard.down(key)
        page.keyboard.down(key)  # as a keyboard repeats
        hears(page)
        expect(page.locator(".message")).to_have_count(0)
        page.keyboard.up(key)
        is_answered(page)


def test_what_is_said_while_a_finger_holds_it_is_sent(browser: Browser) -> None:
    with house().live() as address, opened(browser, address, script=AS_IT_IS, locale="zh-CN", **PHONE) as page:
        finger = page.context.new_cdp_session(page)
        page.get_by_role("textbox", name="消息").tap()  # a browser lets no page sound that was never touched
        hold = page.get_by_role("button", name="按住说话")
        x, y = middle(hold)
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        hears(page)
        expect(page.locator("#talk-state")).to_have_text("请说话，松开发送")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        shoot(page, "hold-phone")
        moved = {"type": "touchMove", "touchPoints": [{"x": x - 80, "y": y - 200}]}
        finger.send("Input.dispatchTouchEvent", moved)
        expect(page.locator("#talk-state")).to_have_text("松开取消")
        shoot(page, "hold-phone-away")
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y}]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        is_answered(page)


def test_sliding_away_gives_it_up(browser: Browser) -> None:
    with house().live() as address, opened(browser, address, script=AS_IT_IS) as page:
        press(page)
        hears(page)
        page.mouse.move(20, 200)
        expect(page.locator("#talk-state")).to_have_text("Let go to cancel")
        page.mouse.up()
        is_given_up(page)


@pytest.mark.parametrize("by", ["Escape", "blur", "button"])
def test_it_is_given_up_by_a_key_by_leaving_and_by_a_button(browser: Browser, by: str) -> None:
    with house().live() as address, opened(browser, address, script=AS_IT_IS) as page:
        button(page).focus()
        if by == "button":
            page.keyboard.press("Space")  # a tap holds it
            hears(page)
            page.get_by_role("button", name="Cancel").click()
        else:
            page.keyboard.down("Space")
            hears(page)
            if by == "Escape":
                page.keyboard.press("Escape")
            else:
                page.evaluate("window.dispatchEvent(new Event('blur'))")
        is_given_up(page)


def test_a_tap_holds_it_until_the_next(browser: Browser) -> None:
    with house().live() as address, opened(browser, address, script=AS_IT_IS) as page:
        button(page).click()
        expect(page.locator("#talk-state")).to_have_text("Speak; press again to send")
        hears(page)
        button(page).click()
        is_answered(page)


def test_a_screen_readers_click_begins_and_ends_it(browser: Browser) -> None:
    with house().live() as address, opened(browser, address, script=AS_IT_IS) as page:
        button(page).evaluate("node => node.click()")
        hears(page)
        button(page).evaluate("node => node.click()")
        is_answered(page)


def test_pressing_it_ends_the_answer_that_is_being_given(browser: Browser) -> None:
    walk = house(Hum())
    with walk.live() as address, opened(browser, address, script=AS_IT_IS) as page:
        expect(button(page)).to_be_visible()
        walk.model.gate.clear()
        ask(page, "Good morning")
        expect(page.locator(".assistant.waiting")).to_be_visible()
        press(page)
        expect(page.locator(".assistant .meta")).to_have_text("Stopped.")
        walk.model.gate.set()
        hears(page)
        page.mouse.up()
        expect(answers(page).last).to_contain_text("You said: one two")


# A browser with a voice, which speaks until it is told to stop.
SPEAKER = """
window.speech = { said: [], cuts: 0 };
Object.defineProperty(window, "speechSynthesis", { value: {
  getVoices: () => [{ lang: "en-GB" }],
  speak: (utterance) => speech.said.push([utterance.lang, utterance.text]),
  cancel: () => (speech.cuts += 1),
} });
"""


def test_a_server_without_a_voice_is_spoken_for_by_the_browser(browser: Browser) -> None:
    with house().live() as address, opened(browser, address, script=AS_IT_IS + SPEAKER) as page:
        press(page)
        hears(page)
        page.mouse.up()
        is_answered(page)
        expect(page.locator("#talk-state")).to_have_text("Speaking. Hold the button to interrupt.")
        assert page.evaluate("speech.said") == [["en-US", answers(page).inner_text()]]
        cuts = page.evaluate("speech.cuts")
        press(page)
        expect(page.locator("#talk-state")).to_have_text("Speak; let go to send")
        assert page.evaluate("speech.cuts") > cuts
        page.keyboard.press("Escape")
        expect(page.locator("#talk-state")).to_be_empty()


def test_answers_are_not_spoken_where_that_is_not_wanted(browser: Browser) -> None:
    voice = Hum()
    with house(voice).live() as address, opened(browser, address, script=AS_IT_IS) as page:
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("Answer aloud what was spoken").uncheck()
        press(page)
        hears(page)
        page.mouse.up()
        is_answered(page)
        expect(page.locator(".assistant .meta")).to_contain_text("tokens in")
    assert voice.spoken == []


def test_a_microphone_that_is_refused_is_told_in_words(browser: Browser) -> None:
    refuse = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); };"
    with house().live() as address, opened(browser, address, script=refuse) as page:
        for name in ("Hold to talk", "Talk hands-free"):
            page.get_by_role("button", name=name).click()
            expect(page.get_by_role("alert")).to_have_text("There is no microphone to use: no")
            expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "false")


def test_a_server_without_ears_has_no_button(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        expect(page.get_by_role("status")).to_contain_text("ready")
        expect(button(page)).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_while_it_is_held(browser: Browser, scheme: str) -> None:
    with house().live() as address, opened(browser, address, script=AS_IT_IS, color_scheme=scheme) as page:
        press(page)
        hears(page)
        assert faults(page) == []
        page.mouse.move(20, 200)
        expect(page.locator("#talk-state")).to_have_text("Let go to cancel")
        assert faults(page) == []
        shoot(page, f"hold-{scheme}")
        page.mouse.up()
        page.get_by_role("button", name="Talk hands-free").click()
        expect(page.locator("#talk-draft")).to_contain_text("one two")
        assert faults(page) == []
        shoot(page, f"hands-free-{scheme}")
