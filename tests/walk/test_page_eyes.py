"""Eyes of the chat page: pictures pasted, dropped and captured, boxes around words, marks of phone actions."""

import base64
from io import BytesIO
from pathlib import Path

import pytest
from chat_page import PICTURE, answers, ask, give, needs_chromium, opened, shoot
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from walk_house import DECODER, EYE, FakeMedia, WalkHouse

from autoglm_phone.core.module import ReadLine

pytestmark = needs_chromium

SCREEN = Path(__file__).parents[1] / "samples" / "settings_screen.png"
LINES = (ReadLine("Settings", (50, 40, 400, 90)), ReadLine("Dark mode", (60, 500, 500, 560)))


def house() -> WalkHouse:
    media = FakeMedia("vision", "speech", lines=LINES)
    return WalkHouse(media=media, modules=(DECODER, EYE), max_tokens=300)


def ready(page: Page) -> None:
    expect(page.get_by_role("status")).to_contain_text("ready")


def test_what_was_read_is_drawn_and_a_tap_is_marked_in_its_box(browser: Browser) -> None:
    with house().live() as address, opened(browser, address) as page:
        ready(page)
        give(page, "drop", "main", SCREEN)
        expect(page.locator("#attachments")).to_contain_text("settings_screen.png")
        ask(page, 'do(action="Tap", element=[200,530])')
        caption = page.locator(".action figcaption")
        expect(caption).to_have_text("Tap at 200, 530 “Dark mode”")
        expect(page.locator(".user .boxes rect")).to_have_count(len(LINES))
        expect(page.locator(".user figcaption")).to_contain_text("2 lines read")
        frame = page.locator(".action img").bounding_box()
        mark = page.locator(".action .mark").bounding_box()
        assert frame is not None
        assert mark is not None
        middle = (mark["x"] + mark["width"] / 2 - frame["x"], mark["y"] + mark["height"] / 2 - frame["y"])
        assert middle[0] / frame["width"] == pytest.approx(0.2, abs=0.01)
        assert middle[1] / frame["height"] == pytest.approx(0.53, abs=0.01)
        shoot(page, "tap")
        page.get_by_role("button", name="Show what was read").click()
        expect(page.locator(".user .boxes")).to_be_hidden()
        page.get_by_role("button", name="Enlarge settings_screen.png").click()
        expect(page.get_by_role("dialog").locator("img")).to_be_visible()
        shoot(page, "large")
        page.keyboard.press("Escape")
        page.reload()
        expect(page.locator(".action figcaption")).to_have_text("Tap at 200, 530 “Dark mode”")


def test_a_swipe_goes_from_one_place_to_another(browser: Browser) -> None:
    with house().live() as address, opened(browser, address) as page:
        ready(page)
        give(page, "paste", "#prompt", SCREEN)
        ask(page, 'do(action="Swipe", start=[500,800], end=[500,200])')
        expect(page.locator(".action figcaption")).to_have_text("Swipe at 500, 800 → 500, 200")
        expect(page.locator(".action line")).to_have_attribute("y2", "20%")


def test_what_points_nowhere_is_not_marked(browser: Browser) -> None:
    with house().live() as address, opened(browser, address) as page:
        ready(page)
        for said in ('do(action="Back")', 'do(action="Tap", element=[1000,5])', 'do(action="Tap", element=["a",5])'):
            assert page.evaluate("async (text) => (await import('./web/phone-action.js')).actionOf(text)", said) is None
        ask(page, 'do(action="Tap", element=[5,5])')
        expect(page.locator(".assistant .meta")).to_be_visible()
        expect(page.locator(".action")).to_have_count(0)


def test_a_server_without_eyes_is_asked_nothing(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        ready(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_label("Attach a picture").set_input_files(PICTURE)
        ask(page, "Hi")
        expect(page.locator(".assistant .meta")).to_be_visible()
        assert not any("readings" in url for url in asked)


def test_what_is_neither_picture_nor_sound_is_refused_by_name(browser: Browser, tmp_path: Path) -> None:
    notes = tmp_path / "notes.pdf"
    notes.write_bytes(b"%PDF")
    with house().live() as address, opened(browser, address) as page:
        ready(page)
        give(page, "drop", "main", notes)
        expect(page.get_by_role("alert")).to_contain_text("notes.pdf")


def test_a_huge_picture_is_made_smaller_before_it_is_sent(browser: Browser, tmp_path: Path) -> None:
    huge = tmp_path / "huge.png"
    Image.new("RGB", (9000, 3000), "teal").save(huge, compress_level=0)  # 27 million pixels, 81 MB
    with house().live() as address, opened(browser, address) as page:
        ready(page)
        page.get_by_label("Attach a picture").set_input_files(huge)
        with page.expect_request("**/v1/chat/completions") as sent:
            ask(page, "What is this?")
        body = sent.value.post_data_json
        assert body is not None
        head, data = body["messages"][0]["content"][0]["image_url"]["url"].split(",")
        assert head == "data:image/jpeg;base64"
        with Image.open(BytesIO(base64.b64decode(data))) as picture:
            assert picture.width / picture.height == pytest.approx(3, abs=0.01)
            assert 23e6 < picture.width * picture.height <= 24e6
        expect(page.locator(".user img")).to_be_visible()


def test_a_photo_is_taken_with_the_camera(browser: Browser) -> None:
    with house().live() as address, opened(browser, address, permissions=["camera"]) as page:
        ready(page)
        page.get_by_role("button", name="Take a photo").click()
        page.get_by_role("button", name="Take the picture").click()
        expect(page.locator("#attachments")).to_contain_text("camera.png")
        expect(page.get_by_role("group", name="Camera or screen")).to_be_hidden()
        ask(page, "What is this?")
        expect(answers(page)).to_contain_text("What is this?")
        expect(page.locator(".user img")).to_have_js_property("complete", True)
        assert page.locator(".user img").evaluate("image => image.naturalWidth") > 100


def test_frames_of_a_shared_screen_are_attached(browser: Browser) -> None:
    with house().live() as address, opened(browser, address) as page:
        ready(page)
        page.get_by_role("button", name="Share the screen").click()
        page.get_by_role("button", name="Take the picture").click()
        expect(page.locator("#attachments li")).to_have_count(1)
        shoot(page, "screen")
        page.get_by_role("button", name="Take the picture").click()
        expect(page.locator("#attachments li")).to_have_count(2)
        page.get_by_role("button", name="End", exact=True).click()
        expect(page.get_by_role("group", name="Camera or screen")).to_be_hidden()
