"""Text to tokens and back, from a GGUF's metadata. Opens no file; plain text never becomes a control token."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tokenizers import Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as FastTokenizer

from autoglm_phone.core.errors import BundleError, SetupError
from autoglm_phone.core.ids import TokenId

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4  # llama.h, llama_token_type

# Patterns by tokenizer.ggml.pre, as in llama.cpp's llama-vocab.cpp; they differ in how many digits stay together.
_DIGITS = {"qwen2": r"\p{N}", "glm4": r"\p{N}{1,3}", "chatglm-bpe": r"\p{N}{1,3}", "llama-bpe": r"\p{N}{1,3}"}
_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_END_MARKERS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>")


class Tokenizer:
    """Byte-level BPE. Control tokens are known by name only and are put in by the chat template's code."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        tokens, types = _field(metadata, "tokenizer.ggml.tokens"), _field(metadata, "tokenizer.ggml.token_type")
        if metadata.get("tokenizer.ggml.model") != "gpt2":
            raise SetupError(f"tokenizer {metadata.get('tokenizer.ggml.model')!r} is not supported, only gpt2 (BPE)")
        self.special_tokens: dict[str, TokenId] = {
            token: TokenId(index)
            for index, (token, kind) in enumerate(zip(tokens, types, strict=True))
            if kind in (CONTROL, USER_DEFINED)
        }
        self._special_ids = {index: token for token, index in self.special_tokens.items()}
        self.vocab_size = len(tokens)
        self._fast = _fast_tokenizer(metadata, tokens)
        self.eos_tokens = self._find_end_tokens(metadata)
        self._decode_alphabet = {char: byte for byte, char in _byte_alphabet().items()}
        self._tokens = tokens

    def encode(self, text: str) -> list[TokenId]:
        """Tokens of plain text; `<|im_end|>` in it becomes several ordinary tokens."""
        return [TokenId(token) for token in self._fast.encode(text, add_special_tokens=False).ids]

    def decode_bytes(self, token: TokenId) -> bytes:
        """UTF-8 bytes of a token, perhaps part of a character. A control token has none."""
        name = self._special_ids.get(token)
        if name is not None:
            return b"" if name.startswith("<|") else name.encode()
        text: str = self._tokens[token]
        try:
            return bytes(self._decode_alphabet[char] for char in text)
        except KeyError:
            return text.encode()

    def _find_end_tokens(self, metadata: Mapping[str, Any]) -> frozenset[TokenId]:
        ids = {metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")}
        ids |= {self.special_tokens.get(name) for name in _END_MARKERS}
        return frozenset(TokenId(i) for i in ids if isinstance(i, int))


def _field(metadata: Mapping[str, Any], name: str) -> list[Any]:
    value = metadata.get(name)
    if not isinstance(value, list):
        raise BundleError(f"the model file has no list {name}: it cannot be tokenised for")
    return value


def _fast_tokenizer(metadata: Mapping[str, Any], tokens: list[str]) -> FastTokenizer:
    pre = metadata.get("tokenizer.ggml.pre", "default")
    if pre not in _DIGITS:
        raise SetupError(f"pre-tokenizer {pre!r} is not supported; known are {', '.join(sorted(_DIGITS))}")
    merges = [tuple(merge.split(" ", 1)) for merge in _field(metadata, "tokenizer.ggml.merges")]
    vocab = {token: index for index, token in enumerate(tokens)}
    fast = FastTokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=pre in ("llama-bpe", "glm4")))
    split = pre_tokenizers.Split(Regex(_PATTERN.replace("DIGITS", _DIGITS[pre])), "isolated")
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    fast.decoder = decoders.ByteLevel()
    return fast


@lru_cache(maxsize=1)
def _byte_alphabet() -> dict[int, str]:
    """GPT-2's printable stand-ins for the 256 bytes (Radford et al. 2019, encoder.py)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + k) for k, byte in enumerate(others)}
