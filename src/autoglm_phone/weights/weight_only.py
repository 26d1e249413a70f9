"""Linear weights in 8 or 4 bits, a scale for each group of 128 along a row: our safetensors form.

The plain reference of packing and unpacking; activations stay as they are. `X.weight` becomes two tensors:
`X.weight.codes` (int8: I8 (rows, columns); int4: U8 (rows, columns / 2), the even column in the low half, code + 8) and
`X.weight.scales` (F16 (rows, columns / 128)). A weight is code * scale. config.json says so under CONFIG_KEY.
"""

from typing import Any, Literal

import numpy as np

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.dequantize import Floats

GROUP = 128
CODES, SCALES = ".codes", ".scales"
CONFIG_KEY = "autoglm_quantization"  # {"bits": 8 or 4, "group_size": 128}

Bits = Literal[8, 4]
Codes = np.ndarray[Any, np.dtype[Any]]
Halves = np.ndarray[Any, np.dtype[np.float16]]


def scales_of(rows: Floats, bits: Bits) -> Halves:
    """(R, C) float32, C a multiple of 128 -> (R, C / 128). Raises BundleError if a number is too large for F16."""
    groups = rows.reshape(len(rows), -1, GROUP)
    largest = np.take_along_axis(groups, np.abs(groups).argmax(axis=2, keepdims=True), axis=2)[..., 0]
    # In four bits the number of largest magnitude becomes -8, the one code that has no opposite (as in ggml's Q4_0).
    with np.errstate(over="ignore"):
        scales: Halves = (np.abs(largest) / 127 if bits == 8 else largest / -8).astype(np.float16)
    if not np.isfinite(scales).all():
        raise BundleError(f"numbers up to {np.abs(largest).max():g} do not fit into {bits} bits with a scale in F16")
    return scales


def codes_of(rows: Floats, scales: Halves, bits: Bits) -> Codes:
    """The nearest codes to these scales, which are rounded already."""
    groups = rows.reshape(len(rows), -1, GROUP)
    divisors = scales.astype(np.float32)[..., None]
    quotients = np.divide(groups, divisors, out=np.zeros_like(groups), where=divisors != 0)
    low, high = (-127, 127) if bits == 8 else (-8, 7)
    codes = np.clip(np.rint(quotients), low, high).astype(np.int8).reshape(rows.shape)
    return codes if bits == 8 else _halve(codes)


def unpack(codes: Codes, scales: Halves) -> Floats:
    """Codes and scales -> (R, C) float32. Which of the two forms it is, the type of codes says."""
    numbers = codes if codes.dtype == np.int8 else _double(codes)
    groups = numbers.reshape(len(numbers), -1, GROUP).astype(np.float32)
    product: Floats = groups * scales.astype(np.float32)[..., None]
    return product.reshape(numbers.shape)


def _halve(codes: Codes) -> Codes:
    shifted = (codes + 8).astype(np.uint8)
    packed: Codes = shifted[:, ::2] | (shifted[:, 1::2] << 4)
    return packed


def _double(packed: Codes) -> Codes:
    codes = np.empty((len(packed), 2 * packed.shape[1]), np.int8)
    codes[:, ::2] = packed & 15
    codes[:, 1::2] = packed >> 4
    return codes - np.int8(8)
