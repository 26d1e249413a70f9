"""Sounds through the real processes, held against the encoder by itself and against llama.cpp's own server."""

import base64
import dataclasses
import io
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from hearing_house import WINDOW_SAMPLES, Samples, as_floats, encoder_of, hearing_files, hum, wav, write_folder
from llama_server import MARKER, ask
from PIL import Image
from seeing_house import started, tiny_settings
from tiny_glm4v import relative_error
from tiny_speech import GLM_ASR, glm_asr, tensors_of

from autoglm_phone.assemble.encoders import check_places
from autoglm_phone.assemble.processes import Located, Processes, estimate_memory
from autoglm_phone.assemble.text_service import template_source
from autoglm_phone.chat.chat_request import ChatRequest, Thinking
from autoglm_phone.chat.prompt_builder import BuiltPrompt, PromptBuilder, PromptConfig
from autoglm_phone.chat.turns import Readings
from autoglm_phone.core.conversation import AudioPart, Conversation, ImagePart, Message, TextPart
from autoglm_phone.core.errors import (
    InvalidRequest,
    MediaTooLarge,
    MediaUndecodable,
    NotSupported,
    RequestError,
    SetupError,
)
from autoglm_phone.core.ids import Digest, RequestId, TokenId
from autoglm_phone.core.module import Embeddings, Mark, MediaReading
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Request, SamplingParams
from autoglm_phone.core.transcript import HearingOptions
from autoglm_phone.models.projector.projector import Projector
from autoglm_phone.models.speech.encoder import SpeechEncoder
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.weights.encoder_files import open_encoder
from autoglm_phone.weights.gguf_file import read_metadata

GREEDY = SamplingParams(temperature=0.0)
NUM_ANSWER = 16
# Of all 1500 frames that 30 s have, and two hundredths of a second less than llama.cpp would hear as two windows.
CLIP = hum(WINDOW_SAMPLES - 300)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return hearing_files(tmp_path_factory.mktemp("hearing"))


@pytest.fixture(scope="module")
def located(files: tuple[Path, Path]) -> Located:
    text, mmproj = files
    return {"text": encoder_of([text], "text", "glm4"), "speech": encoder_of([mmproj], "speech", "ultravox")}


@pytest.fixture(scope="module")
def tokenizer(files: tuple[Path, Path]) -> Tokenizer:
    return Tokenizer(read_metadata(files[0]))


@pytest.fixture(scope="module")
def template(files: tuple[Path, Path], tokenizer: Tokenizer) -> ChatTemplate:
    return ChatTemplate(template_source(None, read_metadata(files[0]), tokenizer), tokenizer)


@pytest.fixture(scope="module")
def builder(template: ChatTemplate, tokenizer: Tokenizer) -> PromptBuilder:
    return PromptBuilder(template, tokenizer, PromptConfig(1024, 64, "error", "You hear."))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def processes(located: Located) -> AsyncGenerator[Processes, None]:
    async with started(located, max_sound_s="240") as running:
        yield running


async def heard(processes: Processes, samples: Samples) -> MediaReading:
    assert processes.media is not None
    return await processes.media.read_sound(wav(samples), param="sound")


def rows_of(reading: MediaReading) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    assert isinstance(reading.reading, Embeddings)
    return reading.reading.rows


def built(builder: PromptBuilder, reading: MediaReading, *more: str) -> BuiltPrompt:
    part = AudioPart(b"", "sound")
    first = Message("user", (TextPart("Listen: "), part, TextPart(" What is it?")))
    roles = ("assistant", "user")
    rest = (Message(roles[index % 2], (TextPart(text),)) for index, text in enumerate(more))  # type: ignore[arg-type]  # both are roles
    request = ChatRequest(Conversation((first, *rest)), GREEDY, thinking=Thinking(is_on=False))
    return builder.build(request, {part: reading})


async def answer(processes: Processes, prompt: Prompt, name: str) -> tuple[list[TokenId], int]:
    """The tokens, and how many of the prompt's were known."""
    tokens: list[TokenId] = []
    cached = 0
    async for event in processes.engine.generate(Request(RequestId(name), prompt, GREEDY, NUM_ANSWER)):
        tokens += event.tokens
        cached = event.cached_tokens
    return tokens, cached


