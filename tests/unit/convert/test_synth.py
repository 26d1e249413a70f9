"""A tiny model with random weights: it repeats, goes on after a kill, and llama.cpp computes with it."""

from pathlib import Path

import numpy as np
import pytest

from autoglm_phone.backends.llama_cpp.backend import LlamaCppBackend
from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
from autoglm_phone.backends.llama_cpp.quantise import Quantiser
from autoglm_phone.convert.draft_file import SUFFIX
from autoglm_phone.convert.mix import EncoderMix, TextMix
from autoglm_phone.convert.synth import POOL_BLOCKS, Synthesis, synthesise
from autoglm_phone.core.backend import StepItem, StepPlan
from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Request, SamplingParams
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.weights.dequantize import dequantize
from autoglm_phone.weights.gguf_file import read_metadata
from autoglm_phone.weights.gguf_tensors import read_tensors
from autoglm_phone.weights.progress import Progress, silent

PROBE = RequestId("probe")


@pytest.fixture(scope="module")
def library() -> LlamaLibrary:
    return LlamaLibrary()


def how(library: LlamaLibrary, text: TextMix = "q4_k_m", seed: int = 0, progress: Progress = silent) -> Synthesis:
    encoder: EncoderMix = "q8_0"
    return Synthesis(text, encoder, Quantiser(library), progress, seed)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, library: LlamaLibrary) -> list[Path]:
    return synthesise("tiny", tmp_path_factory.mktemp("synth"), how(library))


def test_llama_cpp_computes_sane_logits_with_it(files: list[Path], library: LlamaLibrary) -> None:
    config = LlamaCppConfig(files[0], kv_tokens=256, max_slots=1, max_step_tokens=64, threads=1)
    backend = LlamaCppBackend(config, library)
    try:
        tokens = Tokenizer(read_metadata(files[0])).encode("open the settings, please")
        backend.start_sampling(Request(PROBE, Prompt(()), SamplingParams(temperature=0.0), 1))
        backend.step(StepPlan((StepItem(SlotId(0), 0, tuple(map(TokenId, tokens)), None, PROBE),)))
        logits = backend.logits(len(tokens) - 1)
        # 256 products of a normed state with weights of standard deviation 0.02
        assert 0.2 < logits.std() < 0.5
        assert len(np.unique(logits)) > 0.99 * POOL_BLOCKS  # here a row is one block; the 9B's are 16
    finally:
        backend.close()


def test_weights_are_spread_as_networks_begin(files: list[Path]) -> None:
    file = read_tensors(files[0])
    entry = file.entries["blk.1.ffn_up.weight"]
    numbers = dequantize(file.data(entry.name), entry.type)
    assert numbers.std() == pytest.approx(0.02, rel=0.05)
    assert abs(numbers.mean()) < 1e-3
    assert len(np.unique(numbers, axis=0)) > 0.9 * len(numbers)
    assert np.all(dequantize(file.data("output_norm.weight"), file.entries["output_norm.weight"].type) == 1)


def test_the_seed_decides_and_a_run_that_was_cut_off_ends_the_same(
    tmp_path: Path, files: list[Path], library: LlamaLibrary
) -> None:
    def cut_off(file: str, done_bytes: int, total_bytes: int) -> None:
        if file.startswith("text") and done_bytes > total_bytes // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesise("tiny", tmp_path, how(library, progress=cut_off))
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".gguf", SUFFIX]
    again = synthesise("tiny", tmp_path, how(library))
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in files]
    other = synthesise("tiny", tmp_path, how(library, seed=1))
    assert other[0].read_bytes() != files[0].read_bytes()
