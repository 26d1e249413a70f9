"""The article's figure, and what the estimate counts."""

import pytest

import autoglm_phone
from autoglm_phone.weights.memory_estimate import GIB, Precision, estimate_memory


def test_the_articles_formula_gives_its_figure() -> None:
    assert autoglm_phone.estimate_memory is estimate_memory
    assert estimate_memory(9e9, "int4", True) == pytest.approx(4.61, abs=0.005)
    assert estimate_memory(9e9, "fp16") == pytest.approx(9e9 * 2 * 1.1 / GIB)


@pytest.mark.parametrize(("precision", "bits"), [("q8_0", 8.5), ("q6_k", 6.5625), ("q4_k", 4.5), ("q4_0", 4.5)])
def test_quantised_weights_carry_their_scales(precision: Precision, bits: float) -> None:
    assert estimate_memory(GIB, precision) == pytest.approx(bits / 8 * 1.1)


def test_the_kv_cache_counts_as_it_is() -> None:
    # 40 layers, keys and values, 2 heads of 128 numbers in 2 bytes: a token of AutoGLM-Phone-9B
    per_token = 40 * 2 * 2 * 128 * 2
    with_cache = estimate_memory(9e9, "int4", kv_tokens=2048, kv_bytes_per_token=per_token)
    assert with_cache - estimate_memory(9e9, "int4") == pytest.approx(2048 * 40960 / GIB)


def test_training_takes_gradients_and_moments() -> None:
    assert estimate_memory(GIB, "bf16", inference_only=False) == pytest.approx((2 + 2 + 8) * 1.1)


def test_an_unknown_precision_and_negative_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="'int3' is not one of fp32, fp16"):
        estimate_memory(9e9, "int3")  # type: ignore[arg-type]  # what a notebook may well type
    with pytest.raises(ValueError, match="negative"):
        estimate_memory(-1, "int4")
