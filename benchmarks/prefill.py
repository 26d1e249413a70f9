"""Reading a long prompt: 1,500 tokens that no cache knows, and the turn after them.

python -m benchmarks.prefill --rounds 5
"""

from benchmarks.prompts import assistant, long_prompt, user
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser

RATE, COLD, WARM = "prefill, 1,500 tokens cold [tok/s]", "TTFT cold, 1,500 tokens [s]", "TTFT of the second turn [s]"
ANSWER_TOKENS = 16


async def once(this: Round) -> Taken:
    turns = long_prompt(this.seed)
    cold = await this.client.chat(turns, ANSWER_TOKENS)
    second = await this.client.chat([*turns, assistant(cold.text), user("And what else?")], ANSWER_TOKENS)
    return Taken({RATE: cold.prompt_tokens / cold.ttft_s, COLD: cold.ttft_s, WARM: second.ttft_s})


QUESTION = Question("prefill", "A prompt of 1,500 tokens", once, {RATE: (1.0, 1.7)})

if __name__ == "__main__":
    ask(QUESTION, parser(__doc__).parse_args())
