"""ggml's quantiser through the binding, against gguf-py's (where it has one) and against our unpacking."""

from concurrent.futures import ThreadPoolExecutor

import gguf
import numpy as np
import pytest

from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.quantise import Quantiser
from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.dequantize import dequantize
from autoglm_phone.weights.gguf_types import named

ROWS = (np.random.default_rng(8).standard_normal((64, 1024)) * 0.02).astype(np.float32)


@pytest.fixture(scope="module")
def quantise() -> Quantiser:
    return Quantiser(LlamaLibrary())


@pytest.mark.parametrize("name", ["Q8_0", "Q5_0", "Q5_1", "Q4_0", "Q4_1", "F16", "BF16", "F32"])
def test_plain_formats_have_the_bytes_that_gguf_py_writes(quantise: Quantiser, name: str) -> None:
    theirs = gguf.quants.quantize(ROWS, gguf.GGMLQuantizationType[name])
    ours = quantise(ROWS, named(name))
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(("name", "limit"), [("Q6_K", 0.02), ("Q5_K", 0.04), ("Q4_K", 0.08), ("Q3_K", 0.16)])
def test_k_quants_are_near_what_they_stand_for(quantise: Quantiser, name: str, limit: float) -> None:
    packed = quantise(ROWS, named(name))
    numbers = dequantize(packed, named(name))
    assert np.array_equal(numbers, gguf.quants.dequantize(packed, gguf.GGMLQuantizationType[name]))
    assert np.sqrt(np.mean((numbers - ROWS) ** 2) / np.mean(ROWS**2)) < limit


def test_threads_do_not_disturb_each_other(quantise: Quantiser) -> None:
    alone = [quantise(ROWS[at : at + 8], named("Q4_K")).tobytes() for at in range(0, 64, 8)]
    with ThreadPoolExecutor(4) as executor:
        futures = [executor.submit(quantise, ROWS[at : at + 8], named("Q4_K")) for at in range(0, 64, 8)]
        assert [future.result().tobytes() for future in futures] == alone


def test_numbers_that_do_not_fit_are_refused(quantise: Quantiser) -> None:
    with pytest.raises(BundleError, match=r"1e\+30 do not fit into Q8_0"):
        quantise(np.full((1, 256), 1e30, np.float32), named("Q8_0"))
