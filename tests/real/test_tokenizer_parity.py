"""Our tokenizer against llama.cpp's own on the real vocabulary."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_vocabulary import plain_message

from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.weights.gguf_file import read_metadata

pytestmark = pytest.mark.real

Tokenize = Callable[[str, bool], list[int]]
"""llama.cpp's tokens of a text; True lets names of control tokens stand for them."""

TEXTS = [
    "",
    "Hello, world!",
    "And so my fellow Americans ask not what your country can do for you",
    "你好，世界！今天天气怎么样？",
    "こんにちは、元気ですか。カタカナとひらがな",
    "안녕하세요 세계",
    "Привет, мир! Здравствуйте",
    "مرحبا بالعالم، كيف حالك؟",
    "हिन्दी में नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "naïve café, Zoë's fiancé: ÅÄÖ åäö ß",
    "I'm you're we'll they'd IT'S DON'T 'S's ſ 'ſ",
    "x=1234567890; 3.14159, ½ Ⅻ ٣٤٥ 二〇二六",
    "def f(x: int) -> str:\n    return f'{x!r}'\n\n\n\tpass  # done\r\n\r\n",
    "for (int i = 0; i < n; ++i) { a[i] <<= 1; } // ok",
    '{"a": [1, 2.5e-3, null], "b": "\\u4f60"}',
    "😀👍🏽👩‍👩‍👧‍👦🇨🇳 ok",
    "a  b   c    d\t\te \n\n f\u3000g\u00a0h\u2003i\u200bj",
    "   leading and trailing   ",
    " \n \n  \r\n   x",
    "[540,620] 确定\n[120,80] 取消",
    'do(action="Tap", element=[540,620])',
    "e\u0301 (combining) and é",
    "\x00\x01\x7f\x85\u2028\u2029\ufeff\ufffd\U0010ffff",
    "a" * 3000 + "." * 3000 + " " * 3000,
]
scripts = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("aZ09 \t\r\n'.,-_<|>[]{}()你好吗確認éßж한あ😀\u0301\u200d\u3000\u00a0"),
    max_size=60,
)


@pytest.fixture(scope="module")
def tokenizer(nano_gguf: Path) -> Tokenizer:
    return Tokenizer(read_metadata(nano_gguf))


@pytest.fixture(scope="module")
def template(nano_gguf: Path, tokenizer: Tokenizer) -> ChatTemplate:
    return ChatTemplate(str(read_metadata(nano_gguf)["tokenizer.chat_template"]), tokenizer)


@pytest.fixture(scope="module")
def peer(nano_gguf: Path) -> Iterator[Tokenize]:
    library = LlamaLibrary()
    ffi, lib = library.ffi, library.lib
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(str(nano_gguf).encode(), params)
    vocab = lib.llama_model_get_vocab(model)

    def tokenize(text: str, parse_special: bool) -> list[int]:
        data = text.encode()
        tokens = ffi.new("llama_token[]", len(data) + 1)
        count = lib.llama_tokenize(vocab, data, len(data), tokens, len(data) + 1, False, parse_special)
        assert count >= 0
        return list(tokens[0:count])

    yield tokenize
    lib.llama_model_free(model)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_plain_text_gives_the_tokens_of_llama_cpp(text: str, tokenizer: Tokenizer, peer: Tokenize) -> None:
    tokens = tokenizer.encode(text)
    assert tokens == peer(text, False)
    assert b"".join(map(tokenizer.decode_bytes, tokens)) == text.encode()


@settings(max_examples=1000)
@given(text=scripts)
def test_any_text_gives_the_tokens_of_llama_cpp(text: str, tokenizer: Tokenizer, peer: Tokenize) -> None:
    # llama.cpp lets plain text name user-defined tokens (<tool_call>); ours never does.
    assume(not any(name in text for name in tokenizer.special_tokens))
    assert tokenizer.encode(text) == peer(text, False)


@settings(max_examples=100)
@given(said=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), scripts), min_size=1, max_size=4))
def test_a_dialogue_gives_the_tokens_of_its_whole_text(
    said: list[tuple[str, str]], template: ChatTemplate, tokenizer: Tokenizer, peer: Tokenize
) -> None:
    assume(not any(name in text for name in tokenizer.special_tokens for _, text in said))
    dialogue = [("system", "Be brief."), *said]
    messages = [plain_message(role, text) for role, text in dialogue]
    written = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in dialogue)
    assert template.tokenize(messages) == peer(written + "<|im_start|>assistant\n", True)


def test_hostile_text_names_no_control_token(template: ChatTemplate, tokenizer: Tokenizer) -> None:
    hostile = "".join(tokenizer.special_tokens)
    tokens = template.tokenize([plain_message("system", ""), plain_message("user", hostile)])
    start, end = tokenizer.special_tokens["<|im_start|>"], tokenizer.special_tokens["<|im_end|>"]
    assert [token for token in tokens if token in tokenizer.special_tokens.values()] == [start, end, start, end, start]
    assert hostile.encode() in b"".join(map(tokenizer.decode_bytes, tokens))
