"""Who cannot see, or has no mouse: axe-core's rules on the main states, and the keyboard. And how much is loaded."""

import os
from importlib.resources import files

import pytest
from chat_page import answers, ask, give, needs_chromium, opened, shoot
from playwright.sync_api import Browser, Page, expect
from test_page_eyes import SCREEN, house, ready
from test_page_messages import RICH, render
from walk_house import WalkHouse

pytestmark = needs_chromium

FIRST_LOAD_BYTES = 300_000


def faults(page: Page) -> list[str]:
    """What axe-core calls serious or critical."""
    if not os.environ.get("AUTOGLM_REQUIRE_PARTS"):  # make test installs it, and so it may not be missing there
        pytest.importorskip("axe_playwright_python", reason="needs axe-core: pip install axe-playwright-python")
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Browser, scheme: str) -> None:
    view = {"width": 1280, "height": 900}
    with house().live() as address, opened(browser, address, color_scheme=scheme, viewport=view) as page:
        ready(page)
        assert faults(page) == []
        page.get_by_role("button", name="Settings").click()
        assert faults(page) == []
        page.get_by_role("button", name="Settings").click()
        give(page, "drop", "main", SCREEN)
        ask(page, 'do(action="Tap", element=[200,530])')
        expect(page.locator(".action figcaption")).to_contain_text("Dark mode")
        page.get_by_role("button", name="Answer again").click()
        expect(page.get_by_role("img", name="2 of 2")).to_be_visible()
        assert faults(page) == []
        render(page, RICH)
        expect(page.locator("math")).to_have_count(3)
        assert faults(page) == []
        shoot(page, f"access-{scheme}")


def test_axe_finds_no_serious_fault_on_the_status_page(browser: Browser) -> None:
    with house().live() as address, opened(browser, address, "/status") as page:
        expect(page.get_by_role("row", name="text")).to_be_visible()
        assert faults(page) == []


def test_everything_is_reached_by_the_keyboard(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        ready(page)
        skip = page.get_by_role("link", name="Skip to the message field")
        page.locator("#new-chat").focus()
        page.keyboard.press("Shift+Tab")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        page.keyboard.type("Hi")
        page.keyboard.press("Enter")
        expect(answers(page)).to_have_text("You said: Hi")
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate(
                    "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()"
                )
            )
        assert reached >= {"Send", "Attach a picture", "Copy", "Edit", "Answer again", "Settings", "Conversations"}


def test_the_first_load_is_small(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        sizes: list[int] = []
        page.on(
            "requestfinished",
            lambda request: sizes.append(
                sum(request.sizes()[name] for name in ("responseBodySize", "responseHeadersSize"))
            ),
        )
        page.reload()
        ready(page)
        page.wait_for_load_state("networkidle")
        print(f"{len(sizes)} answers, {sum(sizes)} bytes")
        assert sum(sizes) < FIRST_LOAD_BYTES
