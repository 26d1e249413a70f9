"""All at once: chats as background in an open loop, while a phone session goes on and spoken commands come.

    python -m benchmarks.mixed --rounds 5 --media DIR

What the background's readers notice (ITL), and what it costs the session and the commands.
"""

import asyncio
import statistics

from benchmarks.client import Stream
from benchmarks.media import sound_part
from benchmarks.open_loop import send
from benchmarks.phone_session import session
from benchmarks.prompts import CHAT_ANSWER_TOKENS, SYSTEM, chat, user
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser
from benchmarks.summary import percentile, poisson_arrivals_s

SESSION_BEGINS_S, SESSION_STEPS = 3.0, 4
COMMANDS_S = (8.0, 20.0, 32.0, 44.0)  # when they come
P99 = "ITL p99 of the background [s]"


async def once(this: Round) -> Taken:
    options = this.options

    async def background(number: int) -> Stream:
        return await this.client.chat(chat(this.seed + number), CHAT_ANSWER_TOKENS)

    async def command(number: int) -> Stream:
        part = sound_part(options.media, len(COMMANDS_S) * this.number + number)
        return await this.client.chat([SYSTEM, user([part])], 4)

    async def phone() -> list[Stream]:
        await asyncio.sleep(SESSION_BEGINS_S)
        return await session(this.client, this.number, SESSION_STEPS)

    arrivals_s = [0.0, *poisson_arrivals_s(options.rate, options.duration, this.seed)]
    chats, commands, steps = await asyncio.gather(send(arrivals_s, background), send(COMMANDS_S, command), phone())
    return Taken(
        {
            "ITL p50 of the background [s]": percentile(chats.gaps_s, 50),
            P99: percentile(chats.gaps_s, 99),
            "largest ITL of the background [s]": max(chats.gaps_s),
            "TTFT of the background, median [s]": statistics.median(stream.ttft_s for stream in chats.streams),
            "TTFT of a voice command, median [s]": statistics.median(stream.ttft_s for stream in commands.streams),
            "four steps of a phone session [s]": sum(stream.seconds for stream in steps),
        }
    )


QUESTION = Question("mixed", "Chats, a phone session and voice at once", once, {P99: (0.25, 0.25)}, needs_media=True)

if __name__ == "__main__":
    options = parser(__doc__)
    options.add_argument("--rate", type=float, default=0.12, help="background chats a second")
    options.add_argument("--duration", type=float, default=60.0, help="seconds in which they come")
    ask(QUESTION, options.parse_args())
