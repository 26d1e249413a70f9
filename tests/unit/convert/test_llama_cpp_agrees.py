"""Converted files in unmodified llama.cpp and in our own parts, against `transformers` on the checkpoint they are of.

Text, a picture that needs no resize, and a sound heard by a Whisper encoder with an Ultravox projector: greedy tokens
are the same of all three, and llama.cpp's log-probabilities are within TOLERANCE. It keeps keys and values in half
precision. Ours are the encoders in PyTorch, read from the converted file, in front of the llama.cpp backend.
"""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_server import MARKER, ask
from PIL import Image
from tiny_checkpoint import SPECIAL, WIDTH, tokenizer_json, write_checkpoint, write_whisper

from autoglm_phone.backends.llama_cpp.backend import LlamaCppBackend
from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
from autoglm_phone.backends.llama_cpp.quantise import Quantiser
from autoglm_phone.convert.mix import EncoderMix, TextMix
from autoglm_phone.convert.to_gguf import Conversion, Speech, convert_encoders, convert_text
from autoglm_phone.core.backend import StepItem, StepPlan
from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Request, SamplingParams
from autoglm_phone.models.speech.log_mel import log_mel
from autoglm_phone.models.vision.grid import PixelBudget
from autoglm_phone.weights.checkpoint import open_checkpoint
from autoglm_phone.weights.encoder_files import open_encoder
from autoglm_phone.weights.progress import silent

torch = pytest.importorskip("torch", reason="scripts/setup.sh torch")
transformers = pytest.importorskip("transformers", reason="pip install transformers==5.24.0")

from autoglm_phone.models.projector.projector import Projector  # noqa: E402  # these need torch
from autoglm_phone.models.speech.encoder import SpeechEncoder  # noqa: E402
from autoglm_phone.models.vision.encoder import VisionEncoder  # noqa: E402

Floats = np.ndarray[Any, np.dtype[np.float32]]

TOLERANCE = 0.01  # of log-probabilities; the spread of the logits is about 1
NUM_TOKENS = 12
PROMPT = "open the settings on the phone"
BEFORE, BEHIND = "[gMASK]<sop><|user|>\n", f"{PROMPT}<|assistant|>\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny-9b")


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whisper(tmp_path_factory.mktemp("checkpoint") / "whisper", stack=10)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    """Read by transformers itself: it would name tensors that are missing or unexpected."""
    model, info = transformers.Glm4vForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    return model.eval()


def converted(
    folder: Path, out: Path, text: TextMix, encoder: EncoderMix = "f32", speech: Path | None = None
) -> tuple[Path, Path]:
    how = Conversion(text, encoder, Quantiser(LlamaLibrary()), 2, silent)
    checkpoint = open_checkpoint(folder)
    heard = None if speech is None else Speech(open_checkpoint(speech), open_checkpoint(speech))
    mmproj = convert_encoders(checkpoint, out, how, heard)
    assert mmproj is not None
    return convert_text(checkpoint, out, how), mmproj


def tokens_of(text: str) -> list[int]:
    """By the `tokenizers` library itself; byte-level, with the special tokens by name."""
    from tokenizers import Regex, Tokenizer, pre_tokenizers

    content = tokenizer_json()
    content["added_tokens"] = [
        {**token, "single_word": False, "lstrip": False, "rstrip": False} for token in content["added_tokens"]
    ]
    content["model"] |= {"ignore_merges": True, "fuse_unk": False, "byte_fallback": False}
    tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", **content}))
    words = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def greedy(model: Any, **inputs: Any) -> tuple[list[int], Floats]:
    """Tokens, and the log-probabilities (tokens, vocabulary) that each was chosen by."""
    with torch.inference_mode():
        out = model.generate(
            **inputs,
            max_new_tokens=NUM_TOKENS,
            min_new_tokens=NUM_TOKENS,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
            pad_token_id=SPECIAL["<|endoftext|>"],
        )
        logits = torch.cat(out.logits)
    return out.sequences[0, -NUM_TOKENS:].tolist(), torch.log_softmax(logits, dim=-1).numpy()


def compare(answer: dict[str, Any], tokens: Sequence[int], logprobs: Floats, tolerance: float = TOLERANCE) -> None:
    assert answer["tokens"] == list(tokens)
    for step, said in enumerate(answer["completion_probabilities"]):
        for other in said["top_logprobs"]:
            assert other["logprob"] == pytest.approx(logprobs[step, other["id"]], abs=tolerance), (step, other)


