"""Pictures through the real processes, held against the encoder by itself and against llama.cpp's own server."""

import base64
import dataclasses
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from seeing_house import started, tiny_modules, tiny_settings
from tiny_glm4 import TEMPLATE, vocabulary

from autoglm_phone.assemble.encoders import check_encoders
from autoglm_phone.assemble.processes import Located, Processes, estimate_memory
from autoglm_phone.backends.llama_cpp.backend import LlamaCppBackend
from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
from autoglm_phone.chat.chat_request import ChatRequest, Thinking
from autoglm_phone.chat.prompt_builder import PromptBuilder, PromptConfig
from autoglm_phone.core.backend import StepPlan
from autoglm_phone.core.conversation import Conversation, ImagePart, Message, TextPart
from autoglm_phone.core.errors import BundleError, InvalidRequest
from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.memory import MemoryEstimate
from autoglm_phone.core.module import Embeddings, MediaReading
from autoglm_phone.core.prompt import Grid, Prompt
from autoglm_phone.core.request import Request, SamplingParams
from autoglm_phone.engine.sequence import Sequence as EngineSequence
from autoglm_phone.models.vision.encoder import VisionEncoder
from autoglm_phone.models.vision.grid import PixelBudget
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.weights.encoder_files import open_encoder
from autoglm_phone.weights.gguf_tensors import read_tensors

ROOT = Path(__file__).parents[3]
TOKENIZER = Tokenizer(vocabulary())
BUILDER = PromptBuilder(ChatTemplate(TEMPLATE, TOKENIZER), TOKENIZER, PromptConfig(1024, 64, "error", "You see."))
GREEDY = SamplingParams(temperature=0.0)
NUM_ANSWER = 24
# Logits spread by 3. Encoder and cache of llama.cpp round to 16 bits in other places than ours, so where two tokens are
# as near as this either may be taken; what differs more is an error.
MARGIN = 0.1

Pixels = NDArray[np.uint8]


