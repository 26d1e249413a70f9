"""An answer that follows a JSON schema: tokens a second behind the first, and seconds to the whole object.

python -m benchmarks.schema --rounds 5
"""

from benchmarks.prompts import SYSTEM, made_up_text, user
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, parser

DECODE = "decode under a schema [tok/s]"
ANSWERS = 3  # a round: their lengths differ
MAX_TOKENS = 300
ORDER = {
    "type": "object",
    "properties": {
        "customer_name": {"type": "string", "maxLength": 40},
        "delivery_address": {"type": "string", "maxLength": 80},
        "drink": {"enum": ["espresso", "cappuccino", "latte", "iced coffee", "hot chocolate"]},
        "number_of_shots": {"type": "integer", "minimum": 1, "maximum": 4},
        "with_milk": {"type": "boolean"},
        "extras": {"type": "array", "items": {"enum": ["sugar", "cinnamon", "cream", "syrup"]}, "maxItems": 3},
        "price": {"type": "number"},
        "note_for_the_driver": {"type": "string", "maxLength": 120},
    },
    "additionalProperties": False,
}
ORDER["required"] = list(ORDER["properties"])  # type: ignore[call-overload] # a dict, see above
FORM = {"type": "json_schema", "json_schema": {"name": "order", "strict": True, "schema": ORDER}}


async def once(this: Round) -> Taken:
    streams = []
    for number in range(ANSWERS):
        text = f"Make up an order at a coffee shop and write it as JSON. {made_up_text(this.seed + number, 20)}"
        streams.append(await this.client.chat([SYSTEM, user(text)], MAX_TOKENS, ignore_eos=False, response_format=FORM))
    decode_s = sum(stream.token_s[-1] - stream.token_s[0] for stream in streams)
    tokens = sum(stream.completion_tokens - 1 for stream in streams)
    return Taken(
        {
            DECODE: tokens / decode_s,
            "TTFT under a schema [s]": sum(stream.ttft_s for stream in streams) / ANSWERS,
            "tokens of an object [tok]": tokens / ANSWERS,
        }
    )


QUESTION = Question("schema", "An object that follows a JSON schema", once, {DECODE: (1.3, 1.3)})

if __name__ == "__main__":
    ask(QUESTION, parser(__doc__).parse_args())