def asked(prompt: Any) -> dict[str, Any]:
    return {"prompt": prompt, "n_predict": NUM_TOKENS, "n_probs": 20, "ignore_eos": False}


@pytest.mark.parametrize(("mix", "tolerance"), [("f32", TOLERANCE), ("f16", TOLERANCE), ("q8_0", 0.1)])
def test_text_is_continued_as_transformers_continues_it(
    tmp_path: Path, folder: Path, reference: Any, mix: TextMix, tolerance: float
) -> None:
    text, _ = converted(folder, tmp_path, mix)
    tokens = tokens_of(f"{BEFORE}{BEHIND}")
    by_ids, by_text = ask(text, None, [asked(tokens), asked(f"{BEFORE}{BEHIND}")])
    assert by_text["tokens_evaluated"] == len(tokens)
    assert by_text["tokens"] == by_ids["tokens"] == ours(text, tokens_of(BEFORE), None, None)
    compare(by_ids, *greedy(reference, input_ids=torch.tensor([tokens])), tolerance)


def ours(gguf: Path, before: Sequence[int], medium: Floats | None, grid: tuple[int, int] | None) -> list[int]:
    """Greedy tokens behind a medium's embeddings and BEHIND. grid: a picture's rows and columns of tokens."""
    from autoglm_phone.models.text.positions import ImageSpan, mrope_positions

    config = LlamaCppConfig(gguf, kv_tokens=512, max_slots=1, max_step_tokens=256, threads=1)
    backend = LlamaCppBackend(config, LlamaLibrary())
    probe, slot, cells, lag = RequestId("probe"), SlotId(0), 0, 0
    items = [StepItem(slot, cells, tuple(map(TokenId, before)))]
    cells += len(before)
    if medium is not None:
        places = None
        if grid is not None:
            places = np.ascontiguousarray(mrope_positions([ImageSpan(*grid)], cells).T, np.int32)
            lag = len(medium) - max(grid)
        items.append(StepItem(slot, cells, (TokenId(0),) * len(medium), medium, positions=places))
        cells += len(medium)
    try:
        backend.start_sampling(Request(probe, Prompt(()), SamplingParams(temperature=0.0), NUM_TOKENS))
        given = tuple(map(TokenId, tokens_of(BEHIND if grid is None else f"<|end_of_image|>{BEHIND}")))
        tokens: list[int] = []
        while len(tokens) < NUM_TOKENS:
            items.append(StepItem(slot, cells, given, sample_for=probe, lag=lag))
            cells += len(given)
            given = backend.step(StepPlan(tuple(items))).sampled[probe]
            tokens += given
            items = []
        return tokens
    finally:
        backend.close()


