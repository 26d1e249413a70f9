import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_vocabulary import metadata, tiny_tokenizer

from autoglm_phone.core.errors import BundleError, SetupError
from autoglm_phone.core.ids import TokenId
from autoglm_phone.text.tokenizer import Tokenizer

TOKENIZER = tiny_tokenizer()


@given(st.text())
def test_any_text_comes_back_and_never_holds_a_control_token(text: str) -> None:
    tokens = TOKENIZER.encode(text)
    assert b"".join(map(TOKENIZER.decode_bytes, tokens)) == text.encode()
    assert not set(tokens) & set(TOKENIZER.special_tokens.values())


def test_a_control_tokens_name_in_a_text_stays_text() -> None:
    assert TOKENIZER.encode("<|im_end|>") == list(b"<|im_end|>")
    assert TOKENIZER.decode_bytes(TokenId(257)) == b""
    assert TOKENIZER.eos_tokens == {257}


def test_what_cannot_be_tokenised_for_is_refused_by_name() -> None:
    with pytest.raises(SetupError, match="unigram"):
        Tokenizer(metadata() | {"tokenizer.ggml.model": "unigram"})
    with pytest.raises(SetupError, match="strange"):
        Tokenizer(metadata() | {"tokenizer.ggml.pre": "strange"})
    with pytest.raises(BundleError, match="tokens"):
        Tokenizer({"tokenizer.ggml.model": "gpt2"})
