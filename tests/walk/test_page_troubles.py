"""The chat page when something goes wrong: connections, keys, full disks, two tabs, and files made to break it."""

import json
from typing import Any

import pytest
from chat_page import answers, ask, needs_chromium, opened, shoot
from playwright.sync_api import Browser, Page, expect
from test_page_messages import render
from walk_house import WalkHouse

pytestmark = needs_chromium

WIDE = {"width": 1280, "height": 800}
CHATS = "**/v1/chat/completions"


def failure(page: Page) -> Any:
    return page.locator(".failure")


def test_a_connection_that_breaks_keeps_what_came_and_can_be_tried_again(browser: Browser) -> None:
    house = WalkHouse()
    with house.live() as address, opened(browser, address) as page:
        piece = {"choices": [{"delta": {"content": "The beginning"}}]}
        cut = f"data: {json.dumps(piece)}\n\n"
        page.route(CHATS, lambda route: route.fulfill(body=cut, content_type="text/event-stream"), times=1)
        ask(page, "Hi")
        expect(answers(page)).to_have_text("The beginning")
        expect(failure(page)).to_contain_text("the connection to the server was lost")
        page.reload()
        page.get_by_role("button", name="Try again").click()
        expect(answers(page)).to_have_text("You said: Hi")


def test_a_server_that_goes_and_comes_back_is_seen(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        expect(page.get_by_role("status")).to_contain_text("ready")
        for path in ("**/health", CHATS):
            page.route(path, lambda route: route.abort())
        ask(page, "Hi")
        expect(failure(page)).to_contain_text("the connection to the server was lost")
        expect(page.get_by_role("status")).to_contain_text("cannot be reached")
        shoot(page, "unreachable")
        for path in ("**/health", CHATS):
            page.unroute(path)
        expect(page.get_by_role("status")).to_contain_text("ready")
        page.get_by_role("button", name="Try again").click()
        expect(answers(page)).to_have_text("You said: Hi")


@pytest.mark.parametrize("status", [413, 503, 502])
def test_what_the_server_refuses_is_told_in_its_words(browser: Browser, status: int) -> None:
    body = "<html>Bad gateway</html>" if status == 502 else json.dumps({"error": {"message": "no room for that"}})
    with WalkHouse().live() as address, opened(browser, address) as page:
        page.route(CHATS, lambda route: route.fulfill(status=status, body=body), times=1)
        ask(page, "Hi")
        expect(failure(page)).to_contain_text("HTTP 502" if status == 502 else "no room for that")
        page.get_by_role("button", name="Try again").click()
        expect(answers(page)).to_have_text("You said: Hi")


def test_a_picture_larger_than_a_request_may_be_is_refused_in_words(browser: Browser) -> None:
    with WalkHouse().live(max_body_bytes=100_000) as address, opened(browser, address) as page:
        large = {"name": "large.png", "mimeType": "image/png", "buffer": b"x" * 3_000_000}
        page.get_by_label("Attach a picture").set_input_files(large)  # type: ignore[arg-type]
        ask(page, "Hi")
        expect(failure(page)).to_contain_text("100000")


def test_a_key_that_is_taken_back_is_asked_for_again(browser: Browser) -> None:
    with WalkHouse().live(api_key="right") as address, opened(browser, address) as page:
        page.get_by_label("API key").fill("right")
        page.get_by_label("API key").press("Tab")
        expect(page.get_by_label("API key")).to_be_hidden()
        page.evaluate("document.getElementById('api-key').value = 'wrong'")
        ask(page, "Hi")
        expect(failure(page)).to_contain_text("asks for an API key")
        expect(page.get_by_label("API key")).to_be_focused()
        page.get_by_label("API key").fill("right")
        page.get_by_label("API key").press("Tab")
        page.get_by_role("button", name="Try again").click()
        expect(answers(page)).to_have_text("You said: Hi")


def test_a_full_disk_is_told_and_the_chat_goes_on(browser: Browser) -> None:
    full = """
    const write = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = function (...given) {
      const request = write.apply(this, given);
      request.addEventListener("success", () => this.transaction.abort());
      return request;
    };
    """
    with WalkHouse().live() as address, opened(browser, address, script=full) as page:
        ask(page, "Hi")
        expect(answers(page)).to_have_text("You said: Hi")
        expect(page.get_by_role("alert")).to_contain_text("did not keep")


def test_who_asks_before_a_slow_disk_is_read_is_answered(browser: Browser) -> None:
    slow = """
    IDBOpenDBRequest.prototype.addEventListener = function (kind, listener) {
      const late = (event) => setTimeout(() => listener(event), 500);
      EventTarget.prototype.addEventListener.call(this, kind, kind === "success" ? late : listener);
    };
    """
    with WalkHouse().live() as address, opened(browser, address, script=slow) as page:
        ask(page, "Hi")
        expect(answers(page)).to_have_text("You said: Hi")


def test_two_tabs_lose_nothing_of_each_other(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address, viewport=WIDE) as page:
        ask(page, "One")
        expect(page.locator(".assistant .meta")).to_be_visible()
        other = page.context.new_page()
        other.goto(address)
        other.get_by_role("button", name="One", exact=True).click()
        expect(answers(other)).to_have_text("You said: One")
        ask(other, "Two")
        expect(other.locator(".assistant .meta")).to_have_count(2)
        expect(answers(page)).to_have_text(["You said: One", "You said: Two"])
        # And where one has not looked: what it writes is a branch beside.
        page.evaluate("BroadcastChannel.prototype.postMessage = () => {}")
        ask(page, "Three")
        expect(page.locator(".assistant .meta")).to_have_count(3)
        ask(other, "Four")
        expect(other.locator(".assistant .meta")).to_have_count(3)
        page.reload()
        expect(answers(page)).to_have_count(3)
        expect(page.get_by_role("img", name="2 of 2")).to_be_visible()


HOSTILE_NODE = {"id": "a", "parent": None, "role": "assistant", "text": "words", "note": {"tokens": 3}}


@pytest.mark.parametrize(
    "node",
    [
        {**HOSTILE_NODE, "note": {"tokens": 3}},
        {**HOSTILE_NODE, "note": {"tokens": True, "rate": "x", "first": {}, "seconds": None, "dropped": "<b>"}},
        {**HOSTILE_NODE, "id": "__proto__"},
        {**HOSTILE_NODE, "text": {"toLowerCase": 1}, "thought": ["x"]},
        {**HOSTILE_NODE, "files": [{"id": "f"}]},
    ],
    ids=["few", "kinds", "proto", "texts", "files"],
)
def test_an_imported_file_cannot_break_the_page(browser: Browser, node: dict[str, Any]) -> None:
    named = 'javascript:alert(1)//<img src=x onerror=alert(1)>" onload="alert(1)'
    svg = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIG9ubG9hZD0iYWxlcnQoMSkiLz4="
    one = {"title": named, "created": 1e300, "changed": -1e300, "leaf": node["id"], "nodes": {"x": node}}
    file = {"id": "f", "kind": "picture", "name": named, "data": svg}
    given = {"format": "autoglm-phone-conversations", "conversations": [one], "files": [file]}
    with WalkHouse().live() as address, opened(browser, address, viewport=WIDE) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        expect(page.get_by_role("status")).to_contain_text("ready")
        data = json.dumps(given).encode()
        page.locator("#import").set_input_files({"name": "x.json", "mimeType": "application/json", "buffer": data})
        page.locator("#conversations .open").click()
        expect(page.locator(".message")).to_have_count(1)
        page.reload()
        expect(page.locator(".message")).to_have_count(1)
        ask(page, "Hi")
        expect(answers(page).last).to_have_text("You said: Hi")


def test_a_file_with_a_fault_at_its_end_brings_nothing(browser: Browser) -> None:
    good = {"title": "Good", "leaf": "a", "nodes": {"a": HOSTILE_NODE}}
    bad = {"title": "Bad", "leaf": "constructor", "nodes": {"a": HOSTILE_NODE}}
    data = json.dumps({"format": "autoglm-phone-conversations", "conversations": [good, bad]}).encode()
    with WalkHouse().live() as address, opened(browser, address, viewport=WIDE) as page:
        expect(page.get_by_role("status")).to_contain_text("ready")
        page.locator("#import").set_input_files({"name": "x.json", "mimeType": "application/json", "buffer": data})
        expect(page.get_by_role("alert")).to_contain_text("cannot be imported")
        expect(page.locator("#conversations .open")).to_have_count(0)


# Each made the page stand still, some for minutes, before what is taken apart was bounded.
ENDLESS = ("\\(", "$", "$$ ", "\\[ ", "[", "_a_", "*a ", "<", "> ", "![", "~a", "a@")


def test_what_is_made_to_take_for_ever_is_shown(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        for piece in ENDLESS:
            render(page, piece * (20_000 // len(piece)))
            expect(page.locator("#messages .text")).not_to_be_empty()
        render(page, r"$$\rule{9999em}{9999em}$$")
        expect(page.locator("#messages math")).to_have_count(1)
        height = page.locator("#messages .formula").evaluate("node => node.scrollHeight")
        assert height < 1000
