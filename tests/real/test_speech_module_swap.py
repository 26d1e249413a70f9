"""Ears that give words are replaced by ears that give embeddings, and by others, while the real command answers."""

import base64
import os
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest
from hearing_house import encoder_of, hearing_files, hum, wav
from running_server import RunningServer, served
from tiny_checkpoint import WIDTH, write_glm_asr

from autoglm_phone.core.module import Mark, Modality
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.bundle_file import write_bundle
from autoglm_phone.weights.module_spec import FileSpec, ModuleSpec, Widths
from autoglm_phone.weights.store import LocatedModule
from autoglm_phone.weights.verified import hash_file

pytestmark = pytest.mark.real

ADMIN = "the admin's key"
SOUND = wav(hum(29 * 16_000))
SAME = 0.05
NUM_TOKENS = 145  # ten frames of fifty a second make one


def described(spec: ModuleSpec, files: Sequence[Path], **widths: int) -> ModuleSpec:
    """With the digests that the files have."""
    named = tuple(FileSpec(path.name, path.stat().st_size, hash_file(path)) for path in files)
    changed: dict[str, Any] = {"files": named, "widths": Widths(**widths), "hub": None, "licence_files": ()}
    return type(spec)(**{name: changed.get(name, getattr(spec, name)) for name in spec.__struct_fields__})


def write_ears(folder: Path, text: Path, spec: ModuleSpec, files: Sequence[Path]) -> Path:
    """A bundle of the tiny decoder and these ears."""
    folder.mkdir()
    for path in (text, *files):
        os.link(path.resolve(), folder / path.name)
    widths = {"d_out": WIDTH} if spec.kind == "encoder" else {}
    modules: dict[Modality, ModuleSpec] = {
        "text": described(encoder_of([text], "text", "glm4").spec, [text], d_model=WIDTH),
        "speech": described(spec, files, **widths),
    }
    bundle = Bundle(folder.name, folder.name, "MIT", "tiny", folder, modules, "You hear.", SamplingParams(), 4096)
    write_bundle(bundle, folder, {})
    return folder


@pytest.fixture(scope="module")
def ears(nano: dict[Modality, LocatedModule], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A transcriber; Whisper's encoder twice, with other weights; GLM-ASR's."""
    folder = tmp_path_factory.mktemp("ears")
    text, first = hearing_files(folder / "first")
    _, second = hearing_files(folder / "second", seed=9)
    third = write_glm_asr(folder / "glm-asr", WIDTH)
    checkpoint = [third / "config.json", third / "model.safetensors"]
    marked = Mark("<|begin_of_image|>", "<|end_of_image|>")
    kinds: dict[str, tuple[ModuleSpec, Sequence[Path]]] = {
        "words": (nano["speech"].spec, nano["speech"].files),
        "one": (encoder_of([first], "speech", "ultravox", "one").spec, [first]),
        "two": (encoder_of([second], "speech", "ultravox", "two").spec, [second]),
        "three": (encoder_of(checkpoint, "speech", "glmasr", "three", marked).spec, checkpoint),
        "foreign": (encoder_of([first], "speech", "ultravox", "foreign", Mark("<|audio|>", "")).spec, [first]),
    }
    return {name: write_ears(folder / name, text, *one) for name, one in kinds.items()}


@pytest.fixture(scope="module")
def server(ears: dict[str, Path]) -> Iterator[RunningServer]:
    flags = ("--admin-key", ADMIN, "--module-path", str(ears["words"].parent), "--voice", "off")
    with served("--model", str(ears["words"]), *flags) as running:
        yield running


def change(server: RunningServer, method: str, source: Path | None = None) -> httpx.Response:
    body = {"source": str(source)} if source is not None else None
    headers = {"Authorization": f"Bearer {ADMIN}"}
    url = f"{server.api}/modules/speech"
    return httpx.request(method, url, json=body, headers=headers, timeout=60, trust_env=False)


def said(server: RunningServer) -> tuple[dict[str, float], dict[str, Any]]:
    """How likely the first words of an answer to the sound are, and what was counted for it."""
    sound = {"type": "input_audio", "input_audio": {"data": base64.b64encode(SOUND).decode(), "format": "wav"}}
    body = {
        "messages": [{"role": "user", "content": [sound, {"type": "text", "text": "What is it?"}]}],
        "temperature": 0,
        "max_tokens": 1,
        "logprobs": True,
        "top_logprobs": 20,
    }
    response = httpx.post(f"{server.api}/chat/completions", json=body, timeout=60, trust_env=False)
    assert response.status_code == 200, response.text
    told = response.json()
    [token] = told["choices"][0]["logprobs"]["content"]
    likely = {str(one["bytes"]) + one["token"]: one["logprob"] for one in token["top_logprobs"]}
    return likely, told["usage"]["prompt_tokens_details"]


def are_same(one: dict[str, float], other: dict[str, float]) -> bool:
    """Logits move a little with the width of a batch; another sound moves them far more."""
    common = one.keys() & other.keys()
    return len(common) > len(one) * 2 / 3 and max(abs(one[token] - other[token]) for token in common) < SAME


def transcribed(server: RunningServer) -> httpx.Response:
    files = {"file": ("a.wav", SOUND)}
    return httpx.post(f"{server.api}/audio/transcriptions", files=files, timeout=60, trust_env=False)


def test_ears_are_replaced_and_nothing_of_one_is_told_by_another(server: RunningServer, ears: dict[str, Path]) -> None:
    by_words, _ = said(server)
    assert transcribed(server).status_code == 200
    answers = {"words": by_words}
    for name, num_tokens in (("one", NUM_TOKENS), ("two", NUM_TOKENS), ("three", 362)):
        changed = change(server, "POST", ears[name])
        assert changed.status_code == 200, changed.text
        answers[name], counted = said(server)
        assert counted["audio_tokens"] == num_tokens
        assert counted["cached_tokens"] < num_tokens  # the sound is another to another module
        again, counted = said(server)
        assert are_same(again, answers[name])
        assert counted["cached_tokens"] > num_tokens
        refused = transcribed(server)
        assert (refused.status_code, refused.json()["error"]["code"]) == (501, "not_supported")
        assert "is an encoder" in refused.json()["error"]["message"]
    assert not any(are_same(one, other) for one, other in combinations(answers.values(), 2))
    card = httpx.get(f"{server.api}/models", trust_env=False).json()["data"][0]
    [speech] = [one for one in card["modules"] if one["modality"] == "speech"]
    assert (speech["kind"], speech["arch"], speech["version"]) == ("encoder", "glmasr", "three")
    parts = {part["name"] for part in httpx.get(f"{server.api}/memory", trust_env=False).json()["estimated"]["parts"]}
    assert {"speech encoder weights", "speech encoder activations"} <= parts

    foreign = change(server, "POST", ears["foreign"])
    assert (foreign.status_code, "no control token <|audio|>" in foreign.text) == (409, True)
    assert change(server, "POST", ears["one"]).status_code == 200
    assert are_same(said(server)[0], answers["one"])

    assert change(server, "DELETE").status_code == 200
    assert transcribed(server).json()["error"]["code"] == "unsupported_modality"
    assert change(server, "POST", ears["words"]).status_code == 200
    assert are_same(said(server)[0], answers["words"])
    assert transcribed(server).status_code == 200