def alone(files: Sequence[Path], samples: Samples) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Of encoder and projector by themselves, window by window."""
    opened = open_encoder(files)
    encoder = SpeechEncoder.of_files(opened)
    projector = Projector.of_files(opened, d_in=encoder.config.d_model)
    windows = [samples[start : start + WINDOW_SAMPLES] for start in range(0, len(samples), WINDOW_SAMPLES)]
    return np.concatenate([projector.project(encoder.encode(as_floats(one))) for one in windows])


async def test_greedy_answers_to_a_clip_are_those_of_llama_cpps_own_server(
    processes: Processes, files: tuple[Path, Path], builder: PromptBuilder, tokenizer: Tokenizer
) -> None:
    prompt = built(builder, await heard(processes, CLIP)).prompt
    tokens, _ = await answer(processes, prompt, "clip")
    other, _ = await answer(processes, built(builder, await heard(processes, hum(90_000, 1))).prompt, "shorter")
    [span] = prompt.embeds
    end = span.start + len(span.embeddings)
    text = f"{tokenizer.written(prompt.tokens[: span.start])}{MARKER}{tokenizer.written(prompt.tokens[end:])}"
    asked = {"prompt_string": text, "multimodal_data": [base64.b64encode(wav(CLIP)).decode()]}
    [theirs] = ask(*files, [{"prompt": asked, "n_predict": NUM_ANSWER, "ignore_eos": True}])
    assert theirs["tokens_evaluated"] == len(prompt)
    assert theirs["tokens"] == tokens != other


async def test_what_reaches_the_decoder_is_what_encoder_and_projector_give(
    processes: Processes, located: Located, files: tuple[Path, Path]
) -> None:
    sounds = [hum(5_000), hum(WINDOW_SAMPLES + 70_001, 2)]
    for samples, num_tokens in zip(sounds, (2, 172), strict=True):
        for was_cached in (False, True):
            reading = await heard(processes, samples)
            assert relative_error(rows_of(reading), alone([files[1]], samples)) < 1e-5
            assert (len(rows_of(reading)), reading.was_cached) == (num_tokens, was_cached)
    assert reading.module_digest == located["speech"].spec.digest


async def test_the_second_turn_computes_nothing_of_the_sound_again(
    processes: Processes, builder: PromptBuilder
) -> None:
    samples = hum(WINDOW_SAMPLES - 300, 5)
    first = built(builder, await heard(processes, samples))
    said, none_of_the_sound = await answer(processes, first.prompt, "first")
    again = built(builder, await heard(processes, samples))
    same, all_cached = await answer(processes, again.prompt, "again")
    further = built(builder, await heard(processes, samples), "A tone.", "Are you sure?")
    _, some_cached = await answer(processes, further.prompt, "further")
    reading = await heard(processes, hum(40_000, 6))
    _, not_of_another = await answer(processes, built(builder, reading).prompt, "another")
    newer = dataclasses.replace(reading, module_digest=Digest("another version"))
    _, not_of_the_version = await answer(processes, built(builder, newer).prompt, "newer")
    [span] = first.prompt.embeds
    assert said == same
    assert all_cached == len(first.prompt) - 1
    assert some_cached > span.start + len(span.embeddings)
    assert max(none_of_the_sound, not_of_another, not_of_the_version) <= span.start
    assert first.audio_tokens == len(span.embeddings) == 150


async def test_what_cannot_be_heard_is_refused_by_name_before_it_is_encoded(processes: Processes) -> None:
    assert processes.media is not None
    limits: dict[bytes, tuple[type[RequestError], str]] = {
        wav(hum(7 * WINDOW_SAMPLES)): (MediaTooLarge, "of 210.0 s takes 1050 tokens, and the window has 1024"),
        wav(hum(241 * 16_000)): (MediaTooLarge, "longer than the limit of 240 s"),
        b"RIFF????WAVE": (MediaUndecodable, "the sound is damaged"),
        b"no sound": (MediaUndecodable, "no sound this server reads"),
    }
    for data, (error, words) in limits.items():
        with pytest.raises(error, match=words) as refused:
            await processes.media.read_sound(data, param="messages[0]")
        assert refused.value.param == "messages[0]"


async def test_an_encoder_gives_no_transcript_and_says_what_does(processes: Processes) -> None:
    assert processes.media is not None
    with pytest.raises(NotSupported, match=r"speech module is an encoder.*chat/completions.*load a transcriber"):
        _ = [part async for part in processes.media.transcribe(wav(CLIP), HearingOptions(), param="file")]
    with pytest.raises(NotSupported, match="speech module is an encoder"):
        processes.media.live_voice()


async def test_glm_asr_is_heard_as_transformers_hears_it(located: Located, tmp_path: Path) -> None:
    """llama.cpp's variant is another network (learned positions): the reference is the maker's."""
    import torch
    from transformers import WhisperFeatureExtractor

    checkpoint = write_folder(tmp_path / "glm-asr", GLM_ASR, tensors_of(glm_asr()))
    samples = hum(WINDOW_SAMPLES + 50_000)
    mark = Mark("<|begin_of_audio|>", "<|end_of_audio|>")
    speech = encoder_of(checkpoint, "speech", "glmasr", mark=mark)
    async with started({**located, "speech": speech}) as processes:
        reading = await heard(processes, samples)
        with pytest.raises(InvalidRequest, match=r"0\.005 s is too short to be heard"):
            await heard(processes, hum(80))
    sound = as_floats(samples)
    chunks = [sound[:WINDOW_SAMPLES], sound[WINDOW_SAMPLES:]]
    taken = WhisperFeatureExtractor(feature_size=128)(
        chunks, sampling_rate=16000, return_attention_mask=True, return_tensors="pt"
    )
    with torch.inference_mode():
        theirs = glm_asr().get_audio_features(taken["input_features"], taken["attention_mask"]).pooler_output.numpy()
    assert relative_error(rows_of(reading), theirs) < 1e-3  # their extractor's frames are rounded otherwise
    assert isinstance(reading.reading, Embeddings)
    assert reading.reading.mark == mark


async def test_a_picture_and_a_sound_of_one_file_are_told_apart_and_answered_as_by_llama_cpp(
    located: Located, files: tuple[Path, Path], builder: PromptBuilder, tokenizer: Tokenizer
) -> None:
    """Both encoders are in one mmproj file, so both modules have one digest."""
    vision = encoder_of([files[1]], "vision", "glm4v")
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (112, 140, 3), np.uint8)).save(data, "png")
    picture, sound = ImagePart(data.getvalue(), "picture"), AudioPart(wav(CLIP), "sound")
    async with started({**located, "vision": vision}) as both:
        assert both.media is not None
        readings: Readings = {
            picture: await both.media.read_image(picture.data, param="picture"),
            sound: await both.media.read_sound(sound.data, param="sound"),
        }
        with pytest.raises(MediaUndecodable, match="no sound this server reads"):
            await both.media.read_sound(picture.data, param="sound")
        message = Message("user", (TextPart("See "), picture, TextPart(" and hear "), sound, TextPart(", please")))
        request = ChatRequest(Conversation((message,)), GREEDY, thinking=Thinking(is_on=False))
        built = builder.build(request, readings)
        tokens, _ = await answer(both, built.prompt, "both")
    assert (built.image_tokens, built.audio_tokens) == (20, 150)
    seen, heard_at = built.prompt.embeds
    text = tokenizer.written
    prompt = built.prompt.tokens
    begin = text(prompt[: seen.start]).removesuffix("<|begin_of_image|>")
    middle = text(prompt[seen.start + 20 : heard_at.start]).removeprefix("<|end_of_image|>")
    string = f"{begin}{MARKER}{middle}{MARKER}{text(prompt[heard_at.start + 150 :])}"
    media = [base64.b64encode(one).decode() for one in (picture.data, sound.data)]
    asked = {"prompt_string": string, "multimodal_data": media}
    [theirs] = ask(*files, [{"prompt": asked, "n_predict": NUM_ANSWER, "ignore_eos": True}])
    assert theirs["tokens_evaluated"] == len(prompt)
    assert theirs["tokens"] == tokens


def test_a_mark_must_be_of_the_decoders_vocabulary(located: Located, template: ChatTemplate) -> None:
    files = located["speech"].files
    for mark in (None, Mark("<|begin_of_image|>", ""), Mark("[a sound:]", "[its end]")):
        check_places(template, {"speech": encoder_of(files, "speech", "ultravox", mark=mark)})
    foreign = encoder_of(files, "speech", "ultravox", mark=Mark("", "<|end_of_audio|>"))
    with pytest.raises(SetupError, match=r"no control token <\|end_of_audio\|>"):
        check_places(template, {"speech": foreign})


def test_weights_and_activations_are_estimated(located: Located) -> None:
    settings, resolved = tiny_settings()
    memory = estimate_memory(settings, resolved, located)
    parts = {part.name: part for part in memory.parts}
    tensors = open_encoder(located["speech"].files).tensors
    numbers = sum(np.prod(tensors.shape(name)) for name in tensors if name.startswith(("a.", "mm.a.")))
    assert parts["speech encoder weights"].size_bytes == 4 * numbers
    assert parts["speech encoder activations"].kind == "growing"
    assert parts["PyTorch"].size_bytes > 100_000_000
    assert "speech" not in parts
    assert {part.process for part in memory.parts if part.name == "embeddings of open requests"} == {"api", "engine"}
