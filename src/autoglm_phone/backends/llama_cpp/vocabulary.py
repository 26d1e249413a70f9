"""The decoder's vocabulary as llguidance wants it: the bytes of each token, and which are no text."""

from typing import Any

from llguidance import LLTokenizer

from autoglm_phone.backends.llama_cpp.binding import (
    ATTR_CONTROL,
    ATTR_NORMAL,
    ATTR_UNKNOWN,
    ATTR_UNUSED,
    LlamaLibrary,
)

_SPECIAL = b"\xff"  # llguidance's mark of a token that is no text; 0xff is in no UTF-8
_LONGEST_TOKEN = 4096  # bytes; llguidance takes 1024 at most


def grammar_tokenizer(library: LlamaLibrary, vocab: Any) -> LLTokenizer:
    """One entry a token and one more for the end. `vocab`, a llama_vocab *, must outlive it.

    Text that a grammar forces is tokenised by llama.cpp, so that it is drawn as the model has learnt to write it.
    Takes about 0.6 s on 150,000 tokens, 0.5 s of it holding the GIL.
    """
    tokens = [*token_bytes(library, vocab), b""]
    make: Any = LLTokenizer.from_llamacpp  # type: ignore[attr-defined]  # missing in its stubs
    tokenizer: LLTokenizer = make(
        tokens=tokens,
        vocab_ptr=_address(library, vocab),
        tokenize_fptr=_address(library, library.lib.llama_tokenize),
        eos_token=len(tokens) - 1,
    )
    return tokenizer


def _address(library: LlamaLibrary, pointer: Any) -> int:
    return int(library.ffi.cast("uintptr_t", pointer))


def token_bytes(library: LlamaLibrary, vocab: Any) -> list[bytes]:
    """What each token stands for: its text, marked if it is a control token; nothing if it is never to be drawn."""
    lib, ffi = library.lib, library.ffi
    buffer = ffi.new("char[]", _LONGEST_TOKEN)
    texts = []
    for token in range(lib.llama_vocab_n_tokens(vocab)):
        attributes = lib.llama_vocab_get_attr(vocab, token)
        length = lib.llama_token_to_piece(vocab, token, buffer, _LONGEST_TOKEN, 0, True)
        if length <= 0 or attributes & (ATTR_UNKNOWN | ATTR_UNUSED):
            texts.append(b"")
            continue
        # llama.cpp calls some tokens of plain text control tokens too, because of their names, such as "</s>".
        is_special = attributes & ATTR_CONTROL and not attributes & ATTR_NORMAL
        texts.append((_SPECIAL if is_special else b"") + bytes(ffi.buffer(buffer, length)))
    return texts
