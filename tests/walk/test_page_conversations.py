"""Conversations in the browser: kept over a reload, found, deleted, taken along in a file."""

import json
from pathlib import Path

from chat_page import PICTURE, answers, ask, needs_chromium, opened, shoot
from playwright.sync_api import Browser, Page, expect
from walk_house import WalkHouse

pytestmark = needs_chromium


def talk(page: Page, text: str) -> None:
    ask(page, text)
    expect(page.locator(".assistant .meta")).to_be_visible()


def new_chat(page: Page) -> None:
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".message")).to_have_count(0)


def titles(page: Page) -> list[str]:
    return page.locator("#conversations .open").all_inner_texts()


def test_conversations_survive_a_reload_with_their_pictures(browser: Browser) -> None:
    house = WalkHouse(max_tokens=200)
    with house.live() as address, opened(browser, address) as page:
        page.get_by_label("Attach a picture").set_input_files(PICTURE)
        talk(page, "What is this?")
        page.reload()
        expect(answers(page)).to_contain_text("What is this?")
        expect(page.locator(".user img")).to_have_attribute("alt", "b.png")
        ask(page, "Sure?")
        expect(answers(page).last).to_have_text("You said: Sure?")
    assert "a slider" in house.model.prompts[-1]


def test_several_are_found_opened_and_deleted(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address, viewport={"width": 1280, "height": 800}) as page:
        for text in ("Apples", "Pears", "Plums"):
            talk(page, text)
            new_chat(page)
        assert titles(page) == ["Plums", "Pears", "Apples"]
        page.get_by_role("searchbox").fill("said: pear")
        expect(page.locator("#conversations li")).to_have_count(1)
        page.get_by_role("button", name="Pears", exact=True).click()
        expect(answers(page)).to_have_text("You said: Pears")
        shoot(page, "search")
        page.get_by_role("searchbox").fill("nothing like it")
        expect(page.get_by_text("Nothing found.")).to_be_visible()
        page.get_by_role("searchbox").fill("")
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Delete: Pears").click()
        expect(page.locator("#conversations li")).to_have_count(2)
        expect(page.locator(".message")).to_have_count(0)
        page.reload()
        expect(page.locator("#conversations li")).to_have_count(2)


def test_exported_conversations_come_back_in_another_browser(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "conversations.json"
    with WalkHouse().live() as address:
        with opened(browser, address, viewport={"width": 1280, "height": 800}) as page:
            page.get_by_label("Attach a picture").set_input_files(PICTURE)
            talk(page, "Look")
            page.get_by_role("button", name="Answer again").click()
            expect(page.get_by_role("img", name="2 of 2")).to_be_visible()
            with page.expect_download() as download:
                page.get_by_role("button", name="Export").click()
            download.value.save_as(file)
        with opened(browser, address, viewport={"width": 1280, "height": 800}) as page:
            page.locator("#import").set_input_files(file)
            page.get_by_role("button", name="Look", exact=True).click()
            expect(page.get_by_role("img", name="2 of 2")).to_be_visible()
            expect(page.locator(".user img")).to_have_attribute("alt", "b.png")


def test_a_hostile_file_is_refused_or_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    node = {"id": "a", "parent": None, "role": "user", "text": "<img src=x onerror=alert(1)>", "files": [{"id": "f"}]}
    one = {"title": "<b>x</b>", "leaf": "a", "nodes": {"a": node}}
    ring = {
        **one,
        "leaf": "a",
        "nodes": {"a": {**node, "files": [], "parent": "b"}, "b": {**node, "id": "b", "parent": "a"}},
    }
    page_file = {"id": "f", "kind": "picture", "name": "x", "data": "javascript:alert(1)"}
    envelope = {"format": "autoglm-phone-conversations", "version": 1}
    refused = [
        b"no json",
        b"null",
        b"{}",
        json.dumps({**envelope, "conversations": [one], "files": [page_file]}).encode(),
        json.dumps({**envelope, "conversations": [ring], "files": []}).encode(),
        json.dumps({**envelope, "conversations": [{"leaf": "a"}], "files": []}).encode(),
    ]
    with WalkHouse().live() as address, opened(browser, address, viewport={"width": 1280, "height": 800}) as page:
        expect(page.get_by_role("status")).to_contain_text("ready")
        for data in refused:
            page.evaluate("document.getElementById('error').hidden = true")
            page.locator("#import").set_input_files({"name": "x.json", "mimeType": "application/json", "buffer": data})
            expect(page.get_by_role("alert")).to_contain_text("cannot be imported")
        assert titles(page) == []
        shown = json.dumps({**envelope, "conversations": [one]}).encode()
        page.locator("#import").set_input_files({"name": "x.json", "mimeType": "application/json", "buffer": shown})
        page.get_by_role("button", name="<b>x</b>", exact=True).click()
        expect(page.locator(".user .text")).to_have_text("<img src=x onerror=alert(1)>")


def test_a_browser_that_keeps_nothing_still_chats(browser: Browser) -> None:
    with WalkHouse().live() as address, browser.new_context() as tab:
        tab.add_init_script("Object.defineProperty(window, 'indexedDB', { get() { throw new Error('no'); } })")
        page = tab.new_page()
        page.goto(address)
        expect(page.get_by_role("alert")).to_contain_text("keeps nothing")
        talk(page, "Hi")
        expect(page.locator("#conversations li")).to_have_count(1)
