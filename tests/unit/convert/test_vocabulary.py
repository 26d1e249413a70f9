"""Vocabularies against tiktoken and the `tokenizers` library, and hostile files."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_checkpoint import SPECIAL, VOCAB, tokenizer_json

from autoglm_phone.convert.vocabulary import (
    NUM_RANKS,
    UNUSED,
    VOCAB_SIZE,
    Vocabulary,
    made_up_vocabulary,
    read_vocabulary,
)
from autoglm_phone.core.errors import BundleError
from autoglm_phone.text.tokenizer import CONTROL, NORMAL, USER_DEFINED, Tokenizer

RANKS = Path(__file__).parents[3].parent / "shared/data/glm4_tokenizer/glm-4-9b-chat.tokenizer.model"
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


def tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    return Tokenizer(
        {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "glm4",
            "tokenizer.ggml.tokens": vocabulary.tokens,
            "tokenizer.ggml.token_type": vocabulary.kinds,
            "tokenizer.ggml.merges": vocabulary.merges,
        }
    )


def test_what_is_made_up_has_glm4s_size_and_special_tokens() -> None:
    vocabulary = made_up_vocabulary()
    assert len(vocabulary.tokens) == len(set(vocabulary.tokens)) == VOCAB_SIZE
    ids = {name: vocabulary.id_of(name) for name in ("<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|image|>")}
    assert ids == {
        "<|endoftext|>": 151329,
        "[gMASK]": 151331,
        "<sop>": 151333,
        "<|user|>": 151336,
        "<|image|>": 151343,
    }
    assert vocabulary.kinds[:NUM_RANKS] == [NORMAL] * NUM_RANKS
    assert vocabulary.kinds[151336] == CONTROL
    assert vocabulary.kinds[151345:151349] == [USER_DEFINED] * 4
    assert set(vocabulary.kinds[151349:]) == {UNUSED}
    words = tokenizer(vocabulary)
    text = "open the settings, 打开设置 😀"
    tokens = words.encode(text)
    assert b"".join(map(words.decode_bytes, tokens)).decode() == text
    assert len(tokens) < len(text.encode())


@pytest.mark.skipif(not RANKS.is_file(), reason="GLM-4's ranks lie in ../shared, which is not here")
def test_ranks_give_the_tokens_that_tiktoken_gives() -> None:
    tiktoken = pytest.importorskip("tiktoken")
    from tiktoken.load import load_tiktoken_bpe

    theirs = tiktoken.Encoding(
        "glm4", pat_str=PATTERN, mergeable_ranks=load_tiktoken_bpe(str(RANKS)), special_tokens={}
    )
    vocabulary = read_vocabulary(RANKS, VOCAB_SIZE)
    assert vocabulary.id_of("<|endoftext|>") == 151329
    ours = tokenizer(vocabulary)
    # Words that are tokens are taken whole whatever the merges: the merges are tried without that too.
    by_merges = Tokenizer(
        {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "chatglm-bpe",
            "tokenizer.ggml.tokens": vocabulary.tokens,
            "tokenizer.ggml.token_type": vocabulary.kinds,
            "tokenizer.ggml.merges": vocabulary.merges,
        }
    )

    @given(st.text(max_size=60) | st.text("abcdeth ,.\n12 打开设置微信", max_size=60))
    @settings(max_examples=200)
    def check(text: str) -> None:
        text = text.encode("utf-8", "replace").decode()
        assert ours.encode(text) == by_merges.encode(text) == theirs.encode(text, disallowed_special=())

    check()


def written(path: Path, change: dict[str, Any]) -> Path:
    content = tokenizer_json()
    content["model"] |= change.pop("model", {})
    path.write_text(json.dumps(content | change))
    return path


def test_a_tokenizer_json_is_read_with_its_added_tokens(tmp_path: Path) -> None:
    vocabulary = read_vocabulary(written(tmp_path / "tokenizer.json", {}), VOCAB)
    assert vocabulary.id_of("the") == 257
    assert vocabulary.kinds[SPECIAL["<|user|>"]] == CONTROL
    assert vocabulary.kinds[SPECIAL["<think>"]] == USER_DEFINED
    assert (vocabulary.tokens[-1], vocabulary.kinds[-1]) == (f"[PAD{VOCAB - 1}]", UNUSED)
    assert tokenizer(vocabulary).encode("then") == [257, ord("n")]
    pairs = [merge.split(" ") for merge in vocabulary.merges]
    assert read_vocabulary(written(tmp_path / "tokenizer.json", {"model": {"merges": pairs}}), VOCAB) == vocabulary


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": {"vocab": {"a": 400}}}, "a token of id 400; config.json's vocab_size is 320"),
        ({"model": {"vocab": {"a": 1, "b": 1}}}, "two words have one id"),
        ({"model": {"vocab": {"a": -1}}}, r"\$\.model\.vocab"),
        ({"model": {"vocab": ["a"]}}, r"\$\.model\.vocab"),
        ({"model": {"merges": [["a"]]}}, r"\$\.model\.merges"),
        ({"model": {"merges": [1]}}, r"\$\.model\.merges"),
        ({"added_tokens": [{"id": 2**70, "content": "x"}]}, "added_tokens|a token of id"),
        ({"added_tokens": [{"id": 300, "content": ""}]}, "content"),
        ({"added_tokens": [{"id": 300, "content": "a"}]}, "a word has two ids"),
    ],
)
def test_a_hostile_tokenizer_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=rf"tokenizer\.json.*({said})"):
        read_vocabulary(written(tmp_path / "tokenizer.json", change), VOCAB)


@pytest.mark.parametrize("line", ["IQ== 5", "IQ==", "!! 1", "IQ== 1\nIQ== 1", "", "IQ== -1", " 1"])
def test_ranks_that_do_not_count_up_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_text(f"Ig== 0\n{line}\nIw== 2\n")
    with pytest.raises(BundleError, match=r"tokenizer\.model is damaged at line [23]"):
        read_vocabulary(path, 320)
