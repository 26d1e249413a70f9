"""Messages of the chat page: Markdown, branches, and that no text of a model becomes anything but text."""

import random

import pytest
from chat_page import answers, ask, needs_chromium, opened, shoot
from playwright.sync_api import Browser, Page, expect
from walk_house import WalkHouse

from autoglm_phone.engine.config import EngineConfig

pytestmark = needs_chromium

RICH = r"""# Report

Some **bold** and *slanted* words, `code`, ~~gone~~, a [link](https://example.com/a) and $e^{i\pi} + 1 = 0$.

- one
- two with \(x_1\)
  1. inner

- [x] done
- [ ] open

| name | value |
|:-----|------:|
| a & b | 1 &lt; 2 |

> quoted

```python
def f(x: int) -> str:
    return f"{x}"  # a comment
```

$$
\sum_{k=1}^n k = \frac{n(n+1)}{2}
$$

It costs $5 or $7, as [said][1] here.

[1]: https://example.com/b
"""

# From known collections of filter evasions; whatever is understood of them, nothing may run or load.
XSS = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](  JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:alert(1))",
    "![x](javascript:alert(1))",
    '![x](https://example.com/x.png"onerror="alert(1))',
    "![x][y]\n\n[y]: https://example.com/x.png 'a\" onload=\"alert(1)'",
    '<https://example.com/"onmouseover="alert(1)>',
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
    "<details open ontoggle=alert(1)>",
    "```html\n<script>alert(1)</script>\n```",
    '```"><img src=x onerror=alert(1)>\nx\n```',
    "`<img src=x onerror=alert(1)>`",
    "|<img src=x onerror=alert(1)>|b|\n|-|-|\n|<script>alert(1)</script>|x|",
    r"$\href{javascript:alert(1)}{x}$",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$$\includegraphics{https://example.com/x.png}$$",
    r"$\unicode{<script>alert(1)</script>}$",
    r"$\class{x}{y} \id{prompt}{y} \style{position:fixed}{y} \data{x=y}{z}$",
    r"$\url{javascript:alert(1)} \ref{x} \label{x}$",
    r"$\def\x{\x\x}\x$",
    "</div></li></ol><script>alert(1)</script>",
    "<form action=/v1/modules><button>x</button></form>",
    "> " * 5000 + "deep",
)


def house() -> WalkHouse:
    return WalkHouse(engine_config=EngineConfig(max_model_len=16384, kv_tokens=65536), max_tokens=2000)


def render(page: Page, text: str) -> None:
    """Shows a text as an answer, by the page's own module."""
    expect(page.get_by_role("status")).to_contain_text("ready")  # before, the page itself shows a conversation
    page.evaluate(
        """async (text) => {
          const { MarkdownView } = await import("./web/markdown.js");
          const root = document.createElement("div");
          root.className = "text";
          const item = document.createElement("li");
          item.append(root);
          document.getElementById("messages").replaceChildren(item);
          new MarkdownView(root).finish(text);
        }""",
        text,
    )


