"""Three streams while a prompt of 1,500 tokens arrives: how long they stand still, and how long the newcomer waits.

python -m benchmarks.beside_prompt --rounds 5
"""

import asyncio

from benchmarks.client import Stream
from benchmarks.prompts import counting, long_prompt
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser
from benchmarks.summary import percentile

STREAM_TOKENS, ARRIVES_S = 200, 1.5
LARGEST = "largest ITL beside a 1,500-token prompt [s]"


async def once(this: Round) -> Taken:
    async def intrude() -> Stream:
        await asyncio.sleep(ARRIVES_S)
        return await this.client.chat(long_prompt(this.seed), 8)

    running = [this.client.chat(messages, STREAM_TOKENS) for messages in counting(this.seed)]
    *streams, newcomer = await asyncio.gather(*running, intrude())
    gaps_s = [gap for stream in streams for gap in stream.gaps_s]
    return Taken(
        {
            LARGEST: max(gaps_s),
            "ITL p99 beside a 1,500-token prompt [s]": percentile(gaps_s, 99),
            "TTFT of that prompt [s]": newcomer.ttft_s,
        }
    )


QUESTION = Question("beside_prompt", "Three streams while a long prompt arrives", once, {LARGEST: (0.05, 0.05)})

if __name__ == "__main__":
    ask(QUESTION, parser(__doc__).parse_args())
