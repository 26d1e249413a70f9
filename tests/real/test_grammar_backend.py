"""Grammars, log-probabilities and logit bias on the real decoder."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from autoglm_phone.backends.llama_cpp.backend import LlamaCppBackend
from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
from autoglm_phone.backends.llama_cpp.sampler import SamplerChain
from autoglm_phone.backends.llama_cpp.vocabulary import token_bytes
from autoglm_phone.core.backend import StepItem, StepPlan, StepResult
from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Request, SamplingParams, TokenLogprobs
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.engine_loop import GRAMMAR_POLL_S, EngineLoop
from autoglm_phone.text.grammar import choice_grammar, json_schema_grammar, regex_grammar
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.weights.gguf_file import read_metadata

pytestmark = pytest.mark.real

GREEDY = SamplingParams(temperature=0.0)
DRAWN = SamplingParams(temperature=0.7, top_p=0.8, top_k=20, seed=5)
CHAT = SlotId(0)
MARGIN_BOUND = 0.5  # between logits; the width of a batch may decide below it: docs/architecture.md

SCHEMAS: dict[str, dict[str, Any]] = {
    "person": {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0}},
        "required": ["name", "age"],
        "additionalProperties": False,
    },
    "tags": {"type": "array", "items": {"enum": ["红", "green", 'b"lue']}, "minItems": 2, "maxItems": 3},
    "nested": {
        "type": "object",
        "properties": {
            "at": {"$ref": "#/$defs/point"},
            "kind": {"anyOf": [{"const": "tap"}, {"type": "null"}]},
        },
        "required": ["at", "kind"],
        "additionalProperties": False,
        "$defs": {
            "point": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": 999},
                "minItems": 2,
                "maxItems": 2,
            }
        },
    },
    "date": {"type": "string", "format": "date"},
}


@dataclass
class Answer:
    tokens: list[TokenId] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    finish: str = ""
    error: str = ""


class Decoder:
    """The backend with its tokenizer."""

    def __init__(self, gguf: Path, library: LlamaLibrary) -> None:
        self.library = library
        self.tokenizer = Tokenizer(read_metadata(gguf))
        config = LlamaCppConfig(gguf, kv_tokens=1024, max_slots=6, max_step_tokens=128, threads=1)
        self.backend = LlamaCppBackend(config, library)

    def request(
        self,
        name: str,
        question: str,
        sampling: SamplingParams = GREEDY,
        *,
        grammar: str = "",
        max_tokens: int = 60,
        top: int | None = None,
    ) -> Request:
        special, encode = self.tokenizer.special_tokens, self.tokenizer.encode
        prompt = [special["<|im_start|>"], *encode("user\n" + question), special["<|im_end|>"], *encode("\n")]
        prompt += [special["<|im_start|>"], *encode("assistant\n")]
        stop_tokens = self.tokenizer.eos_tokens
        return Request(RequestId(name), Prompt(tuple(prompt)), sampling, max_tokens, stop_tokens, grammar, top)

    def answers(self, *requests: Request, speculation: bool = True) -> dict[str, Answer]:
        """All at once, through a scheduler. Leaves the cache empty."""
        limits = {"max_model_len": 512, "kv_tokens": 1024, "max_running": 4, "max_cached": 2}
        config = EngineConfig(**limits, idle_kv_tokens=0, spill_bytes=0, speculation=speculation)
        loop = EngineLoop(config, self.backend)
        answers: dict[str, Answer] = {request.id: Answer() for request in requests}
        for request in requests:
            loop.submit(request)
        while loop.has_work:
            for request_id, event in loop.step():
                answer = answers[request_id]
                answer.tokens += event.tokens
                answer.logprobs += event.logprobs
                answer.finish, answer.error = event.finish or "", event.error
            if loop.is_held_up:  # as the engine process: to spin would keep the GIL from the thread that compiles
                time.sleep(GRAMMAR_POLL_S)
        return answers

    def text(self, answer: Answer) -> str:
        return b"".join(map(self.tokenizer.decode_bytes, answer.tokens)).decode()

    def draw(self, request: Request) -> tuple[StepResult, np.ndarray]:
        """The first draw for a request, and the logits (V,) as drawing has left them."""
        tokens = request.prompt.tokens
        self.backend.start_sampling(request)
        try:
            result = self.backend.step(StepPlan((StepItem(CHAT, 0, tokens, None, request.id),)))
            return result, self.backend.logits(len(tokens) - 1).copy()
        finally:
            self.backend.stop_sampling(request.id)
            self.backend.trim(CHAT, 0)


@pytest.fixture(scope="module")
def library() -> LlamaLibrary:
    return LlamaLibrary()


@pytest.fixture(scope="module")
def decoder(nano_gguf: Path, library: LlamaLibrary) -> Iterator[Decoder]:
    decoder = Decoder(nano_gguf, library)
    yield decoder
    decoder.backend.close()


def log_softmax(logits: np.ndarray) -> np.ndarray:
    wide = logits.astype(np.float64)
    return np.asarray(wide - wide.max() - np.log(np.exp(wide - wide.max()).sum()))


def test_a_grammar_of_everything_changes_no_greedy_text(decoder: Decoder) -> None:
    everything = regex_grammar(r"(.|\n)*", param="regex")
    question = "Write a short greeting in English and Chinese, then a line of Python."
    free = decoder.answers(decoder.request("r", question, max_tokens=40))["r"]
    bound = decoder.answers(decoder.request("r", question, grammar=everything, max_tokens=40))["r"]
    assert bound == free


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_what_follows_a_schema_parses_and_validates_alone_and_in_a_batch(
    decoder: Decoder, sampling: SamplingParams
) -> None:
    requests = [
        decoder.request(
            name, f"Give an example as JSON: {name}", sampling, grammar=json_schema_grammar(schema, param="")
        )
        for name, schema in SCHEMAS.items()
    ]
    alone = {name: answer for request in requests for name, answer in decoder.answers(request).items()}
    for answers in (alone, decoder.answers(*requests)):
        for name, answer in answers.items():
            assert answer.finish == "stop"
            check(decoder.text(answer), SCHEMAS[name])


BOOKING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "destination_city": {"type": "string", "maxLength": 20},
        "number_of_travellers": {"type": "integer", "minimum": 1, "maximum": 9},
        "departure_date": {"type": "string", "format": "date"},
        "preferred_transport": {"enum": ["train", "plane", "bus"]},
        "needs_accommodation": {"type": "boolean"},
        "maximum_price": {"type": "integer", "minimum": 0, "maximum": 9999},
        "contact_address": {"type": "null"},
        "special_requirements": {"type": "array", "items": {"enum": ["quiet", "window"]}, "minItems": 1, "maxItems": 2},
    },
    "additionalProperties": False,
}
BOOKING["required"] = list(BOOKING["properties"])


def test_an_answer_is_the_same_where_what_its_schema_forces_takes_no_steps(decoder: Decoder) -> None:
    grammar = json_schema_grammar(BOOKING, param="")
    request = decoder.request("r", "Book a trip to Rome, as JSON.", grammar=grammar, max_tokens=200)
    jumped = decoder.answers(request)["r"]
    stepped = decoder.answers(request, speculation=False)["r"]
    for answer in (jumped, stepped):
        assert answer.finish == "stop"
        check(decoder.text(answer), BOOKING)
    parted = [i for i, (a, b) in enumerate(zip(jumped.tokens, stepped.tokens, strict=False)) if a != b]
    if parted:
        first = parted[0]
        prompt = Prompt((*request.prompt.tokens, *stepped.tokens[:first]))
        _, logits = decoder.draw(Request(RequestId("probe"), prompt, GREEDY, 1))
        assert abs(logits[jumped.tokens[first]] - logits[stepped.tokens[first]]) < MARGIN_BOUND


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingParams(temperature=1.5, seed=3),
        SamplingParams(temperature=1.5, top_k=20, top_p=0.95, min_p=0.01, seed=3),
        SamplingParams(temperature=1.5, repetition_penalty=1.5, frequency_penalty=1.0, seed=3),
    ],
)
def test_a_forced_token_uses_up_the_same_chance_as_a_drawn_one(decoder: Decoder, sampling: SamplingParams) -> None:
    """What is drawn behind it is what would have been drawn, had it been drawn itself."""
    request = decoder.request("r", "Tell a story.")
    index = len(request.prompt) - 1
    decoder.backend.start_sampling(request)
    decoder.backend.step(StepPlan((StepItem(CHAT, 0, request.prompt.tokens, None, request.id),)))
    logits = decoder.backend.logits(index)
    free = logits.copy()
    texts = []
    for is_drawn in (True, False):
        chain = SamplerChain(decoder.library, decoder.backend.vocab_size, 64, sampling, request.prompt.tokens)
        text: list[TokenId] = []
        for forced in (TokenId(1000), TokenId(1000), TokenId(2000)):
            if is_drawn:
                logits[:] = -np.inf
                logits[forced] = free[forced]
                assert chain.sample(decoder.backend.context, index) == forced
            else:
                chain.take(forced)
            logits[:] = free
            text += [chain.sample(decoder.backend.context, index) for _ in range(4)]
        chain.close()
        texts.append(text)
    decoder.backend.stop_sampling(request.id)
    decoder.backend.trim(CHAT, 0)
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 3, "the text tells"


def check(text: str, schema: Mapping[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker(["date"]))
    validator.validate(json.loads(text))


def test_a_forced_text_is_tokenised_as_the_model_has_learnt_it(decoder: Decoder) -> None:
    text = 'Good morning, 早上好! <tool_call>{"name": "tap"}'
    grammar = choice_grammar([text], param="choice")
    answer = decoder.answers(decoder.request("r", "Say anything.", grammar=grammar))["r"]
    assert decoder.text(answer) == text
    assert answer.finish == "stop"
    before, _, after = text.partition("<tool_call>")
    encode, call = decoder.tokenizer.encode, decoder.tokenizer.special_tokens["<tool_call>"]
    assert answer.tokens == [*encode(before), call, *encode(after)]


def test_tokens_that_are_no_text_are_marked_or_empty(decoder: Decoder, nano_gguf: Path, library: LlamaLibrary) -> None:
    params = library.lib.llama_model_default_params()
    params.vocab_only = True
    model = library.lib.llama_model_load_from_file(str(nano_gguf).encode(), params)
    texts = token_bytes(library, library.lib.llama_model_get_vocab(model))
    library.lib.llama_model_free(model)
    special = decoder.tokenizer.special_tokens
    assert len(texts) == decoder.backend.vocab_size
    assert texts[special["<|im_end|>"]] == b"\xff<|im_end|>"
    assert texts[special["<tool_call>"]] == b"<tool_call>"
    assert texts[-1] == b"", "padding"
    for token, text in enumerate(texts):
        if text[:1] != b"\xff" or text == b"\xff":
            assert text == decoder.tokenizer.decode_bytes(TokenId(token))


def test_a_drawn_answer_stays_in_its_grammar_whatever_the_seed(decoder: Decoder) -> None:
    """llama.cpp's chain reads the logits that the grammar has edited."""
    digit = regex_grammar("[0-9]", param="regex")
    hot = [SamplingParams(temperature=3.0, seed=seed) for seed in range(4)]
    cold = [SamplingParams(temperature=0.0, repetition_penalty=1.3), SamplingParams(temperature=2.0, min_p=0.1, seed=1)]
    requests = [decoder.request(str(i), "Tell a story.", s, grammar=digit) for i, s in enumerate([*hot, *cold])]
    answers = decoder.answers(*requests)
    assert all(decoder.text(answer).isdigit() and len(answer.tokens) == 1 for answer in answers.values())


