"""What the pages are served with, and that the vendored packages are what they say."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from scripted_services import House

from autoglm_phone.server.routes.page import WEB

ROOT = Path(__file__).parents[3]
VENDOR = WEB / "vendor"
IMPORT = re.compile(r'^(?:import|export)\b[^;"]*"(\.[^"]+)"', re.MULTILINE)


@pytest.mark.parametrize("path", ["/", "/status"])
def test_a_page_makes_no_markup_from_strings_and_runs_no_inline_script(path: str) -> None:
    page = House().get(path, api_key="secret")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in page.text
    assert "style=" not in page.text


def test_files_are_compressed_and_asked_for_again() -> None:
    house = House()
    script = house.get("/web/vendor/marked.js", {"accept-encoding": "gzip"})
    assert script.headers["content-encoding"] == "gzip"
    assert int(script.headers.get("content-length", 0)) < 20_000
    assert script.headers["cache-control"] == "no-cache"
    again = house.get("/web/vendor/marked.js", {"if-none-match": script.headers["etag"]})
    assert again.status_code == 304


def test_a_browser_need_not_read_a_module_to_know_what_it_imports() -> None:
    found = {WEB / "app.js"}
    unread = list(found)
    while unread:
        script = unread.pop()
        imported = {(script.parent / path).resolve() for path in IMPORT.findall(script.read_text())}
        unread += imported - found
        found |= imported
    named = re.findall(r'rel="modulepreload" href="web/([^"]+)"', (WEB / "index.html").read_text())
    assert sorted(["app.js", *named]) == sorted(script.relative_to(WEB).as_posix() for script in found)


def test_vendored_files_are_those_of_the_lock() -> None:
    locked = json.loads((ROOT / "scripts" / "web" / "package-lock.json").read_text())["packages"]
    taken = json.loads((VENDOR / "vendor.json").read_text())
    assert {one["file"] for one in taken} == {file.name for file in VENDOR.iterdir()} - {"vendor.json"}
    for one in taken:
        assert hashlib.sha256((VENDOR / one["file"]).read_bytes()).hexdigest() == one["sha256"], one["file"]
        package = locked[f"node_modules/{one['package']}"]
        assert (one["version"], one["integrity"]) == (package["version"], package["integrity"])
    assert {one["package"] for one in taken} == {name.removeprefix("node_modules/") for name in locked if name}


def test_both_languages_have_the_same_words() -> None:
    def names(language: str) -> list[str]:
        lines = (WEB / f"words-{language}.js").read_text(encoding="utf-8").splitlines()
        return [line.partition(":")[0].strip() for line in lines if line.startswith("  ")]

    assert names("en") == names("zh")
