import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.backends.llama_cpp.logprobs import token_logprobs
from autoglm_phone.core.ids import TokenId


def reference(logits: np.ndarray) -> np.ndarray:
    wide = logits.astype(np.float64)
    return np.asarray(wide - wide.max() - np.log(np.exp(wide - wide.max()).sum()))


@given(st.integers(0, 1000), st.integers(1, 300), st.integers(0, 20), st.sampled_from([1.0, 30.0, 1000.0]))
def test_they_are_the_log_softmax_in_falling_order(seed: int, size: int, num_top: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    logits = (rng.normal(size=size) * scale).astype(np.float32)
    token = TokenId(int(rng.integers(size)))
    told, expected = token_logprobs(logits, token, num_top), reference(logits)
    assert told.logprob == pytest.approx(expected[token], abs=1e-4)
    assert [index for index, _ in told.top] == np.argsort(-logits, kind="stable")[:num_top].tolist()
    assert [value for _, value in told.top] == pytest.approx([expected[index] for index, _ in told.top], abs=1e-4)


def test_a_whole_vocabulary_of_probabilities_sums_to_one() -> None:
    logits = (np.random.default_rng(1).normal(size=150_000) * 5).astype(np.float32)
    told = token_logprobs(logits, TokenId(3), len(logits))
    assert np.exp([value for _, value in told.top]).sum() == pytest.approx(1.0, abs=1e-6)


def test_among_equals_the_first_is_on_top_as_with_argmax() -> None:
    logits = np.zeros(50, dtype=np.float32)
    assert [index for index, _ in token_logprobs(logits, TokenId(9), 3).top] == [0, 1, 2]
