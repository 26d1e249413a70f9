"""What a running server tells of real screenshots: how many of the words that stand there, and where it taps.

    python -m benchmarks.screen_questions --url http://127.0.0.1:8000

The wording around a picture's words (`chat/media_text.py`, the bundles' `system_prompt.txt`) is chosen by this. One
answer says little: a small model's first token often wins by a hair, which another processor rounds away.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import httpx

from benchmarks.media import in_base64

QUESTIONS = (
    "Which words are on this screen?",
    "List the words on this screen.",
    "Read this screen to me.",
    "What does this screen show?",
    "列出屏幕上的文字。",
    "屏幕上有哪些字？",
    "读一下这个屏幕",
    "这个屏幕上是什么？",
)
MANUAL = 'Operate the phone step by step. Each answer is one action, such as do(action="Tap", element=[x,y]).'
TOLD_LINES = 2
_TAP = re.compile(r"element=\[(\d+), ?(\d+)\]")


def ask(server: httpx.Client, picture: str, question: str, max_tokens: int, system: str = "") -> str:
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": question})
    body = {"messages": messages, "images": [picture], "temperature": 0, "max_tokens": max_tokens}
    answer = server.post("/v1/chat/completions", json=body).raise_for_status().json()
    return str(answer["choices"][0]["message"]["content"])


def readable_lines(server: httpx.Client, picture: str) -> set[str]:
    """Of two Chinese signs or three others at least: what is shorter is often an icon."""
    lines = server.post("/v1/images/readings", json={"image": picture}).raise_for_status().json()["lines"]
    return {line["text"] for line in lines if re.search(r"[\u4e00-\u9fff]{2}|.{3}", line["text"])}


def is_hit(answer: str, item: dict[str, Any]) -> bool:
    tap = _TAP.search(answer)
    if tap is None:
        return False
    x, y = int(tap[1]) / 1000 * item["width"], int(tap[2]) / 1000 * item["height"]
    left, top, right, bottom = item["box"]
    return bool(left <= x <= right and top <= y <= bottom)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the server (%(default)s)")
    parser.add_argument("--media", type=Path, default=Path("../shared/data"), help="folder with screens/ (%(default)s)")
    options = parser.parse_args()
    screens = options.media / "screens"
    items = json.loads((screens / "items.json").read_text(encoding="utf-8"))
    pictures = {name: in_base64((screens / name).read_bytes()) for name in sorted({item["image"] for item in items})}
    with httpx.Client(base_url=options.url, timeout=600) as server:
        lines = {name: readable_lines(server, picture) for name, picture in pictures.items()}
        print(f"| question | screens of {len(pictures)} of which {TOLD_LINES} lines or more are told | lines, mean |")
        print("|---|---|---|")
        for question in QUESTIONS:
            answers = {name: ask(server, picture, question, 80) for name, picture in pictures.items()}
            told = [sum(line in answer for line in lines[name]) for name, answer in answers.items()]
            enough = sum(number >= TOLD_LINES for number in told)
            print(f"| {question} | {enough} | {sum(told) / len(told):.1f} |", flush=True)
        for kind in ("text", "icon"):
            mine = [item for item in items if item["kind"] == kind]
            hits = [is_hit(ask(server, pictures[one["image"]], one["instruction"], 60, MANUAL), one) for one in mine]
            print(f"| taps inside the box, {kind} | {sum(hits)} of {len(hits)} | |", flush=True)


if __name__ == "__main__":
    main()
