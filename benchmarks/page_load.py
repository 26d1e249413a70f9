"""The chat page of a running server: bytes transferred at the first load, and seconds until one can write.

    python -m benchmarks.page_load --url http://127.0.0.1:8000 --rounds 20

Each round is a browser profile without a cache. Usable is when the model's name is shown and the field has the focus.
"""

import argparse
import os
import shutil
import statistics
import time

from playwright.sync_api import Browser, Request, sync_playwright

# A function: the page's policy lets no expression be evaluated.
USABLE = """() =>
  document.activeElement?.id === "prompt" && document.querySelector("#dot").className === "ready"
"""


def once(browser: Browser, url: str) -> tuple[int, float]:
    with browser.new_context() as profile:
        page = profile.new_page()
        done: list[Request] = []
        page.on("requestfinished", lambda request: done.append(request))
        start_s = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_function(USABLE)
        seconds = time.perf_counter() - start_s
        page.wait_for_load_state("networkidle")
        sizes = [request.sizes() for request in done]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the server (%(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=20, help="page loads, after one that is not counted (%(default)s)"
    )
    options = parser.parse_args()
    path = os.environ.get("AUTOGLM_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        once(browser, options.url)
        rounds = [once(browser, options.url) for _ in range(options.rounds)]
        browser.close()
    seconds = [taken for _, taken in rounds]
    print(
        f"{rounds[0][0]} bytes; usable after {statistics.median(seconds):.3f} s "
        f"(median of {len(rounds)}; {min(seconds):.3f} to {max(seconds):.3f})"
    )


if __name__ == "__main__":
    main()