def png(pixels: np.ndarray[Any, Any]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_a_picture_is_seen_as_transformers_sees_it(tmp_path: Path, folder: Path, reference: Any) -> None:
    from transformers.models.glm4v.image_processing_pil_glm4v import Glm4vImageProcessorPil

    width, height = 140, 112  # multiples of 28, and more pixels than the least: nothing is resized
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    taken = Glm4vImageProcessorPil(size={"shortest_edge": 112 * 112, "longest_edge": 10**7})(
        pixels, return_tensors="pt"
    )
    assert taken["image_grid_thw"].tolist() == [[1, height // 14, width // 14]]
    num_tokens = (width // 28) * (height // 28)
    picture = "<|begin_of_image|>" + "<|image|>" * num_tokens + "<|end_of_image|>"
    tokens = torch.tensor([tokens_of(f"{BEFORE}{picture}{BEHIND}")])
    expected = greedy(
        reference,
        input_ids=tokens,
        mm_token_type_ids=(tokens == SPECIAL["<|image|>"]).int(),
        pixel_values=taken["pixel_values"],
        image_grid_thw=taken["image_grid_thw"],
    )
    prompt = {"prompt_string": f"{BEFORE}{MARKER}{BEHIND}", "multimodal_data": [png(pixels)]}
    text, mmproj = converted(folder, tmp_path, "f32")
    [answer] = ask(text, mmproj, [asked(prompt)])
    compare(answer, *expected)
    embeddings = VisionEncoder.of_files(open_encoder([mmproj]), budget=PixelBudget()).encode(pixels)
    assert ours(text, tokens_of(f"{BEFORE}<|begin_of_image|>"), embeddings, (height // 28, width // 28)) == expected[0]
    blind = greedy(reference, input_ids=torch.tensor([tokens_of(f"{BEFORE}{BEHIND}")]))[0]
    assert expected[0] != blind


def wav(samples: np.ndarray[Any, Any]) -> str:
    file = io.BytesIO()
    data = samples.astype("<i2").tobytes()
    rate = 16000
    file.write(b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little"))
    file.write((1).to_bytes(2, "little") * 2 + rate.to_bytes(4, "little") + (2 * rate).to_bytes(4, "little"))
    file.write(
        (2).to_bytes(2, "little") + (16).to_bytes(2, "little") + b"data" + len(data).to_bytes(4, "little") + data
    )
    return base64.b64encode(file.getvalue()).decode()


def heard(samples: Floats, whisper: Path) -> Any:
    """Embeddings (tokens, width) of up to 30 s: transformers' Whisper encoder, then the projector in plain torch."""
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    from autoglm_phone.weights.dequantize import dequantize
    from autoglm_phone.weights.gguf_types import named

    tensors = {
        name: torch.from_numpy(dequantize(tensor.data(), named(tensor.dtype)).reshape(tensor.shape))
        for name, tensor in open_checkpoint(whisper).tensors.items()
    }
    encoder = WhisperEncoder(WhisperConfig(**json.loads((whisper / "config.json").read_text())))
    prefix = "model.encoder."
    encoder.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
    mel = WhisperFeatureExtractor(feature_size=80)(samples, sampling_rate=16000, return_tensors="pt")["input_features"]

    def normed(x: Any, name: str) -> Any:
        scale = torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)
        return x * scale * tensors[f"multi_modal_projector.{name}.weight"]

    with torch.inference_mode():
        frames = encoder.eval()(mel).last_hidden_state[0]  # (1500, width)
        stacked = frames.reshape(len(frames) // 10, -1)
        inner = normed(stacked, "ln_pre") @ tensors["multi_modal_projector.linear_1.weight"].T
        value, gate = inner.chunk(2, dim=-1)
        return (
            normed(value * torch.nn.functional.silu(gate), "ln_mid")
            @ tensors["multi_modal_projector.linear_2.weight"].T
        )


def test_a_sound_is_heard_as_whisper_and_ultravox_hear_it(
    tmp_path: Path, folder: Path, whisper: Path, reference: Any
) -> None:
    """Just under 30 s: of exactly 30 s llama.cpp makes two windows. Positions of a sound count up as a text's do."""
    time = np.arange(int(29.9 * 16000)) / 16000
    noise = np.random.default_rng(2).standard_normal(len(time))
    clean = (0.3 * np.sin(2 * np.pi * (300 + 20 * time) * time) + 0.02 * noise).clip(-1, 1)
    written = np.round(clean * 32767).astype(np.int16)  # as a file has them
    samples = written.astype(np.float32) * np.float32(1 / 32768)
    table = reference.get_input_embeddings()
    embeddings = heard(samples, whisper)
    assert embeddings.shape == (150, WIDTH)
    before, behind = (table(torch.tensor(tokens_of(part))) for part in (BEFORE, BEHIND))
    inputs = torch.cat([before, embeddings, behind])[None].detach()
    expected = greedy(reference, inputs_embeds=inputs)
    prompt = {"prompt_string": f"{BEFORE}{MARKER}{BEHIND}", "multimodal_data": [wav(written)]}
    text, mmproj = converted(folder, tmp_path, "f32", "f32", whisper)
    [answer] = ask(text, mmproj, [asked(prompt)])
    compare(answer, *expected, tolerance=0.05)
    file = open_encoder([mmproj])
    # all of the window, as llama.cpp has it: our server's encoder leaves the silence out
    frames = SpeechEncoder.of_files(file).encode_mel(log_mel(samples, 80))
    sound = Projector.of_files(file, d_in=frames.shape[1]).project(frames)
    assert sound.shape == embeddings.shape
    assert ours(text, tokens_of(BEFORE), sound, None) == expected[0]
