"""An open-loop load: chats of mixed lengths, Poisson arrivals with a fixed seed, and how many keep to an SLO.

    python -m benchmarks.load --rate 0.15 --duration 60 --slo-ttft 2 --slo-itl 0.15

Prompts have 60 to 320 tokens, answers 30 to 150. Goodput: answers a minute that keep to the SLO; an answer that was
refused keeps to none.
"""

import random

from benchmarks.client import Stream
from benchmarks.open_loop import send
from benchmarks.prompts import chat
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser
from benchmarks.summary import Slo, percentile, poisson_arrivals_s

WORDS, ANSWER_TOKENS = (40, 300), (30, 150)
PERCENTS = (50, 95, 99)


async def once(this: Round) -> Taken:
    options = this.options
    slo = Slo(options.slo_ttft, options.slo_itl)

    async def request(number: int) -> Stream:
        lengths = random.Random(this.seed + number)
        messages = chat(this.seed + number, lengths.randint(*WORDS))
        return await this.client.chat(messages, lengths.randint(*ANSWER_TOKENS))

    load = await send(poisson_arrivals_s(options.rate, options.duration, this.seed), request)
    samples_s = {
        "TTFT": [stream.ttft_s for stream in load.streams],
        "ITL": load.gaps_s,
        "end-to-end": [stream.seconds for stream in load.streams],
    }
    values = {f"{name} p{p} [s]": percentile(samples, p) for name, samples in samples_s.items() for p in PERCENTS}
    kept = sum(slo.is_met(stream.ttft_s, stream.gaps_s) for stream in load.streams)
    values[f"goodput, TTFT ≤ {slo.ttft_s:g} s, ITL p95 ≤ {slo.itl_p95_s:g} s [req/min]"] = kept / options.duration * 60
    values["answers that keep to it [%]"] = 100 * kept / (len(load.streams) + load.refused)
    return Taken(values)


QUESTION = Question("load", "Open-loop load", once)

if __name__ == "__main__":
    options = parser(__doc__)
    options.add_argument("--rate", type=float, default=0.15, help="requests a second")
    options.add_argument("--duration", type=float, default=60.0, help="seconds in which requests come")
    options.add_argument("--slo-ttft", type=float, default=2.0, help="seconds")
    options.add_argument("--slo-itl", type=float, default=0.15, help="seconds, 95th percentile of an answer")
    ask(QUESTION, options.parse_args())
