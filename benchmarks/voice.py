"""A spoken command of 2 to 4 s: seconds to the first word of the answer. Ours hears by whisper, the peers by an mmproj.

python -m benchmarks.voice --rounds 5 --media DIR
"""

import statistics

from benchmarks.media import sound_part
from benchmarks.prompts import SYSTEM, user
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser

COMMANDS = 4  # a round
ANSWER_TOKENS = 4
TTFT = "TTFT of a voice command, median [s]"


async def once(this: Round) -> Taken:
    ttft_s = []
    for number in range(COMMANDS * this.number, COMMANDS * (this.number + 1)):
        part = sound_part(this.options.media, number)
        ttft_s.append((await this.client.chat([SYSTEM, user([part])], ANSWER_TOKENS)).ttft_s)
    return Taken({TTFT: statistics.median(ttft_s), "TTFT of a voice command, largest [s]": max(ttft_s)})


QUESTION = Question("voice", "Voice commands of 2 to 4 s", once, {TTFT: (0.35, 0.35)}, needs_media=True)

if __name__ == "__main__":
    ask(QUESTION, parser(__doc__).parse_args())
