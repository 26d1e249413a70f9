"""Three streams while three screenshots and two spoken commands are read: how long they stand still.

python -m benchmarks.beside_media --rounds 5 --media DIR
"""

import asyncio
from typing import Any

from benchmarks.client import Stream
from benchmarks.media import picture_part, sound_part
from benchmarks.prompts import SYSTEM, counting, user
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser
from benchmarks.summary import percentile

STREAM_TOKENS, ARRIVE_S = 200, 1.0
PICTURES, SOUNDS = 3, 2


async def once(this: Round) -> Taken:
    async def attach(part: dict[str, Any]) -> Stream:
        await asyncio.sleep(ARRIVE_S)
        return await this.client.chat([SYSTEM, user([part, {"type": "text", "text": "What is this?"}])], 8)

    media = this.options.media
    parts = [picture_part(media, PICTURES * this.number + index) for index in range(PICTURES)]
    parts += [sound_part(media, SOUNDS * this.number + index) for index in range(SOUNDS)]
    running = [this.client.chat(messages, STREAM_TOKENS) for messages in counting(this.seed)]
    all_streams = await asyncio.gather(*running, *map(attach, parts))
    streams, attached = all_streams[: len(running)], all_streams[len(running) :]
    gaps_s = [gap for stream in streams for gap in stream.gaps_s]
    return Taken(
        {
            "largest ITL beside 5 media [s]": max(gaps_s),
            "ITL p99 beside 5 media [s]": percentile(gaps_s, 99),
            "largest TTFT of the five [s]": max(stream.ttft_s for stream in attached),
        }
    )


QUESTION = Question("beside_media", "Three streams while pictures and sounds are read", once, needs_media=True)

if __name__ == "__main__":
    ask(QUESTION, parser(__doc__).parse_args())
