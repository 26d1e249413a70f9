"""One screenshot, five questions, each a request of its own: seconds to the first word of the answers 2 to 5.

    python -m benchmarks.same_screen --rounds 5 --media DIR

Three ways: the same bytes each time; the same pixels packed anew for each question, as a phone that takes its
screenshot again does; and the screen's text instead of the picture.
"""

import statistics
from collections.abc import Iterable
from typing import Any

from benchmarks.media import picture_part
from benchmarks.phone_screens import screen
from benchmarks.prompts import SYSTEM, user
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser

QUESTIONS = (
    "What is this screen for?",
    "Which button would you press to go on?",
    "What stands at the top?",
    "Is anything on it switched off?",
    "What is the last entry?",
)
ANSWER_TOKENS = 8
COMPRESSIONS = (1, 3, 5, 7, 9)
SAME, ANEW, TEXT = "the same bytes", "packed anew", "as text"


async def ttfts_s(this: Round, parts: Iterable[dict[str, Any]]) -> list[float]:
    found = []
    for part, question in zip(parts, QUESTIONS, strict=True):
        messages = [SYSTEM, user([part, {"type": "text", "text": question}])]
        found.append((await this.client.chat(messages, ANSWER_TOKENS)).ttft_s)
    return found


async def once(this: Round) -> Taken:
    media, taken = this.options.media, Taken()
    ways = {
        SAME: [picture_part(media, 2 * this.number)] * len(QUESTIONS),
        ANEW: [picture_part(media, 2 * this.number + 1, compression=level) for level in COMPRESSIONS],
        TEXT: [{"type": "text", "text": screen(this.seed, 0)}] * len(QUESTIONS),
    }
    for way, parts in ways.items():
        first_s, *later_s = await ttfts_s(this, parts)
        taken.values[f"TTFT of question 1, {way} [s]"] = first_s
        taken.values[f"TTFT of questions 2-5, {way} [s]"] = statistics.median(later_s)
    return taken


WANTED = {f"TTFT of questions 2-5, {way} [s]": (0.5, 0.5) for way in (SAME, ANEW, TEXT)}
QUESTION = Question("same_screen", "One screen, five questions", once, WANTED, needs_media=True)

if __name__ == "__main__":
    ask(QUESTION, parser(__doc__).parse_args())
