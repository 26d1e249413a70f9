"""The page about the API in headless Chromium, under the policy that every answer of the server carries."""

from collections.abc import Iterator
from contextlib import contextmanager

from chat_page import needs_chromium, shoot
from playwright.sync_api import Browser, Page, expect
from terse_hearing import TerseHearing
from walk_house import WalkHouse

from autoglm_phone.server.openapi.operations import OPERATIONS

pytestmark = needs_chromium


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """At the end nothing may have been complained about in the console, and nothing loaded from elsewhere."""
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as tab:
        page = tab.new_page()
        page.set_default_timeout(30_000)
        complaints: list[str] = []
        requested: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        page.on("request", lambda request: requested.append(request.url))
        page.goto(f"{address}/docs")
        yield page
        assert complaints == []
        assert [url for url in requested if not url.startswith((f"{address}/", "blob:", "data:"))] == []


def test_endpoints_are_listed_described_and_tried_with_the_key(browser: Browser) -> None:
    with WalkHouse().live(api_key="right") as address, opened(browser, address) as page:
        page.get_by_role("button", name="Authorize").click()
        dialog = page.locator(".auth-container form", has_text="--api-key")
        dialog.get_by_label("Value").fill("right")
        dialog.get_by_role("button", name="Apply credentials").click()
        page.locator(".auth-btn-wrapper .btn-done").first.click()
        chat = page.locator("#operations-Chat-createChatCompletion")
        chat.locator("button.opblock-summary-control").click()
        chat.get_by_role("button", name="Try it out").click()
        shoot(page, "docs-chat")
        chat.get_by_role("button", name="Execute").click()
        answer = chat.locator(".live-responses-table")
        expect(answer.locator(".response-col_status").last).to_contain_text("200")
        expect(answer).to_contain_text("You said: What is a phone?")
        shoot(page, "docs-answer")


def test_schemas_and_forms_are_shown(browser: Browser) -> None:
    with WalkHouse(transcriptions=TerseHearing()).live() as address, opened(browser, address) as page:
        expect(page.locator(".opblock")).to_have_count(len(OPERATIONS))
        chat = page.locator("#operations-Chat-createChatCompletion")
        chat.locator("button.opblock-summary-control").click()
        chat.get_by_text("Schema", exact=True).first.click()
        expect(chat).to_contain_text("enable_thinking")
        shoot(page, "docs-schema")
        sound = page.locator("#operations-Audio-createTranscription")
        sound.locator("button.opblock-summary-control").click()
        sound.get_by_role("button", name="Try it out").click()
        sound.locator("input[type=file]").set_input_files({"name": "a.wav", "mimeType": "", "buffer": b"RIFF"})
        sound.get_by_role("button", name="Execute").click()
        expect(sound.locator(".live-responses-table")).to_contain_text("Hello.")
        shoot(page, "docs-form")
