"""The words of a tokenizer as a GGUF lists them: from tokenizer.json, from tiktoken's ranks, or made up.

Files are hostile: sizes before reading, ids within the vocabulary; faults are BundleErrors that name the file.
Source: llama.cpp b11549, conversion/base.py (get_vocab_base) and conversion/chatglm.py (ranks to merges).
"""

import base64
import binascii
import itertools
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from autoglm_phone.core.errors import BundleError
from autoglm_phone.text.tokenizer import CONTROL, NORMAL, USER_DEFINED, byte_alphabet
from autoglm_phone.weights.checkpoint import read_json

UNUSED = 5  # llama.h, llama_token_type
MAX_TOKENIZER_BYTES = 32 << 20
MAX_TOKEN_BYTES = 1024

# GLM-4's, in order from the first id behind its ranks. The last four belong to what the model says.
SPECIAL_TOKENS = (
    *("<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>"),
    *("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
    *("<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>", "<|image|>", "<|video|>"),
    *("<think>", "</think>", "<answer>", "</answer>"),
)
SPOKEN = 4
NUM_RANKS = 151_329  # GLM-4's plain tokens
VOCAB_SIZE = 151_552  # with its special tokens and padding


@dataclass(frozen=True)
class Vocabulary:
    """tokens: by id, in GPT-2's printable bytes. merges: "a b", the strongest first. kinds: llama_token_type."""

    tokens: list[str]
    kinds: list[int]
    merges: list[str]

    def id_of(self, token: str) -> int | None:
        return next((index for index, name in enumerate(self.tokens) if name == token), None)


class _Added(msgspec.Struct, frozen=True):
    id: Annotated[int, Meta(ge=0)]
    content: Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN_BYTES)]
    special: bool = False


class _Model(msgspec.Struct, frozen=True):
    vocab: dict[str, Annotated[int, Meta(ge=0)]]
    merges: list[str | tuple[str, str]]


class _TokenizerJson(msgspec.Struct, frozen=True):
    model: _Model
    added_tokens: list[_Added] = []


def read_vocabulary(path: Path, vocab_size: int) -> Vocabulary:
    """From a tokenizer.json, or a file of ranks; ids up to vocab_size that nothing stands for are padding."""
    if path.suffix == ".json":
        file = read_json(path, _TokenizerJson, MAX_TOKENIZER_BYTES)
        plain = {index: token for token, index in file.model.vocab.items()}
        if len(plain) != len(file.model.vocab):
            raise BundleError(f"{path.name} is damaged: two words have one id")
        added = {token.id: (token.content, _kind(token)) for token in file.added_tokens}
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in file.model.merges]
        return _vocabulary(path.name, plain, added, merges, vocab_size)
    ranks = _read_ranks(path)
    plain = {rank: printable(token) for token, rank in ranks.items()}
    return _vocabulary(path.name, plain, _special(len(ranks)), list(_merges(ranks)), vocab_size)


def made_up_vocabulary() -> Vocabulary:
    """As large as GLM-4's, with its special tokens: all bytes, then words of two to four small letters.

    For random weights, which know no words anyway: every text can be written with it, about two letters a token.
    """
    letters = string.ascii_lowercase
    words = itertools.chain.from_iterable(itertools.product(letters, repeat=length) for length in (2, 3, 4))
    made = ["".join(word) for word in itertools.islice(words, NUM_RANKS - 256)]
    plain = dict(enumerate([*byte_alphabet(), *made]))
    merges = [f"{word[:-1]} {word[-1]}" for word in made]
    return _vocabulary("the made-up vocabulary", plain, _special(NUM_RANKS), merges, VOCAB_SIZE)


def _special(first: int) -> dict[int, tuple[str, int]]:
    controls = len(SPECIAL_TOKENS) - SPOKEN
    return {
        first + place: (name, CONTROL if place < controls else USER_DEFINED)
        for place, name in enumerate(SPECIAL_TOKENS)
    }


def _kind(token: _Added) -> int:
    """llama.cpp too takes what looks like a control token for one, whatever the file says."""
    looks_special = token.content.startswith("<|") and token.content.endswith("|>")
    return CONTROL if token.special or looks_special else USER_DEFINED


def _vocabulary(
    name: str, plain: dict[int, str], added: dict[int, tuple[str, int]], merges: list[str], vocab_size: int
) -> Vocabulary:
    largest = max([*plain, *added], default=-1)
    if largest >= vocab_size:
        raise BundleError(f"{name} has a token of id {largest}; config.json's vocab_size is {vocab_size}")
    tokens, kinds = [f"[PAD{index}]" for index in range(vocab_size)], [UNUSED] * vocab_size
    for index, token in plain.items():
        tokens[index], kinds[index] = token, NORMAL
    for index, (token, kind) in added.items():
        tokens[index], kinds[index] = token, kind
    if len(set(tokens)) != vocab_size:
        raise BundleError(f"{name} is damaged: a word has two ids")
    return Vocabulary(tokens, kinds, merges)


def _read_ranks(path: Path) -> dict[bytes, int]:
    """Lines of a token in base64 and its rank, which are 0, 1, 2, ..."""
    try:
        if path.stat().st_size > MAX_TOKENIZER_BYTES:
            raise BundleError(f"{path.name} is longer than {MAX_TOKENIZER_BYTES} bytes")
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(lines, 1):
        word, _, rank = line.partition(b" ")
        try:
            token = base64.b64decode(word, validate=True)
        except binascii.Error:
            token = b""
        if rank != str(len(ranks)).encode() or not 0 < len(token) <= MAX_TOKEN_BYTES or token in ranks:
            raise BundleError(f"{path.name} is damaged at line {number}: it is no new token with the next rank")
        ranks[token] = len(ranks)
    return ranks


def _merges(ranks: dict[bytes, int]) -> Iterator[str]:
    """The pair that each token is made of: what is left of its bytes when all stronger merges are done."""
    for token, rank in ranks.items():
        if len(token) > 1:
            parts = _merged(ranks, token, rank)
            if len(parts) == 2:
                yield f"{printable(parts[0])} {printable(parts[1])}"


def _merged(ranks: dict[bytes, int], token: bytes, limit: int) -> list[bytes]:
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 2:
        best, place = min((ranks.get(parts[at] + parts[at + 1], limit), at) for at in range(len(parts) - 1))
        if best >= limit:
            break
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts


_PRINTABLE = dict(enumerate(byte_alphabet()))


def printable(token: bytes) -> str:
    """Bytes in GPT-2's stand-ins, which are all visible."""
    return "".join(_PRINTABLE[byte] for byte in token)
