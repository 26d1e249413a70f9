"""The pages in headless Chromium: opened under watch, asked, photographed."""

import base64
import mimetypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("AUTOGLM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # a camera and a screen that show a test picture, and leave to look at them
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium, or set AUTOGLM_CHROMIUM"),
]


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield browser
        browser.close()


def microphone(file: Path, *, loops: bool = False) -> str:
    """The flag that makes a microphone of a wave file, which begins anew whenever the microphone is turned on."""
    return f"--use-file-for-fake-audio-capture={file}{'' if loops else '%noloop'}"


@contextmanager
def opened(
    browser: Browser, address: str, path: str = "/", *, locale: str = "en-GB", script: str = "", **context: object
) -> Iterator[Page]:
    """The page; at the end nothing may have been refused by the policy or thrown, and nothing loaded from elsewhere.

    script: runs before those of the page.
    """
    with browser.new_context(locale=locale, **context) as tab:  # type: ignore[arg-type]  # playwright's own keywords
        tab.add_init_script(script)
        page = tab.new_page()
        page.set_default_timeout(15_000)
        complaints: list[str] = []
        requested: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda line: (
                complaints.append(line.text) if "Security Policy" in line.text or "Trusted" in line.text else None
            ),
        )
        page.on("request", lambda request: requested.append(request.url))
        page.goto(address + path)
        yield page
        assert complaints == []
        assert [url for url in requested if not url.startswith((address, "blob:", "data:"))] == []


# Bytes that the fake model reads as the words they are.
PICTURE: FilePayload = {"name": "b.png", "mimeType": "image/png", "buffer": b"a slider"}


def ask(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.keyboard.press("Enter")


# A file given to an event, as a browser gives it.
GIVE = """async ([type, name, mime, base64, target]) => {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: mime }));
  const fields = { bubbles: true, cancelable: true };
  const event = type === "paste"
    ? new ClipboardEvent("paste", { ...fields, clipboardData: data })
    : new DragEvent("drop", { ...fields, dataTransfer: data });
  document.querySelector(target).dispatchEvent(event);
}"""


def give(page: Page, event: Literal["drop", "paste"], target: str, file: Path) -> None:
    """Drop or paste a file onto the node that a selector names."""
    kind = mimetypes.guess_type(file.name)[0] or ""
    page.evaluate(GIVE, [event, file.name, kind, base64.b64encode(file.read_bytes()).decode(), target])


def answers(page: Page) -> Locator:
    """The texts of all answers that are shown."""
    return page.locator(".assistant > .text")


def shoot(page: Page, name: str, *, whole: bool = False) -> None:
    """Pictures of the main states, for people to look at, where AUTOGLM_SCREENSHOTS names a folder."""
    if folder := os.environ.get("AUTOGLM_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=whole)
