"""A phone agent's session: ten steps, a new screen each, the last screen taken out of the history as Open-AutoGLM does.

    python -m benchmarks.phone_session --rounds 5

The history holds scripted answers, so that all sides read the same prompts. The answers themselves are the model's own:
greedy, they end where the model ends them, at most at 120 tokens. How many tokens a side wrote stands beside the times;
so does the share of answers that are a copy of one in the history (five of six with the 0.5B decoder in a trial), for
that is where guessing ahead by n-grams is at its best.
"""

import re
import statistics

from benchmarks.client import ChatClient, Stream
from benchmarks.phone_screens import STEPS, answer, messages
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser

MAX_TOKENS, SESSION = 120, "whole session [s]"
TAGS = re.compile(r"</?(think|answer)>|\s")


def bare(text: str) -> str:
    """A server may take the tags for marks of a thought and send the thought in a field of its own."""
    return TAGS.sub("", text)


SCRIPTED = {bare(answer(step)) for step in range(STEPS)}


async def session(client: ChatClient, number: int, steps: int) -> list[Stream]:
    """One step after another; another number is another session."""
    return [await client.chat(messages(number, step), MAX_TOKENS, ignore_eos=False) for step in range(steps)]


async def once(this: Round) -> Taken:
    streams = await session(this.client, this.number, this.options.steps)
    values = {
        SESSION: sum(stream.seconds for stream in streams),
        "TTFT of the first step [s]": streams[0].ttft_s,
        "TTFT of later steps, median [s]": statistics.median(stream.ttft_s for stream in streams[1:]),
        "answers that are a copy [%]": 100 * statistics.mean(bare(stream.text) in SCRIPTED for stream in streams),
        "prompt tokens read, in all [tok]": float(sum(stream.prompt_tokens for stream in streams)),
        "tokens written, in all [tok]": float(sum(stream.completion_tokens for stream in streams)),
    }
    return Taken(
        values,
        {
            "TTFT by step [s]": [stream.ttft_s for stream in streams],
            "tokens found in the cache by step [tok]": [float(stream.cached_tokens) for stream in streams],
        },
    )


QUESTION = Question("phone_session", "A phone session", once, {SESSION: (0.85, 0.6)})

if __name__ == "__main__":
    options = parser(__doc__)
    options.add_argument("--steps", type=int, default=STEPS)
    ask(QUESTION, options.parse_args())
