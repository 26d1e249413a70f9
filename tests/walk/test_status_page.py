"""The status page against a real socket; what it plots comes from the server's own /metrics."""

import json
import re
from typing import Any

import httpx
from chat_page import needs_chromium, opened, shoot
from playwright.sync_api import Browser, Route, expect
from walk_house import DECODER, EYE, WalkHouse

pytestmark = needs_chromium


def chat(address: str) -> None:
    body = {"messages": [{"role": "user", "content": "Good morning"}]}
    assert httpx.post(f"{address}/v1/chat/completions", json=body, trust_env=False).status_code == 200


def test_it_shows_counts_plots_modules_and_memory(browser: Browser) -> None:
    with WalkHouse(modules=(DECODER, EYE)).live() as address, opened(browser, address, "/status") as page:
        expect(page.get_by_role("row", name="vision")).to_contain_text("90 MiB")
        expect(page.get_by_role("row", name="vision")).to_contain_text("sees words")
        expect(page.locator("#processes")).to_contain_text("100 MiB")
        chat(address)
        expect(page.locator("#counts div").filter(has_text="Chats")).to_contain_text("1")
        expect(page.get_by_role("img", name="Time to first token")).to_have_attribute(
            "aria-label", re.compile(r"now: \d+\.\d ms")
        )
        chat(address)
        expect(page.locator("#counts div").filter(has_text="Cached prompt tokens")).to_contain_text("%")
        shoot(page, "status")
        page.get_by_role("button", name="切换到中文").click()
        expect(page.get_by_role("heading", name="最近十分钟")).to_be_visible()


def test_it_fits_a_phone_and_a_dark_room(browser: Browser) -> None:
    size = {"width": 360, "height": 740}
    look = {"viewport": size, "color_scheme": "dark", "locale": "zh-CN"}
    with WalkHouse(modules=(DECODER, EYE)).live() as address, opened(browser, address, "/status", **look) as page:  # type: ignore[arg-type]
        chat(address)
        expect(page.locator("#counts div").filter(has_text="对话次数")).to_contain_text("1")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        shoot(page, "status-phone", whole=True)


def test_with_a_key_it_asks_for_it(browser: Browser) -> None:
    with WalkHouse().live(api_key="right") as address, opened(browser, address, "/status") as page:
        expect(page.get_by_role("alert")).to_contain_text("API key")
        page.get_by_label("API key").fill("right")
        page.get_by_label("API key").press("Tab")
        expect(page.get_by_role("row", name="text")).to_be_visible()
        expect(page.get_by_role("alert")).to_be_hidden()


def test_a_module_is_replaced_with_progress(browser: Browser) -> None:
    """The server's own part of it is tested with the route; here it answers what the route answers."""
    seen: list[tuple[str, str | None, str | None]] = []

    def modules(route: Route) -> None:
        request = route.request
        if request.method == "GET":
            row = {
                "modality": "vision",
                "kind": "transcriber",
                "arch": "pp-ocr",
                "version": "6",
                "memory_bytes": 1 << 20,
                "limits": "",
            }
            leaving = {**row, "version": "5", "is_leaving": True, "requests": 3}
            route.fulfill(json={"object": "list", "data": [{**row, "is_leaving": False, "requests": 0}, leaving]})
            return
        seen.append((request.method, request.post_data, request.headers.get("authorization")))
        if request.method == "DELETE":
            route.fulfill(status=403, json={"error": {"message": "it needs the admin key"}})
        else:
            page.wait_for_timeout(200)
            expect(page.get_by_role("progressbar")).to_be_visible()
            shoot(page, "swap")
            route.fulfill(
                json={"object": "module.change", "loaded": row_of("6"), "replaced": row_of("5"), "seconds": 0.25}
            )

    with WalkHouse().live() as address, opened(browser, address) as page:
        page.route("**/v1/modules**", modules)
        page.goto(f"{address}/status")
        expect(page.get_by_role("row", name="pp-ocr 5")).to_contain_text("3 requests still on it")
        page.get_by_label("A bundle's id or path").fill("my-eyes")
        page.get_by_label("Admin key").fill("secret")
        page.get_by_role("button", name="Load", exact=True).click()
        expect(page.locator("#swap-state")).to_have_text("The vision module was changed in 0.3 s.")
        page.get_by_role("button", name="Unload").click()
        expect(page.locator("#swap-state")).to_contain_text("it needs the admin key")
    assert [one[0] for one in seen] == ["POST", "DELETE"]
    assert json.loads(seen[0][1] or "") == {"source": "my-eyes"}
    assert seen[0][2] == "Bearer secret"


def row_of(version: str) -> dict[str, Any]:
    return {"modality": "vision", "kind": "transcriber", "arch": "pp-ocr", "version": version}
