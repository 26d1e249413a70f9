"""Modules of a real server are replaced on the status page, and a chat page that stays open knows of it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_page import ask, chromium, needs_chromium, opened, shoot
from playwright.sync_api import Browser, Page, expect
from running_server import RunningServer, served
from sample_media import PICTURE
from test_module_swap import Nano, another_version

pytestmark = [pytest.mark.real, *needs_chromium]

ADMIN = "the admin's key"
PATIENT_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(nano: Nano, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("modules")
    another_version(nano, folder / "second")
    return folder


@pytest.fixture(scope="module")
def admin(folder: Path) -> Iterator[RunningServer]:
    with served("--admin-key", ADMIN, "--module-path", str(folder), "--voice", "off") as running:
        yield running


def choose(page: Page, modality: str, source: str = "", key: str = ADMIN) -> None:
    page.locator("#swap-modality").select_option(modality)
    page.get_by_label("A bundle's id or path").fill(source)
    page.get_by_label("Admin key").fill(key)


def load(page: Page) -> None:
    page.get_by_role("button", name="Load", exact=True).click()


def says(page: Page, words: str | re.Pattern[str]) -> None:
    expect(page.locator("#swap-state")).to_have_text(words, timeout=PATIENT_MS)


def test_a_module_is_replaced_with_progress_and_faults_are_told(
    browser: Browser, admin: RunningServer, folder: Path
) -> None:
    with opened(browser, admin.url, "/status") as page:
        eyes = page.get_by_role("row", name="vision")
        expect(eyes).to_contain_text("transcriber")
        expect(eyes).not_to_contain_text("second")
        choose(page, "vision", str(folder / "second"), key="a wrong one")
        load(page)
        says(page, re.compile(r"That did not work: .*admin"))
        choose(page, "vision", str(folder / "nowhere"))
        load(page)
        says(page, re.compile(r"That did not work: .*nowhere"))
        choose(page, "vision", str(folder.parent))
        load(page)
        says(page, re.compile(r"That did not work: .*--module-path"))
        expect(eyes).not_to_contain_text("second")
        choose(page, "vision", str(folder / "second"))
        load(page)
        expect(page.get_by_role("progressbar")).to_be_visible()
        says(page, re.compile(r"The vision module is being changed"))
        shoot(page, "real-swap")
        says(page, re.compile(r"The vision module was changed in \d+\.\d s\."))
        expect(page.get_by_role("progressbar")).to_be_hidden()
        expect(page.get_by_role("row", name=re.compile("^vision.* second"))).to_be_visible()


def test_plots_and_counts_follow_what_the_server_does(browser: Browser, admin: RunningServer) -> None:
    with opened(browser, admin.url, "/status") as page, opened(browser, admin.url) as chat:
        plot = page.get_by_role("img", name="Time to first token")
        expect(plot).to_have_attribute("aria-label", re.compile("now: nothing yet"))
        chats = page.locator("#counts div").filter(has_text="Chats").locator("dd")
        before = int(chats.inner_text())
        expect(chat.get_by_role("status")).to_contain_text("ready")
        chat.get_by_role("button", name="Settings").click()
        chat.get_by_label("Longest answer").fill("30")
        ask(chat, "Count from one to ten.")
        expect(chat.locator(".assistant .meta")).to_contain_text("tokens in", timeout=PATIENT_MS)
        for name in ("Time to first token", "Between two tokens", "Tokens written per second"):
            label = re.compile(r"now: [1-9]\d*(\.\d+)?( m?s)?$|now: 0\.\d*[1-9]\d*( s)?$")
            expect(page.get_by_role("img", name=name)).to_have_attribute("aria-label", label)
            assert "M" in (page.get_by_role("img", name=name).locator("path").get_attribute("d") or "")
        expect(chats).to_have_text(str(before + 1))
        shoot(page, "real-status")


def test_an_open_chat_page_knows_what_the_server_can(browser: Browser, admin: RunningServer) -> None:
    with opened(browser, admin.url) as chat, opened(browser, admin.url, "/status") as page:
        expect(chat.get_by_role("button", name="Hold to talk")).to_be_visible()
        for modality in ("vision", "speech"):
            choose(page, modality)
            page.get_by_role("button", name="Unload").click()
            says(page, re.compile(f"The {modality} module was changed"))
            expect(page.locator("#modules tr")).to_have_count(2 if modality == "vision" else 1, timeout=PATIENT_MS)
        chat.evaluate("window.dispatchEvent(new Event('focus'))")
        expect(chat.get_by_role("button", name="Hold to talk")).to_be_hidden()
        readings: list[str] = []
        chat.on("request", lambda request: readings.append(request.url) if "readings" in request.url else None)
        chat.get_by_label("Attach a picture").set_input_files(PICTURE)
        expect(chat.locator("#attachments li")).to_have_count(1)
        for modality in ("vision", "speech"):
            choose(page, modality, "nano")
            load(page)
            says(page, re.compile(f"The {modality} module was changed"))
        assert readings == []
        chat.evaluate("window.dispatchEvent(new Event('focus'))")
        expect(chat.get_by_role("button", name="Hold to talk")).to_be_visible()
        with chat.expect_response("**/v1/images/readings") as answered:
            ask(chat, "Name one thing on it.")
        assert answered.value.status == 200
