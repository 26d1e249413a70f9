"""The number formats of a GGUF's tensors: how many numbers a block holds, and how many bytes it takes.

Source: github.com/ggml-org/ggml, include/ggml.h (the numbers of enum ggml_type) and src/ggml-common.h (the blocks).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorType:
    """name: as ggml has it. A row is a whole number of blocks of `block_len` numbers in `block_bytes` bytes."""

    name: str
    block_len: int
    block_bytes: int


TENSOR_TYPES: dict[int, TensorType] = {
    0: TensorType("F32", 1, 4),
    1: TensorType("F16", 1, 2),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74),
    18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50),
    20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110),
    22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136),
    24: TensorType("I8", 1, 1),
    25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4),
    27: TensorType("I64", 1, 8),
    28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56),
    30: TensorType("BF16", 1, 2),
    34: TensorType("TQ1_0", 256, 54),
    35: TensorType("TQ2_0", 256, 66),
    39: TensorType("MXFP4", 32, 17),
}

_BY_NAME = {type_.name: (number, type_) for number, type_ in TENSOR_TYPES.items()}


def named(name: str) -> TensorType:
    """The format that ggml calls so, as Q4_K."""
    return _BY_NAME[name][1]


def number_of(type_: TensorType) -> int:
    """Its number in enum ggml_type, as files have it."""
    return _BY_NAME[type_.name][0]