def pixels(width: int, height: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def png(picture: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png")
    return file.getvalue()


def asked(question: str, data: bytes) -> tuple[ChatRequest, ImagePart]:
    part = ImagePart(data, "picture")
    conversation = Conversation((Message("user", (part, TextPart(question))),))
    return ChatRequest(conversation, GREEDY, thinking=Thinking(is_on=False)), part


async def prompt_of(processes: Processes, question: str, data: bytes) -> Prompt:
    assert processes.media is not None
    request, part = asked(question, data)
    return BUILDER.build(request, {part: await processes.media.read_image(data, param=part.param)}).prompt


async def answer(processes: Processes, prompt: Prompt, name: str) -> tuple[list[TokenId], int]:
    """The tokens, and how many of the prompt's were known."""
    tokens: list[TokenId] = []
    cached = 0
    async for event in processes.engine.generate(Request(RequestId(name), prompt, GREEDY, NUM_ANSWER)):
        tokens += event.tokens
        cached = event.cached_tokens
    return tokens, cached


@pytest.fixture(scope="module")
def located(tmp_path_factory: pytest.TempPathFactory) -> Located:
    return tiny_modules(tmp_path_factory.mktemp("seeing"))


def rows_of(reading: MediaReading) -> Embeddings:
    assert isinstance(reading.reading, Embeddings)
    return reading.reading


async def test_what_reaches_the_decoder_is_what_the_encoder_gives(located: Located) -> None:
    encoder = VisionEncoder.of_files(open_encoder([located["vision"].files[0]]), budget=PixelBudget.of_tokens(40, 28))
    async with started(located, image_tokens="40") as processes:
        assert processes.media is not None
        for size, grid in (((84, 140), Grid(5, 3)), ((540, 1200), Grid(9, 4))):
            picture = pixels(*size)
            for was_cached in (False, True):
                reading = await processes.media.read_image(png(picture), param="a")
                assert (rows_of(reading).rows == encoder.encode(picture)).all()
                assert (rows_of(reading).grid, reading.was_cached) == (grid, was_cached)
        with pytest.raises(InvalidRequest, match="one side of the picture is 300 times the other") as refused:
            await processes.media.read_image(png(pixels(9000, 30)), param="messages[0]")
        assert refused.value.param == "messages[0]"


@contextmanager
def llama_server(located: Located) -> Iterator[str]:
    files = ["--gguf", str(located["text"].files[0]), "--mmproj", str(located["vision"].files[0])]
    command = [sys.executable, "-m", "benchmarks.peer", "--port", "0", "--threads", "1", *files]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            said = next(line for line in server.stdout if line.startswith("peer listens on"))
            yield said.removeprefix("peer listens on").strip()
        finally:
            server.kill()


def their_answer(address: str, prompt: Prompt, data: bytes) -> list[int]:
    marker = httpx.get(f"{address}/props", trust_env=False).json()["media_marker"]
    text = re.sub(r"<\|begin_of_image\|>.*<\|end_of_image\|>", marker, TOKENIZER.written(prompt.tokens))
    body = {
        "prompt": {"prompt_string": text, "multimodal_data": [base64.b64encode(data).decode()]},
        "n_predict": NUM_ANSWER,
        "temperature": 0,
        "ignore_eos": True,
        "return_tokens": True,
    }
    told = httpx.post(f"{address}/completion", json=body, timeout=60, trust_env=False).raise_for_status().json()
    assert told["tokens_evaluated"] == len(prompt)
    tokens: list[int] = told["tokens"]
    return tokens


def margin(located: Located, prompt: Prompt, tokens: Sequence[int]) -> float:
    """How far the two likeliest tokens are apart behind the prompt and these tokens, of the decoder by itself."""
    backend = LlamaCppBackend(LlamaCppConfig(located["text"].files[0], 1024, 2, 1024, threads=1), LlamaLibrary())
    whole = Prompt((*prompt.tokens, *map(TokenId, tokens)), prompt.embeds)
    sequence = EngineSequence(Request(RequestId("margin"), whole, GREEDY, 1), SlotId(0))
    backend.start_sampling(sequence.request)
    backend.step(StepPlan(tuple(sequence.items(len(whole)))))
    two = np.sort(backend.logits(len(whole) - 1))[-2:]
    backend.close()
    return float(two[1] - two[0])


async def test_greedy_answers_are_those_of_llama_cpps_own_server(located: Located) -> None:
    sizes = [(112, 112), (84, 140), (196, 84), (56, 280)]  # none needs to be resized
    async with started(located) as processes:
        asked = [(png(pixels(*size, seed)), f"What is this? {seed}") for seed, size in enumerate(sizes)]
        prompts = [await prompt_of(processes, question, data) for data, question in asked]
        ours = [await answer(processes, prompt, f"r{number}") for number, prompt in enumerate(prompts)]
    assert len({tuple(tokens) for tokens, _ in ours}) == len(sizes)
    with llama_server(located) as address:
        for prompt, (data, _), (tokens, _) in zip(prompts, asked, ours, strict=True):
            theirs = their_answer(address, prompt, data)
            parting = next((at for at, pair in enumerate(zip(tokens, theirs, strict=True)) if pair[0] != pair[1]), None)
            assert parting is None or margin(located, prompt, tokens[:parting]) < MARGIN


async def test_the_same_picture_is_not_computed_again_and_another_is(located: Located) -> None:
    first, second = png(pixels(112, 112, 1)), png(pixels(112, 112, 2))
    async with started(located) as processes:
        prompt = await prompt_of(processes, "What is this?", first)
        again = await prompt_of(processes, "What is this?", first)
        other = await prompt_of(processes, "What is this?", second)
        plain, none_cached = await answer(processes, prompt, "first")
        same, all_cached = await answer(processes, again, "again")
        different, some_cached = await answer(processes, other, "other")
    assert plain == same != different
    [span] = prompt.embeds
    assert (none_cached, all_cached, some_cached) == (0, len(prompt) - 1, span.start)


def test_a_decoder_that_was_converted_for_text_alone_is_refused(located: Located, tmp_path: Path) -> None:
    check_encoders(located)
    check_encoders({"text": located["text"]})
    [path] = located["text"].files
    plain = tmp_path / "plain.gguf"
    plain.write_bytes(path.read_bytes().replace(b"rope.dimension_sections", b"rope.dimension_sectionz"))
    with pytest.raises(BundleError, match=r"plain\.gguf has no glm4\.rope\.dimension_sections.*--no-vision"):
        check_encoders({**located, "text": dataclasses.replace(located["text"], files=(plain,))})


def test_encoder_weights_and_activations_are_estimated(located: Located) -> None:
    parts = {part.name: part for part in estimated(located, image_tokens="100").parts}
    numbers = sum(entry.num_elements for entry in read_tensors(located["vision"].files[0]).entries.values())
    assert parts["vision encoder weights"].size_bytes == 4 * numbers
    assert parts["vision encoder activations"].kind == "growing"
    more = {part.name: part for part in estimated(located, image_tokens="200").parts}
    assert more["vision encoder activations"].size_bytes == 2 * parts["vision encoder activations"].size_bytes


def estimated(located: Located, **flags: str) -> MemoryEstimate:
    settings, resolved = tiny_settings(**flags)
    return estimate_memory(settings, resolved, located)
