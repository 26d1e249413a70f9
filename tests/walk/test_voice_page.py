"""The page's voice in Chromium, whose microphone plays a file: it is heard, answered, interrupted and spoken.

voice.js draws nothing, so the test starts it in the page as the page would, and looks at what the callbacks told.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from chat_page import answers, chromium, microphone, needs_chromium, opened, shoot
from fake_microphone import AS_IT_IS, IS_OFF, silence, write_sound
from fake_microphone import tone as tone_of
from loud_ear import LOUD, Hum, LoudEar
from playwright.sync_api import Page, expect
from walk_house import DECODER, EAR, WalkHouse

pytestmark = needs_chromium

START = """async (options) => {
  const { startVoice } = await import("/web/voice.js");
  window.told = { states: [], heard: [], answers: [], errors: [] };
  window.voice = await startVoice({
    onState: (state) => told.states.push(state),
    onHeard: (heard) => told.heard.push(heard),
    onAnswer: (answer) => told.answers.push(answer),
    onError: (error) => told.errors.push(error.message),
    ...options,
  });
}"""
ANSWERED = "() => told.answers.some((answer) => answer.isFinal)"


def tone(seconds: float) -> Any:
    return tone_of(seconds, LOUD)


@contextmanager
def page_with(tmp_path: Path, sound: list[Any], address: str, *flags: str) -> Iterator[Page]:
    with (
        chromium(microphone(write_sound(tmp_path, *sound)), *flags) as browser,
        opened(browser, address, script=AS_IT_IS) as page,
    ):
        yield page


# voice.js is started without a hand that touches the page.
UNTOUCHED = "--autoplay-policy=no-user-gesture-required"


def told(page: Page) -> dict[str, Any]:
    result: dict[str, Any] = page.evaluate("told")
    return result


def test_what_is_said_is_heard_and_answered(tmp_path: Path) -> None:
    ear = LoudEar()
    sound = [silence(0.5), tone(1.5), silence(3)]
    house = WalkHouse(transcriptions=ear, ear=ear)
    with house.live(api_key="a key, 钥匙") as address, page_with(tmp_path, sound, address, UNTOUCHED) as page:
        page.evaluate(START, {"key": "a key, 钥匙", "speaks": False, "language": "en"})
        page.wait_for_function(ANSWERED)
        page.wait_for_function('() => voice.state === "listening"')
        seen = told(page)
        page.evaluate("voice.stop()")
    assert seen["errors"] == []
    [final] = [heard["text"] for heard in seen["heard"] if heard["isFinal"]]
    assert final.startswith("one two")
    assert any(not heard["isFinal"] for heard in seen["heard"])
    assert seen["answers"][-1]["text"] == f"You said: {final}"
    assert seen["states"] == ["connecting", "listening", "hearing", "thinking", "answering", "listening"]
    assert {options.language for options in ear.asked} == {"en"}


def test_an_answer_is_spoken_and_ends_when_somebody_speaks(tmp_path: Path) -> None:
    ear, voice = LoudEar(), Hum()
    sound = [silence(0.3), tone(3.5), silence(0.9), tone(1.0), silence(5)]
    house = WalkHouse(transcriptions=ear, ear=ear, voice=voice)
    with house.live() as address, page_with(tmp_path, sound, address, UNTOUCHED) as page:
        page.evaluate(START, {"messages": [{"role": "user", "text": "Hi"}, {"role": "assistant", "text": "Hello"}]})
        page.wait_for_function("() => told.answers.filter((answer) => answer.isFinal).length === 2")
        page.wait_for_function('() => voice.state === "listening"')
        seen = told(page)
    assert seen["errors"] == []
    assert "speaking" in seen["states"]
    assert voice.spoken
    assert seen["answers"][-1]["text"].startswith("You said: one two")


def test_push_to_talk_and_a_written_turn(tmp_path: Path) -> None:
    ear = LoudEar()
    with (
        WalkHouse(transcriptions=ear, ear=ear).live() as address,
        page_with(tmp_path, [tone(8)], address, UNTOUCHED) as page,
    ):
        page.evaluate(START, {"handsFree": False, "speaks": False})
        page.evaluate("voice.write('Good morning')")
        page.wait_for_function(ANSWERED)
        assert told(page)["answers"][-1]["text"] == "You said: Good morning"
        page.evaluate("told.answers.length = 0; voice.press()")
        page.wait_for_function("() => told.heard.some((heard) => heard.text !== '')")
        page.evaluate("voice.release()")
        page.wait_for_function(ANSWERED)
        assert told(page)["answers"][-1]["text"].startswith("You said: one")
        assert told(page)["errors"] == []


def test_without_answers_it_hears_and_says_what_it_is_given(tmp_path: Path) -> None:
    ear, voice = LoudEar(), Hum()
    house = WalkHouse(transcriptions=ear, ear=ear, voice=voice)
    sound = [silence(0.5), tone(1.0), silence(8)]
    with house.live() as address, page_with(tmp_path, sound, address, UNTOUCHED) as page:
        page.evaluate(START, {"answers": False})
        page.wait_for_function("() => told.heard.some((heard) => heard.isFinal && heard.text.startsWith('one'))")
        page.evaluate("voice.say('Good **morn'); voice.say('ing. How are you?', true)")
        page.wait_for_function('() => told.states.includes("speaking")')
        page.wait_for_function('() => voice.state === "listening"')
        seen = told(page)
    assert seen["errors"] == []
    assert seen["answers"] == []
    assert sorted(text for text, _ in voice.spoken) == ["Good morning.", "How are you?"]
    assert house.model.prompts == []


def test_a_wrong_key_is_an_error_and_the_microphone_is_given_back(tmp_path: Path) -> None:
    with WalkHouse().live(api_key="right") as address, page_with(tmp_path, [tone(1)], address, UNTOUCHED) as page:
        with pytest.raises(Exception, match="refused"):
            page.evaluate(START, {"key": "wrong"})
        assert told(page)["states"] == ["connecting", "closed"]
        page.wait_for_function(IS_OFF)


def test_hands_free_turns_are_answered_aloud_kept_and_end_by_speaking(tmp_path: Path) -> None:
    ear, voice = LoudEar(), Hum(ms=200)
    house = WalkHouse(transcriptions=ear, ear=ear, voice=voice, modules=(DECODER, EAR), max_tokens=200)
    # The second turn comes in the midst of eight seconds of answer.
    sound = [silence(0.5), tone(3.5), silence(3), tone(1.5), silence(8)]
    with house.live(api_key="right, 钥匙") as address, page_with(tmp_path, sound, address) as page:
        page.get_by_label("API key").fill("right, 钥匙")
        page.get_by_label("API key").press("Tab")
        page.get_by_role("button", name="Talk hands-free").click()
        expect(page.locator("#talk-draft")).to_contain_text("one two")
        expect(page.locator(".user .text").first).to_contain_text("one two three")
        expect(page.locator("#talk-state")).to_contain_text("Speaking")
        shoot(page, "hands-free")
        expect(page.locator("#talk-draft")).to_contain_text("one")
        expect(answers(page)).to_have_count(2)
        expect(answers(page).last).to_contain_text("You said: one two")
        page.get_by_role("button", name="End talking hands-free").click()
        expect(page.get_by_role("button", name="Talk hands-free")).to_be_visible()
        page.wait_for_function(IS_OFF)
        page.reload()
        expect(answers(page)).to_have_count(2)
    assert voice.spoken[0][0].startswith("You said: one two three")


def test_a_connection_that_is_lost_ends_it_with_a_word(tmp_path: Path) -> None:
    ear = LoudEar()
    house = WalkHouse(transcriptions=ear, ear=ear, modules=(DECODER, EAR))
    with ExitStack() as server:
        address = server.enter_context(house.live())
        with page_with(tmp_path, [silence(1)], address) as page:
            page.get_by_role("button", name="Talk hands-free").click()
            expect(page.locator("#talk-state")).to_have_text("Listening")
            server.close()
            expect(page.get_by_role("alert")).to_contain_text("the server closed the connection")
            expect(page.get_by_role("button", name="Talk hands-free")).to_have_attribute("aria-pressed", "false")
            page.wait_for_function(IS_OFF)


def test_silence_while_the_button_is_held_is_no_message(tmp_path: Path) -> None:
    ear = LoudEar()
    house = WalkHouse(transcriptions=ear, ear=ear, modules=(DECODER, EAR))
    with house.live() as address, page_with(tmp_path, [silence(1)], address) as page:
        page.get_by_role("button", name="Hold to talk").click()
        expect(page.locator("#talk-state")).to_have_text("Speak; press again to send")
        page.get_by_role("button", name="Hold to talk").click()
        expect(page.locator("#talk-state")).to_have_text("Nothing was understood.")
        expect(page.locator(".message")).to_have_count(0)
        page.wait_for_function(IS_OFF)
