"""The page's voice in Chromium, whose microphone plays a file: it is heard, answered, interrupted and spoken.

voice.js draws nothing, so the test starts it in the page as the page would, and looks at what the callbacks told.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
from chat_page import shoot
from loud_ear import LOUD, Hum, LoudEar
from playwright.sync_api import Page, expect, sync_playwright
from walk_house import WalkHouse

from autoglm_phone.media.pcm import wav_bytes

CHROMIUM = (
    os.environ.get("AUTOGLM_CHROMIUM") or which("chromium") or which("chromium-browser") or which("google-chrome")
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; AUTOGLM_CHROMIUM names one"),
]

RATE = 48_000
START = """async (options) => {
  const { startVoice } = await import("/web/voice.js");
  window.told = { states: [], heard: [], answers: [], errors: [] };
  window.voice = await startVoice({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    onState: (state) => told.states.push(state),
    onHeard: (heard) => told.heard.push(heard),
    onAnswer: (answer) => told.answers.push(answer),
    onError: (error) => told.errors.push(error.message),
    ...options,
  });
}"""
ANSWERED = "() => told.answers.some((answer) => answer.isFinal)"


def tone(seconds: float) -> Any:
    """A square wave: always as loud as LoudEar wants it, and no constant, which a sound card takes away."""
    wave = np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE + 0.01)
    return (np.sign(wave) * LOUD).astype(np.int16)


def silence(seconds: float) -> Any:
    return np.zeros(round(seconds * RATE), np.int16)


@contextmanager
def page_with(tmp_path: Path, sound: Any, address: str) -> Iterator[Page]:
    file = tmp_path / "microphone.wav"
    file.write_bytes(wav_bytes(sound, RATE))
    flags = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={file}%noloop",
        "--autoplay-policy=no-user-gesture-required",
    ]
    if os.getuid() == 0:
        flags.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page()
        page.set_default_timeout(20_000)
        page.goto(address)
        yield page
        browser.close()


def told(page: Page) -> dict[str, Any]:
    result: dict[str, Any] = page.evaluate("told")
    return result


def test_what_is_said_is_heard_and_answered(tmp_path: Path) -> None:
    ear = LoudEar()
    sound = np.concatenate([silence(0.5), tone(1.5), silence(3)])
    house = WalkHouse(transcriptions=ear, ear=ear)
    with house.live(api_key="a key, 钥匙") as address, page_with(tmp_path, sound, address) as page:
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
    sound = np.concatenate([silence(0.3), tone(3.5), silence(0.9), tone(1.0), silence(5)])
    house = WalkHouse(transcriptions=ear, ear=ear, voice=voice)
    with house.live() as address, page_with(tmp_path, sound, address) as page:
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
    with WalkHouse(transcriptions=ear, ear=ear).live() as address, page_with(tmp_path, tone(8), address) as page:
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
    sound = np.concatenate([silence(0.5), tone(1.0), silence(8)])
    with house.live() as address, page_with(tmp_path, sound, address) as page:
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
    with WalkHouse().live(api_key="right") as address, page_with(tmp_path, tone(1), address) as page:
        with pytest.raises(Exception, match="refused"):
            page.evaluate(START, {"key": "wrong"})
        assert told(page)["states"] == ["connecting", "closed"] or told(page)["states"][-1] == "closed"


TALK = """async () => {
  const { startTalk } = await import("/web/talk.js");
  window.turns = []; window.errors = []; window.drafts = [];
  document.body.replaceChildren();
  window.hear = startTalk({
    place: document.body, key: () => "", onDraft: (text) => drafts.push(text), onTurn: (text) => turns.push(text),
    onInterrupt: () => {}, onError: (text) => errors.push(text),
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
}"""


def test_the_button_makes_turns_of_what_is_said_and_gives_the_microphone_back(tmp_path: Path) -> None:
    ear, voice = LoudEar(), Hum()
    house = WalkHouse(transcriptions=ear, ear=ear, voice=voice)
    sound = np.concatenate([silence(0.5), tone(1.0), silence(8)])
    with house.live() as address, page_with(tmp_path, sound, address) as page:
        page.evaluate(TALK)
        page.get_by_role("button", name="Talk").click()
        page.wait_for_function("() => turns.length === 1")
        page.evaluate("hear({ text: 'Good morning.', isDone: true })")
        page.wait_for_selector("[data-state=speaking]")
        page.get_by_role("button", name="Stop talking").click()
        page.get_by_role("button", name="Talk").wait_for()
        assert page.evaluate("errors") == []
    assert [text for text, _ in voice.spoken] == ["Good morning."]


# A microphone's signal as it is: the browser's own gain would turn the tone into what LoudEar calls noise.
AS_IT_IS = """() => {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  navigator.mediaDevices.getUserMedia = ({ audio }) => open({ audio: { ...audio, ...raw } });
}"""


def test_the_chat_page_answers_and_keeps_what_was_spoken(tmp_path: Path) -> None:
    ear = LoudEar()
    sound = np.concatenate([silence(1.5), tone(1.5), silence(5)])
    with WalkHouse(transcriptions=ear, ear=ear).live() as address, page_with(tmp_path, sound, address) as page:
        expect(page.get_by_role("status")).to_contain_text("ready")
        page.evaluate(AS_IT_IS)
        page.get_by_role("button", name="Talk", exact=True).click()
        expect(page.locator(".user .text")).to_contain_text("one two", timeout=15_000)
        expect(page.locator(".assistant > .text")).to_contain_text("You said: one two")
        shoot(page, "talk")
        page.get_by_role("button", name="Stop talking").click()
        page.reload()
        expect(page.locator(".user .text")).to_contain_text("one two")
