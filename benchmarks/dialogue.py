"""A dialogue of ten turns, each side's own answers in the history, which grows by about 90 tokens a turn.

    python -m benchmarks.dialogue --rounds 5

Answers are 48 tokens long on every side (ignore_eos); their words may differ a little, their lengths do not.
"""

import statistics

from benchmarks.prompts import SYSTEM, Message, assistant, made_up_text, user
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser

QUESTIONS = (
    "Tell me at length what a river does to the land around it.",
    "And how do people build a bridge across it?",
    "What is needed for that, and where does it come from?",
    "Explain how copper is won and what it is used for.",
    "Describe a market in the morning, with all that is sold there.",
    "Which of those things could be grown in a garden, and how?",
    "Write a letter to a gardener who asks for advice.",
    "Now make a story of it that begins at a window.",
    "What happens in it when the evening comes?",
    "Sum up everything that we have spoken about.",
)
ANSWER_TOKENS = 48
LATER = "TTFT from turn 2, median [s]"


async def once(this: Round) -> Taken:
    turns: list[Message] = [SYSTEM]
    ttft_s: list[float] = []
    for number, question in enumerate(QUESTIONS):
        turns.append(user(f"{question} Bear in mind: {made_up_text(this.seed + number, 20)}"))
        stream = await this.client.chat(turns, ANSWER_TOKENS)
        turns.append(assistant(stream.text))
        ttft_s.append(stream.ttft_s)
    values = {LATER: statistics.median(ttft_s[1:]), "TTFT from turn 2, largest [s]": max(ttft_s[1:])}
    return Taken(values, {"TTFT by turn [s]": ttft_s})


QUESTION = Question("dialogue", "A dialogue of ten turns", once, {LATER: (0.9, 0.9)})

if __name__ == "__main__":
    ask(QUESTION, parser(__doc__).parse_args())
