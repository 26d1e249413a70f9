"""A real recording is spoken into the chat page of the real default model: heard, answered and shown, with a key."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from chat_page import answers, chromium, microphone, needs_chromium, opened, shoot
from fake_microphone import write_sound
from playwright.sync_api import Page, expect
from running_server import RunningServer, served

from autoglm_phone.core.module import Modality
from autoglm_phone.media.audio import SAMPLE_RATE, decode_sound
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.weights.store import LocatedModule

pytestmark = [pytest.mark.real, *needs_chromium]

KEY = "a key, 钥匙"
# Somebody orders a mocha of medium roast with a double shot; nothing but the microphone says so.
ORDER = "506f882d-291f-4ece-aa86-472f6dec5941.wav"
ORDERED = re.compile("medium roast.*double shot", re.IGNORECASE)
WAITER = "Repeat the customer's order in one short sentence."
PATIENT_MS = 60_000
UNTIL_OFF = "() => window.tracks.length > 0 && window.tracks.every((track) => track.readyState === 'ended')"
# What was given out, and otherwise nothing changed: the browser's gain and echo cancellation belong to what is tested.
TRACKS = """
window.tracks = [];
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wishes) => {
  const stream = await open(wishes);
  tracks.push(...stream.getTracks());
  return stream;
};
"""


@pytest.fixture(scope="module")
def locked(nano: dict[Modality, LocatedModule]) -> Iterator[RunningServer]:
    with served("--api-key", KEY) as running:
        yield running


@contextmanager
def spoken_to(server: RunningServer, tmp_path: Path, recording: Path) -> Iterator[tuple[Page, float]]:
    """The page, ready, and the seconds of the recording that its microphone will play."""
    samples = decode_sound(recording.read_bytes(), MediaLimits(), param="recording").samples
    file = write_sound(tmp_path, (samples * 32767).astype(np.int16), rate=SAMPLE_RATE)
    with chromium(microphone(file)) as browser, opened(browser, server.url, script=TRACKS) as page:
        page.get_by_label("API key").fill(KEY)
        page.get_by_label("API key").press("Tab")
        expect(page.get_by_role("alert")).to_be_hidden()
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("System prompt").fill(WAITER)
        page.get_by_label("Temperature").fill("0")
        page.get_by_label("Longest answer").fill("40")
        page.get_by_role("button", name="Settings").click()
        yield page, len(samples) / SAMPLE_RATE


def is_answered_and_kept(page: Page) -> None:
    order = page.locator(".user .text").filter(has_text=ORDERED)
    expect(order).to_have_count(1, timeout=PATIENT_MS)
    expect(answers(page).filter(has_text=ORDERED)).to_have_count(1, timeout=PATIENT_MS)
    expect(page.locator(".assistant .meta").last).to_contain_text("tokens in", timeout=PATIENT_MS)
    shown = page.locator(".message .text").all_inner_texts()
    page.reload()
    expect(page.locator(".message .text")).to_have_text(shown)


def test_an_order_is_spoken_while_the_button_is_held(locked: RunningServer, extra_data: Path, tmp_path: Path) -> None:
    with spoken_to(locked, tmp_path, extra_data / "audio/barista_dev" / ORDER) as (page, seconds):
        page.get_by_role("button", name="Hold to talk").focus()
        page.keyboard.down("Space")
        expect(page.locator("#talk-state")).to_have_text("Speak; let go to send")
        page.wait_for_timeout(seconds * 1000)
        expect(page.locator("#talk-draft")).to_contain_text(ORDERED, timeout=PATIENT_MS)
        shoot(page, "real-hold")
        page.keyboard.up("Space")
        page.wait_for_function(UNTIL_OFF)
        is_answered_and_kept(page)


def test_an_order_is_spoken_hands_free(locked: RunningServer, extra_data: Path, tmp_path: Path) -> None:
    with spoken_to(locked, tmp_path, extra_data / "audio/barista_dev" / ORDER) as (page, _):
        page.get_by_role("button", name="Talk hands-free").click()
        expect(page.locator("#talk-draft")).not_to_be_empty(timeout=PATIENT_MS)
        expect(page.locator(".user .text").filter(has_text=ORDERED)).to_have_count(1, timeout=PATIENT_MS)
        shoot(page, "real-hands-free")
        page.get_by_role("button", name="End talking hands-free").click()
        page.wait_for_function(UNTIL_OFF)
        is_answered_and_kept(page)
