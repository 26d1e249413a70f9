"""Text to tokens and back, from a GGUF's metadata. Opens no file; plain text never becomes a control token."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from tokenizers import Regex, models, pre_tokenizers
from tokenizers import Tokenizer as FastTokenizer

from autoglm_phone.core.errors import BundleError, SetupError
from autoglm_phone.core.ids import TokenId

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4  # llama.h, llama_token_type

# Patterns by tokenizer.ggml.pre, as in llama.cpp's llama-vocab.cpp; they differ in how many digits stay together.
_DIGITS = {"qwen2": r"\p{N}", "glm4": r"\p{N}{1,3}", "chatglm-bpe": r"\p{N}{1,3}", "llama-bpe": r"\p{N}{1,3}"}
_PATTERN = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TAKES_WHOLE_WORDS = ("llama-bpe", "glm4")  # a word that is a token needs no merges to become it
_END_MARKERS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|user|>",
    "<|observation|>",
)
_GLM_START = "[gMASK]"
# What a model says with these belongs to its text: the stream parsers need to see them.
_SPOKEN = ("<think>", "</think>", "<answer>", "</answer>", "<tool_call>", "</tool_call>")


class Tokenizer:
    """Byte-level BPE. Control tokens are known by name only and are put in by the chat template's code.

    leading_token: what every prompt of this model begins with, or None.
    """

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        if metadata.get("tokenizer.ggml.model") != "gpt2":
            raise SetupError(f"tokenizer {metadata.get('tokenizer.ggml.model')!r} is not supported, only gpt2 (BPE)")
        tokens = _field(metadata, "tokenizer.ggml.tokens", str)
        types = _field(metadata, "tokenizer.ggml.token_type", int)
        if len(tokens) != len(types):
            raise BundleError(f"the model file has {len(tokens)} tokens and {len(types)} token types; fetch it again")
        self.vocab_size = len(tokens)
        self.special_tokens: dict[str, TokenId] = {
            tokens[index]: TokenId(index) for index, kind in enumerate(types) if kind in (CONTROL, USER_DEFINED)
        }
        self._special_names = {index: name for name, index in self.special_tokens.items()}
        longest_first = sorted(self.special_tokens, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._special_bytes = {
            index: name.encode() if types[index] == USER_DEFINED or name in _SPOKEN else b""
            for name, index in self.special_tokens.items()
        }
        self._fast = _fast_tokenizer(metadata, {tokens[i]: i for i, kind in enumerate(types) if kind == NORMAL})
        self._byte_of = {char: byte for byte, char in enumerate(byte_alphabet())}
        self.eos_tokens = self._find_end_tokens(metadata)
        self.bos_name, self.eos_name = (self._name(tokens, metadata, end) for end in ("bos", "eos"))
        adds_bos = metadata.get("tokenizer.ggml.add_bos_token", metadata["tokenizer.ggml.pre"] == "llama-bpe")
        self.leading_token = self.special_tokens.get(self.bos_name) if adds_bos else None
        self.longest_token_chars = max(map(len, tokens), default=1)

    def encode(self, text: str) -> list[TokenId]:
        """Tokens of plain text; `<|im_end|>` in it becomes several ordinary tokens."""
        try:
            text.encode()
        except UnicodeEncodeError:  # JSON can carry half of a surrogate pair, UTF-8 cannot
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        # Of the library's methods only the batch ones let other threads run meanwhile.
        [encoded] = self._fast.encode_batch_fast([text], add_special_tokens=False)
        return cast(list[TokenId], encoded.ids)

    def encode_trusted(self, text: str) -> list[TokenId]:
        """Tokens of text whose author may write control tokens by their names."""
        tokens: list[TokenId] = []
        for plain, special in self.split_special(text):
            tokens += self.encode(plain)
            if special is not None:
                tokens.append(special)
        return tokens

    def split_special(self, text: str) -> list[tuple[str, TokenId | None]]:
        """Text as runs of plain text, each with the control token whose name follows it."""
        if self._special is None:
            return [(text, None)]
        runs: list[tuple[str, TokenId | None]] = []
        at = 0
        for match in self._special.finditer(text):
            runs.append((text[at : match.start()], self.special_tokens[match.group()]))
            at = match.end()
        return [*runs, (text[at:], None)]

    def written(self, tokens: Iterable[TokenId]) -> str:
        """Tokens as text for a reader: control tokens by their names, broken characters as U+FFFD."""
        pieces = (self._special_names.get(token, "").encode() or self.decode_bytes(token) for token in tokens)
        return b"".join(pieces).decode("utf-8", "replace")

    def decode_bytes(self, token: TokenId) -> bytes:
        """UTF-8 bytes of a token, perhaps part of a character. A control token has none."""
        special = self._special_bytes.get(token)
        if special is not None:
            return special
        text = self._fast.id_to_token(token)
        if text is None:
            return b""  # an unused entry of the vocabulary
        try:
            return bytes(self._byte_of[char] for char in text)
        except KeyError:
            return text.encode()

    def _name(self, tokens: Sequence[str], metadata: Mapping[str, Any], end: str) -> str:
        index = metadata.get(f"tokenizer.ggml.{end}_token_id")
        return tokens[index] if isinstance(index, int) and 0 <= index < len(tokens) else ""

    def _find_end_tokens(self, metadata: Mapping[str, Any]) -> frozenset[TokenId]:
        ids = {metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")}
        ids |= {self.special_tokens.get(name) for name in _END_MARKERS}
        if _GLM_START in self.special_tokens:
            # GLM-4.1V and its fine-tunes never saw anything behind it. Source: generation_config.json of
            # GLM-4.1V-9B-Thinking, whose eos_token_id lists it with the three markers above.
            ids.add(self.special_tokens.get("</answer>"))
        return frozenset(TokenId(i) for i in ids if isinstance(i, int))


def _field(metadata: Mapping[str, Any], name: str, kind: type) -> Sequence[Any]:
    value = metadata.get(name)
    if not isinstance(value, list) or not isinstance(value[0] if value else kind(), kind):
        raise BundleError(f"the model file has no list of {kind.__name__} {name}: it cannot be tokenised for")
    return value


def _fast_tokenizer(metadata: Mapping[str, Any], vocab: dict[str, int]) -> FastTokenizer:
    """vocab has plain tokens only, so that no sequence of merges can end in a control token."""
    pre = metadata.get("tokenizer.ggml.pre", "default")
    if pre not in _DIGITS:
        raise SetupError(f"pre-tokenizer {pre!r} is not supported; known are {', '.join(sorted(_DIGITS))}")
    missing = [char for char in byte_alphabet() if char not in vocab]
    if missing:
        raise BundleError(f"the vocabulary lacks {len(missing)} of the 256 bytes: not every text could be tokenised")
    pairs = (merge.partition(" ") for merge in _field(metadata, "tokenizer.ggml.merges", str))
    merges = [(a, b) for a, _, b in pairs if a in vocab and b in vocab and a + b in vocab]
    fast = FastTokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=pre in _TAKES_WHOLE_WORDS))
    split = pre_tokenizers.Split(Regex(_PATTERN.replace("DIGITS", _DIGITS[pre])), "isolated")
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    return fast


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in order (Radford et al. 2019, encoder.py)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]
