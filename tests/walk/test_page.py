"""The chat page against a real socket; the model behind it is fake and echoes what was said."""

from chat_page import answers, ask, needs_chromium, opened, shoot
from playwright.sync_api import Browser, expect
from walk_house import WalkHouse

pytestmark = needs_chromium


def test_a_chat_streams_and_remembers(browser: Browser) -> None:
    house = WalkHouse()
    with house.live() as address, opened(browser, address) as page:
        expect(page.get_by_role("status")).to_contain_text("autoglm-phone-fake · ready")
        shoot(page, "welcome")
        ask(page, "Good morning")
        expect(answers(page)).to_have_text("You said: Good morning")
        expect(page.locator(".assistant .meta")).to_contain_text("tokens in")
        ask(page, "And now?")
        expect(answers(page).last).to_have_text("You said: And now?")
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
        expect(answers(page).last).to_have_text("You said: Again")


def test_a_thought_is_folded_above_the_answer(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("Think before answering").check()
        ask(page, "Hi")
        expect(answers(page)).to_have_text("You said: Hi")
        thought = page.locator(".assistant details")
        expect(thought).not_to_have_attribute("open", "")
        thought.locator("summary").click()
        expect(thought.locator(".text")).to_be_visible()
        shoot(page, "thought")


def test_an_error_is_shown_plainly_and_the_chat_goes_on_without_it(browser: Browser) -> None:
    house = WalkHouse()
    with house.live() as address, opened(browser, address) as page:
        ask(page, "x" * 2000)
        expect(page.locator(".failure")).to_contain_text("context_length_exceeded")
        expect(page.locator(".failure").get_by_role("button", name="Try again")).to_be_visible()
        shoot(page, "error")
        ask(page, "Hi")
        expect(answers(page).last).to_have_text("You said: Hi")
    assert "xxx" not in house.model.prompts[-1]


def test_what_failed_can_be_tried_again(browser: Browser) -> None:
    house = WalkHouse()
    with house.live() as address, opened(browser, address) as page:
        page.route("**/v1/chat/completions", lambda route: route.abort(), times=1)
        ask(page, "Hi")
        page.get_by_role("button", name="Try again").click()
        expect(answers(page)).to_have_text("You said: Hi")
        expect(page.locator(".failure")).to_have_count(0)


def test_settings_are_kept_and_sent(browser: Browser) -> None:
    house = WalkHouse()
    with house.live() as address, opened(browser, address) as page:
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("System prompt").fill("Be brief.")
        page.get_by_label("Temperature").fill("0.5")
        page.get_by_label("Longest answer").fill("12")
        page.get_by_label("Appearance").select_option("Dark")
        shoot(page, "settings")
        page.reload()
        with page.expect_request("**/v1/chat/completions") as sent:
            ask(page, "Good morning")
        body = sent.value.post_data_json
        assert body is not None
        assert (body["temperature"], body["max_tokens"], "top_p" in body) == (0.5, 12, False)
        expect(answers(page)).to_have_text("You said: Go")
        assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    assert "Be brief." in house.model.prompts[0]


def test_chinese_by_the_browsers_language_and_by_the_switch(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address, locale="zh-CN") as page:
        expect(page.get_by_role("heading", name="有什么可以帮您？")).to_be_visible()
        expect(page.get_by_role("status")).to_contain_text("就绪")
        page.get_by_role("textbox", name="消息").fill("你是谁?")
        page.get_by_role("button", name="发送").click()
        expect(answers(page)).to_have_text("You said: 你是谁?")
        shoot(page, "chinese")
        page.get_by_role("button", name="Switch to English").click()
        expect(page.get_by_role("button", name="New chat")).to_be_visible()
        page.reload()
        page.get_by_role("button", name="New chat").click()
        expect(page.get_by_role("heading", name="What can I do for you?")).to_be_visible()


def test_with_a_key_the_page_asks_for_it(browser: Browser) -> None:
    with WalkHouse().live(api_key="right, 钥匙") as address, opened(browser, address) as page:
        expect(page.get_by_role("alert")).to_contain_text("API key")
        shoot(page, "key")
        page.get_by_label("API key").fill("right, 钥匙")
        page.get_by_label("API key").press("Tab")
        expect(page.get_by_role("alert")).to_be_hidden()
        ask(page, "Hi")
        expect(answers(page)).to_have_text("You said: Hi")


def test_it_fits_a_phone_and_a_dark_room(browser: Browser) -> None:
    size = {"width": 360, "height": 640}
    with WalkHouse().live() as address, opened(browser, address, viewport=size, color_scheme="dark") as page:
        ask(page, "A question that is long enough to be broken into several lines on a small screen")
        expect(page.locator(".assistant .meta")).to_be_visible()
        shoot(page, "phone")
        page.get_by_role("button", name="Conversations").click()
        expect(page.get_by_role("searchbox", name="Search conversations")).to_be_in_viewport()
        shoot(page, "phone-conversations")
        page.keyboard.press("Escape")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        expect(page.get_by_role("button", name="Send")).to_be_in_viewport()
