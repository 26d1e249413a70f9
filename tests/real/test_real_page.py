"""The chat page with the real default model: a screenshot is asked about, and the mark lands in the button."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_page import ask, chromium, give, needs_chromium, opened, shoot
from playwright.sync_api import Browser, Page, expect
from running_server import RunningServer, served

from autoglm_phone.core.module import Modality
from autoglm_phone.weights.store import LocatedModule

pytestmark = [pytest.mark.real, *needs_chromium]

ROOT = Path(__file__).parents[2]
# The decoder of half a billion parameters answers in this form when told so, and often finds the place.
MANUAL = 'Operate the phone step by step. Each answer is one action, such as do(action="Tap", element=[x,y]).'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def fresh(nano: dict[Modality, LocatedModule]) -> Iterator[RunningServer]:
    """A server of our own: beside other tests' requests, and behind what they left cached, logits move a little, and an
    answer that was near to another may become it."""
    with served() as running:
        yield running


def drop_and_ask(page: Page, picture: Path, question: str) -> None:
    expect(page.get_by_role("status")).to_contain_text("ready")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("System prompt").fill(MANUAL)
    page.get_by_label("Temperature").fill("0")
    page.get_by_label("Longest answer").fill("60")
    page.get_by_role("button", name="Settings").click()
    give(page, "drop", "main", picture)
    ask(page, question)
    expect(page.locator(".assistant .meta")).to_contain_text("tokens in", timeout=60_000)


def test_what_is_read_and_meant_is_shown(browser: Browser, fresh: RunningServer) -> None:
    with opened(browser, fresh.url) as page:
        drop_and_ask(page, ROOT / "tests/samples/settings_screen.png", "点击“声音和振动”")
        expect(page.locator(".user figcaption")).to_contain_text("11 lines read")
        expect(page.locator(".action figcaption")).to_contain_text("“声音和振动”")
        shoot(page, "real-read")


def test_the_mark_lands_in_the_box_on_a_real_screen(browser: Browser, fresh: RunningServer, extra_data: Path) -> None:
    screens, question = extra_data / "screens", "退出应用"
    item = next(one for one in json.loads((screens / "items.json").read_text()) if one["instruction"] == question)
    with opened(browser, fresh.url) as page:
        drop_and_ask(page, screens / item["image"], question)
        mark = page.locator(".action .mark")
        x, y = (float((mark.get_attribute(name) or "").removesuffix("%")) / 100 for name in ("cx", "cy"))
        shoot(page, "real-mark")
        left, top, right, bottom = item["box"]
        assert left <= x * item["width"] <= right
        assert top <= y * item["height"] <= bottom
