"""What a decoder will take in the engine process, from the header of its file: nothing is loaded.

Follows what llama.cpp allocates (release b11549) and was held against the engine process with a 0.5B, with the wheel's
kernels and with native ones: within 1 %. docs/performance.md has the figures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.memory import MemoryPart
from autoglm_phone.weights.gguf_file import Value
from autoglm_phone.weights.gguf_tensors import GgufTensors, TensorEntry, read_tensors

# The wheel's kernels keep a second copy of these, rows interleaved, where the rows come in eights; the mapped file
# stays behind them. Source: ggml, src/ggml-cpu/repack.cpp, ggml_repack_get_optimal_repack_type for AVX2.
REPACKED = frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"})
INTERLEAVED_ROWS = 8
# Native kernels pack these: columns that a row must be made of, and bytes that so many take (rows16.h, docs/adr/0007).
# The file is read, not mapped.
ROWS16 = 16
ROWS16_BLOCKS = {"Q8_0": (32, 34), "Q5_0": (32, 22), "Q4_K": (256, 148), "Q6_K": (256, 210)}

# Lists of strings whose length says how much a vocabulary takes.
TOKENS, MERGES = "tokenizer.ggml.tokens", "tokenizer.ggml.merges"

KV_PADDING = 256  # llama-context.cpp rounds n_ctx up to it
KV_BYTES, FLOAT_BYTES = 2, 4  # the cache is f16
MASK_BYTES = 4 + 2  # a float32 mask of the attention, and its f16 copy

# Measured: two maps and two lists of strings in C++, for a token or a merge of a byte-pair vocabulary.
VOCABULARY_ENTRY_BYTES = 232
# Measured: buffers of one layer that a position of a step passes through at once.
STEP_FEED_FORWARDS, STEP_WIDTHS = 3, 4
LIBRARY_BYTES = 10_500_000  # of the wheel's shared object, what gets resident; measured


@dataclass(frozen=True)
class StepSizes:
    """As in LlamaCppConfig."""

    kv_tokens: int
    max_slots: int
    max_step_tokens: int
    max_draft: int


def read_decoder(path: Path) -> GgufTensors:
    """What decoder_memory goes by, the vocabulary counted and not read. Raises BundleError, see read_tensors."""
    return read_tensors(path, counted=(TOKENS, MERGES))


def decoder_memory(file: GgufTensors, sizes: StepSizes, *, has_native_kernels: bool) -> tuple[MemoryPart, ...]:
    """file: of read_decoder. Raises BundleError that names the key where it does not say how large its KV cache is."""
    numbers = _Numbers(file.path.name, file.metadata)
    outputs_bytes = (sizes.max_slots + sizes.max_draft) * _count(file.metadata, TOKENS) * FLOAT_BYTES
    step_bytes = FLOAT_BYTES * (STEP_FEED_FORWARDS * numbers.feed_forward() + STEP_WIDTHS * numbers.width)
    # Steps compute the logits in a buffer and copy them out. The first step, of one token, touches next to nothing.
    steps_bytes = sizes.max_step_tokens * (step_bytes + sizes.kv_tokens * MASK_BYTES) + outputs_bytes
    kv_tokens = -(-sizes.kv_tokens // KV_PADDING) * KV_PADDING
    weights = _read_weights(file) if has_native_kernels else _mapped_weights(file)
    return (
        *weights,
        MemoryPart("engine", "kv cache", kv_tokens * numbers.kv_bytes_per_token()),
        MemoryPart("engine", "vocabulary", vocabulary_entries(file.metadata) * VOCABULARY_ENTRY_BYTES),
        MemoryPart("engine", "logits", outputs_bytes),
        MemoryPart("engine", "steps", steps_bytes, "growing"),
        MemoryPart("engine", "llama.cpp", LIBRARY_BYTES),
    )


def vocabulary_entries(metadata: Mapping[str, Value]) -> int:
    """Tokens and merges of a tokenizer: what its size in memory goes by."""
    return _count(metadata, TOKENS) + _count(metadata, MERGES)


def _count(metadata: Mapping[str, Value], key: str) -> int:
    found = metadata.get(key, 0)
    assert isinstance(found, int), f"{key} has been read and not counted"
    return found


def _mapped_weights(file: GgufTensors) -> Iterable[MemoryPart]:
    """llama.cpp unmaps what lies before the first and behind the last tensor that it uses in place."""
    entries = list(file.entries.values())
    copied = [entry for entry in _products(file) if entry.type.name in REPACKED and _has_rows(entry, INTERLEAVED_ROWS)]
    idle = {entry.name for entry in copied if entry.name != "token_embd.weight"}
    in_place = [entry for entry in entries if entry.name not in idle]
    if in_place:
        first, last = min(entry.offset for entry in in_place), max(entry.offset for entry in in_place)
        idle_bytes = sum(entry.size_bytes for entry in entries if entry.name in idle and first < entry.offset < last)
        yield MemoryPart("engine", "weights", sum(entry.size_bytes for entry in in_place))
        yield MemoryPart("engine", "weights' file behind their copies", idle_bytes, "reclaimable")
    yield MemoryPart("engine", "weights, interleaved copies", sum(entry.size_bytes for entry in copied))


def _read_weights(file: GgufTensors) -> Iterable[MemoryPart]:
    sizes = {entry.name: entry.size_bytes for entry in file.entries.values()}
    if "output.weight" not in sizes and (embedding := file.entries.get("token_embd.weight")):
        sizes["output.weight"] = embedding.size_bytes  # looked up in one buffer, multiplied in another
    for entry in _products(file):
        columns, block_bytes = ROWS16_BLOCKS.get(entry.type.name, (0, 0))
        if columns and len(entry.shape) == 2 and _has_rows(entry, ROWS16):
            name = "output.weight" if entry.name == "token_embd.weight" else entry.name
            sizes[name] = entry.num_elements // columns * block_bytes
    yield MemoryPart("engine", "weights, packed", sum(sizes.values()))


def _products(file: GgufTensors) -> Iterable[TensorEntry]:
    """The matrices that steps multiply by; without an output of its own a decoder multiplies by the embedding."""
    is_tied = "output.weight" not in file.entries
    for entry in file.entries.values():
        if len(entry.shape) in (2, 3) and (is_tied or entry.name != "token_embd.weight"):
            yield entry


def _has_rows(entry: TensorEntry, multiple: int) -> bool:
    return entry.shape[-2] % multiple == 0


class _Numbers:
    """The decoder's sizes out of the metadata, under the names that its architecture gives them."""

    def __init__(self, name: str, metadata: Mapping[str, Value]) -> None:
        self._name, self._metadata = name, metadata
        self._arch = metadata.get("general.architecture")
        self.width = self._number("embedding_length")

    def kv_bytes_per_token(self) -> int:
        """Keys and values of all layers. A model that shares or windows some of them takes less."""
        layers, heads = self._number("block_count"), self._number("attention.head_count")
        head_size = self.width // heads
        sizes = self._number("attention.key_length", head_size) + self._number("attention.value_length", head_size)
        by_layer = self._by_layer("attention.head_count_kv", heads)
        kv_heads = sum(by_layer) if len(by_layer) > 1 else layers * by_layer[0]
        return kv_heads * sizes * KV_BYTES

    def feed_forward(self) -> int:
        """Of the widest layer."""
        return max(self._by_layer("feed_forward_length", 4 * self.width))

    def _by_layer(self, key: str, default: int) -> list[int]:
        """One number for all layers, or one for each; in such a list a zero means that the layer has none."""
        found = self._metadata.get(f"{self._arch}.{key}", default)
        if not isinstance(found, list):
            return [self._positive(found, key)]
        counts = [value for value in found if type(value) is int and value >= 0]
        if not counts or len(counts) != len(found):
            raise self._unknown(key, found[:4])
        return counts

    def _number(self, key: str, default: int | None = None) -> int:
        return self._positive(self._metadata.get(f"{self._arch}.{key}", default), key)

    def _positive(self, value: object, key: str) -> int:
        if type(value) is not int or value <= 0:
            raise self._unknown(key, value)
        return value

    def _unknown(self, key: str, value: object) -> BundleError:
        return BundleError(f"{self._name} does not say how much memory it takes: {self._arch}.{key} is {value!r}")
