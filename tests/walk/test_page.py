"""The page in headless Chromium against a real socket; the model behind it is fake and echoes what was said."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from walk_house import WalkHouse

CHROMIUM = os.environ.get("AUTOGLM_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium, or set AUTOGLM_CHROMIUM"),
]

XSS = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def opened(browser: Browser, address: str, locale: str = "en-GB", **context: object) -> Iterator[Page]:
    """The page; at the end nothing may have been refused by the policy or thrown, and nothing loaded from elsewhere."""
    with browser.new_context(locale=locale, **context) as tab:  # type: ignore[arg-type]  # playwright's own keywords
        page = tab.new_page()
        page.set_default_timeout(15_000)
        complaints: list[str] = []
        requested: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if "Content Security" in line.text else None)
        page.on("request", lambda request: requested.append(request.url))
        page.goto(address)
        yield page
        assert complaints == []
        assert [url for url in requested if not url.startswith((address, "blob:", "data:"))] == []


def ask(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.keyboard.press("Enter")


def shoot(page: Page, name: str) -> None:
    """Pictures of the main states, for people to look at, where AUTOGLM_SCREENSHOTS names a folder."""
    if folder := os.environ.get("AUTOGLM_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_chat_streams_and_remembers(browser: Browser) -> None:
    house = WalkHouse()
    with house.live() as address, opened(browser, address) as page:
        expect(page.get_by_role("status")).to_contain_text("autoglm-phone-fake · ready")
        shoot(page, "welcome")
        ask(page, "Good morning")
        expect(page.locator(".assistant .text")).to_have_text("You said: Good morning")
        expect(page.locator(".assistant .meta")).to_contain_text("tokens in")
        ask(page, "And now?")
        expect(page.locator(".assistant .text").last).to_have_text("You said: And now?")
        expect(page.locator(".assistant .meta").last).to_contain_text("from the cache")
        shoot(page, "chat")
    assert "You said: Good morning" in house.model.prompts[-1]


def test_picture_and_sound_are_attached_shown_and_sent(browser: Browser) -> None:
    house = WalkHouse()
    with house.live() as address, opened(browser, address) as page:
        page.get_by_label("Attach a picture").set_input_files(
            {"name": "a.svg", "mimeType": "image/svg+xml", "buffer": b"a button"}
        )
        page.get_by_label("Attach a picture").set_input_files(
            {"name": "b.png", "mimeType": "image/png", "buffer": b"a slider"}
        )
        page.get_by_label("Attach a sound file").set_input_files(
            {"name": "c.wav", "mimeType": "audio/wav", "buffer": b"press it"}
        )
        page.get_by_role("button", name="Remove: a.svg").click()
        shoot(page, "attached")
        ask(page, "What now?")
        expect(page.locator(".assistant .meta")).to_be_visible()
        expect(page.locator(".user img")).to_have_attribute("alt", "b.png")
        expect(page.locator(".user audio")).to_be_visible()
    [prompt] = house.model.prompts
    assert prompt.index("a slider") < prompt.index("press it") < prompt.index("What now?")
    assert "a button" not in prompt


def test_stop_ends_the_answer_and_the_chat_goes_on(browser: Browser) -> None:
    house = WalkHouse()
    house.model.gate.clear()
    with house.live() as address, opened(browser, address) as page:
        ask(page, "Hi")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".assistant .meta")).to_have_text("Stopped.")
        house.model.gate.set()
        ask(page, "Again")
        expect(page.locator(".assistant .text").last).to_have_text("You said: Again")


def test_a_thought_is_folded_above_the_answer(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("Think before answering").check()
        ask(page, "Hi")
        expect(page.locator(".assistant > .text")).to_have_text("You said: Hi")
        thought = page.locator(".assistant details")
        expect(thought).not_to_have_attribute("open", "")
        thought.locator("summary").click()
        expect(thought.locator(".text")).to_be_visible()
        shoot(page, "thought")


def test_an_error_is_shown_plainly_and_the_question_can_be_sent_again(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        ask(page, "x" * 2000)
        expect(page.locator(".failure")).to_contain_text("context_length_exceeded")
        expect(page.get_by_role("textbox", name="Message")).to_have_value("x" * 2000)
        shoot(page, "error")
        ask(page, "Hi")
        expect(page.locator(".assistant .text").last).to_have_text("You said: Hi")


def test_what_the_model_says_is_text_and_nothing_else(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        ask(page, XSS)
        expect(page.locator(".assistant .text")).to_have_text(f"You said: {XSS}")
        assert page.locator("#messages img, #messages script").count() == 0


def test_chinese_by_the_browsers_language_and_by_the_switch(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address, locale="zh-CN") as page:
        expect(page.get_by_role("heading", name="有什么可以帮您？")).to_be_visible()
        expect(page.get_by_role("status")).to_contain_text("就绪")
        page.get_by_role("textbox", name="消息").fill("你是谁?")
        page.get_by_role("button", name="发送").click()
        expect(page.locator(".assistant .text")).to_have_text("You said: 你是谁?")
        shoot(page, "chinese")
        page.get_by_role("button", name="Switch to English").click()
        expect(page.get_by_role("button", name="New chat")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="What can I do for you?")).to_be_visible()


def test_with_a_key_the_page_asks_for_it(browser: Browser) -> None:
    with WalkHouse().live(api_key="right") as address, opened(browser, address) as page:
        expect(page.get_by_role("alert")).to_contain_text("API key")
        shoot(page, "key")
        page.get_by_label("API key").fill("right")
        page.get_by_label("API key").press("Tab")
        expect(page.get_by_role("alert")).to_be_hidden()
        ask(page, "Hi")
        expect(page.locator(".assistant .text")).to_have_text("You said: Hi")


def test_it_fits_a_phone_and_a_dark_room(browser: Browser) -> None:
    size = {"width": 360, "height": 640}
    with WalkHouse().live() as address, opened(browser, address, viewport=size, color_scheme="dark") as page:
        ask(page, "A question that is long enough to be broken into several lines on a small screen")
        expect(page.locator(".assistant .meta")).to_be_visible()
        shoot(page, "phone")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        expect(page.get_by_role("button", name="Send")).to_be_in_viewport()