def test_markdown_becomes_what_it_means(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        render(page, RICH)
        text = page.locator("#messages .text")
        expect(text.get_by_role("heading", name="Report")).to_be_visible()
        expect(text.get_by_role("link", name="link")).to_have_attribute("rel", "noopener noreferrer")
        expect(text.locator("strong, em, del, p > code")).to_have_text(["bold", "slanted", "code", "gone"])
        expect(text.locator("li li")).to_have_text(["inner"])
        expect(text.get_by_role("checkbox")).to_have_count(2)
        expect(text.get_by_role("cell", name="1 < 2")).to_have_class("to-right")
        expect(text.locator("blockquote")).to_have_text("quoted")
        expect(text.locator("math")).to_have_count(3)
        expect(text.locator(".hljs-keyword")).to_have_text(["def", "return"])
        expect(text.locator("pre")).to_contain_text("a comment")
        expect(text).to_contain_text("It costs $5 or $7, as said here.")
        shoot(page, "markdown")


def test_text_that_grows_is_shown_as_text_that_came_at_once(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        draw = random.Random(6)
        cuts = [sorted(draw.sample(range(1, len(RICH)), 9)) for _ in range(4)]
        same = page.evaluate(
            """async ([text, cuts]) => {
              const { MarkdownView } = await import("./web/markdown.js");
              // Until it has been drawn: it rests between, by the time that took.
              const frame = () => new Promise((resolve) => setTimeout(resolve, 40));
              const settled = () => new Promise((resolve) => setTimeout(resolve, 300));
              const whole = document.createElement("div");
              document.body.append(whole);
              new MarkdownView(whole).finish(text);
              const grown = [];
              for (const ends of cuts) {
                const root = document.createElement("div");
                document.body.append(root);
                const view = new MarkdownView(root);
                for (const end of ends) { view.update(text.slice(0, end)); await frame(); }
                view.finish(text);
                grown.push(root);
              }
              await settled();
              return grown.map((root) => root.isEqualNode(whole));
            }""",
            [RICH, cuts],
        )
        assert same == [True] * len(cuts)


@pytest.mark.parametrize("start", range(0, len(XSS), 9))
def test_nothing_that_a_model_says_runs_or_loads(browser: Browser, start: int) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        for said in XSS[start : start + 9]:
            render(page, said)
            page.wait_for_timeout(50)
            text = page.locator("#messages .text")
            made = "script, img, svg:not(.icon-button svg), iframe, object, embed, form, style, details"
            assert text.locator(made).count() == 0, said
            hrefs = text.locator("a").evaluate_all("links => links.map((link) => link.protocol)")
            assert set(hrefs) <= {"https:", "http:", "mailto:"}, said
            handlers = text.evaluate(
                "root => [...root.querySelectorAll('*')].flatMap((node) => node.getAttributeNames())"
                ".filter((name) => name.startsWith('on'))"
            )
            assert handlers == [], said


def test_markup_cannot_be_made_from_strings_at_all(browser: Browser) -> None:
    with WalkHouse().live() as address, browser.new_context() as tab:
        page = tab.new_page()
        page.goto(address)
        refused = page.evaluate(
            "() => { try { document.body.innerHTML = '<b>x</b>'; } catch (error) { return error.name; } }"
        )
        assert refused == "TypeError"


def test_a_stream_of_markdown_from_the_model(browser: Browser) -> None:
    with house().live() as address, opened(browser, address) as page:
        ask(page, RICH)
        expect(page.locator(".assistant .meta")).to_contain_text("tokens/s")
        expect(answers(page).locator("figure.code .hljs-keyword").first).to_be_visible()
        page.locator(".assistant").get_by_role("button", name="Copy").last.click()
        expect(answers(page).locator("math")).to_have_count(3)


def test_an_answer_can_be_asked_for_again_and_both_are_kept(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        ask(page, "Hi")
        page.get_by_role("button", name="Answer again").click()
        expect(page.get_by_role("img", name="2 of 2")).to_be_visible()
        page.get_by_role("button", name="The version before").click()
        expect(page.get_by_role("img", name="1 of 2")).to_be_visible()
        ask(page, "And?")
        expect(answers(page).last).to_have_text("You said: And?")
        page.get_by_role("button", name="The next version").click()
        expect(answers(page)).to_have_count(1)
        page.get_by_role("button", name="The version before").click()
        expect(answers(page)).to_have_count(2)


def test_an_edited_question_is_a_branch_of_its_own(browser: Browser) -> None:
    walk = WalkHouse()
    with walk.live() as address, opened(browser, address) as page:
        ask(page, "First")
        expect(answers(page)).to_have_text("You said: First")
        ask(page, "Second")
        expect(answers(page).last).to_have_text("You said: Second")
        page.get_by_role("button", name="Edit").first.click()
        page.get_by_role("textbox", name="Edit").fill("Other")
        shoot(page, "edit")
        page.keyboard.press("Enter")
        expect(answers(page)).to_have_text(["You said: Other"])
        assert "First" not in walk.model.prompts[-1]
        page.get_by_role("button", name="The version before").click()
        expect(answers(page)).to_have_text(["You said: First", "You said: Second"])
        shoot(page, "branches")


def test_escape_leaves_a_question_as_it_was(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        ask(page, "Hi")
        expect(answers(page)).to_have_text("You said: Hi")
        page.get_by_role("button", name="Edit").click()
        page.get_by_role("textbox", name="Edit").fill("Other")
        page.keyboard.press("Escape")
        expect(page.locator(".user .text")).to_have_text("Hi")
        expect(page.locator(".user .text")).to_be_visible()


def test_the_window_policy_is_told(browser: Browser) -> None:
    with WalkHouse().live() as address, opened(browser, address) as page:
        for number in range(5):
            ask(page, f"{number}: " + "a long question " * 5)
            expect(page.locator(".assistant .meta")).to_have_count(number + 1)
        expect(page.locator(".assistant .meta").last).to_contain_text("oldest messages left out")
