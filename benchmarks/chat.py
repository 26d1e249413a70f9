"""Chat: 200 tokens in, 100 out. One stream alone, and eight at once: with their prompts, and while all of them stream.

python -m benchmarks.chat --rounds 5
"""

import asyncio

from benchmarks.client import Stream
from benchmarks.prompts import CHAT_ANSWER_TOKENS, CHAT_WORDS, chat
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser

STREAMS = 8
SHORT_WORDS, LONG_ANSWER_TOKENS = 20, 128  # the last stream begins long before the first one ends
ONE, ALL, TOGETHER = "decode, 1 stream [tok/s]", "8 streams, prompts included [tok/s]", "decode, 8 streams [tok/s]"


async def at_once(this: Round, seed: int, num_words: int, max_tokens: int) -> list[Stream]:
    prompts = [chat(seed + stream, num_words) for stream in range(STREAMS)]
    return await asyncio.gather(*(this.client.chat(prompt, max_tokens) for prompt in prompts))


async def once(this: Round) -> Taken:
    alone = await this.client.chat(chat(this.seed), CHAT_ANSWER_TOKENS)
    streams = await at_once(this, this.seed + 100, CHAT_WORDS, CHAT_ANSWER_TOKENS)
    seconds = max(stream.end_s for stream in streams) - min(stream.start_s for stream in streams)
    values = {ONE: alone.decode_tokens_per_s, ALL: sum(stream.completion_tokens for stream in streams) / seconds}
    streams = await at_once(this, this.seed + 200, SHORT_WORDS, LONG_ANSWER_TOKENS)
    start_s, end_s = max(stream.token_s[0] for stream in streams), min(stream.token_s[-1] for stream in streams)
    if start_s < end_s:
        values[TOGETHER] = sum(stream.tokens_between(start_s, end_s) for stream in streams) / (end_s - start_s)
    return Taken(values)


QUESTION = Question(
    "chat", "Chat, 200 tokens in, 100 out", once, {ONE: (1.0, 1.0), ALL: (1.1, 1.35), TOGETHER: (1.1, 1.35)}
)

if __name__ == "__main__":
    ask(QUESTION, parser(__doc__).parse_args())