def test_one_that_cannot_follow_its_grammar_is_told_and_the_other_is_not_disturbed(decoder: Decoder) -> None:
    question = "Count from 1 to 9."
    alone = decoder.answers(decoder.request("fine", question, max_tokens=12))["fine"]
    beside = decoder.answers(
        decoder.request("broken", question, grammar="start: absent"), decoder.request("fine", question, max_tokens=12)
    )
    assert "absent" in beside["broken"].error
    assert beside["broken"].tokens == []
    assert beside["fine"] == alone


def test_logprobs_are_those_of_the_model(decoder: Decoder) -> None:
    size = decoder.backend.vocab_size
    request = decoder.request("r", "What is the capital of France?", top=size)
    result, logits = decoder.draw(request)
    told, expected = result.logprobs[request.id], log_softmax(logits)
    [token] = result.sampled[request.id]
    assert told.top[0] == (token, told.logprob), "greedy takes the likeliest"
    assert told.logprob == pytest.approx(expected[token], abs=1e-5)
    assert np.exp([value for _, value in told.top]).sum() == pytest.approx(1.0, abs=1e-5)
    order = [index for index, _ in told.top]
    assert [value for _, value in told.top] == pytest.approx(expected[order].tolist(), abs=1e-5)


def test_logprobs_are_told_before_bias_and_grammar(decoder: Decoder) -> None:
    question = "What is the capital of France?"
    plain, logits = decoder.draw(decoder.request("r", question, top=3))
    expected = log_softmax(logits)
    bias = ((TokenId(1000), 3.0), (TokenId(2000), -100.0))
    biased = SamplingParams(temperature=0.0, logit_bias=bias)
    bound, _ = decoder.draw(decoder.request("r", question, biased, grammar=regex_grammar("[0-9]+", param=""), top=3))
    me = RequestId("r")
    [token] = bound.sampled[me]
    assert (token,) != plain.sampled[me]
    assert bound.logprobs[me].top == plain.logprobs[me].top
    assert bound.logprobs[me].logprob == pytest.approx(expected[token], abs=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_bias_bans_and_forces_tokens(decoder: Decoder, temperature: float) -> None:
    question = "What is the capital of France? One word."
    me, forced = RequestId("r"), TokenId(4242)
    [likeliest] = decoder.draw(decoder.request("r", question))[0].sampled[me]
    beyond = TokenId(10**7)

    def drawn(*bias: tuple[TokenId, float]) -> TokenId:
        sampling = SamplingParams(temperature=temperature, seed=1, logit_bias=bias)
        [token] = decoder.draw(decoder.request("r", question, sampling))[0].sampled[me]
        return token

    assert drawn((likeliest, -100.0), (beyond, 100.0)) != likeliest
    assert drawn((forced, 100.0)) == forced
