import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_vocabulary import metadata, tiny_tokenizer

from autoglm_phone.core.errors import BundleError, SetupError
from autoglm_phone.core.ids import TokenId
from autoglm_phone.text.tokenizer import CONTROL, NORMAL, USER_DEFINED, Tokenizer

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


def test_half_of_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert TOKENIZER.encode("a\ud800b") == list("a\ufffdb".encode())
    assert TOKENIZER.encode("\ud83d\ude00") == list("\U0001f600".encode())


def test_merges_cannot_end_in_a_control_token() -> None:
    tricky = metadata() | {"tokenizer.ggml.pre": "llama-bpe"}
    tricky["tokenizer.ggml.tokens"] = [*tricky["tokenizer.ggml.tokens"], "EO", "EOS"]
    tricky["tokenizer.ggml.token_type"] = [*tricky["tokenizer.ggml.token_type"], NORMAL, CONTROL]
    tricky["tokenizer.ggml.merges"] = ["E O", "EO S", "broken"]
    assert Tokenizer(tricky).encode("EOS") == [258, ord("S")]


def test_what_a_model_says_with_tags_is_text() -> None:
    tagged = metadata()
    tagged["tokenizer.ggml.tokens"] = [*tagged["tokenizer.ggml.tokens"], "[gMASK]", "</think>", "<mine>"]
    tagged["tokenizer.ggml.token_type"] = [*tagged["tokenizer.ggml.token_type"], CONTROL, CONTROL, USER_DEFINED]
    tokenizer = Tokenizer(tagged)
    said = [tokenizer.decode_bytes(TokenId(token)) for token in (258, 259, 260, 261)]
    assert said == [b"", b"</think>", b"<mine>", b""]


def test_a_vocabulary_without_all_bytes_is_refused() -> None:
    short = metadata()
    short["tokenizer.ggml.tokens"] = ["<|im_end|>"] * 258
    with pytest.raises(BundleError, match="256 bytes"):
        Tokenizer(short)
    with pytest.raises(BundleError, match="257 token types"):
        Tokenizer(metadata() | {"tokenizer.ggml.token_type": [NORMAL] * 257})
