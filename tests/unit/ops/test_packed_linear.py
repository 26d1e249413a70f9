"""Layers with packed weights against layers with what the forms' own references unpack."""

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from torch import nn

from autoglm_phone.core.packed_form import Q8_0, PackedForm
from autoglm_phone.ops.packed_linear import PackedLinear, hold_packed
from autoglm_phone.weights.weight_only import GROUP, Bits, codes_of, scales_of, unpack

FORMS = [Q8_0, PackedForm(8, GROUP), PackedForm(4, GROUP)]


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape) + shape[0]))


def packed(weight: torch.Tensor, form: PackedForm) -> PackedLinear:
    made = PackedLinear(nn.Linear(weight.shape[1], weight.shape[0], bias=False), form)
    made.pack(weight)
    return made


def held(layer: PackedLinear, num_in: int) -> np.ndarray:
    with torch.inference_mode():
        weight: np.ndarray = layer(torch.eye(num_in)).T.numpy()
    return weight


def test_weights_of_a_q8_0_file_stay_what_they_are() -> None:
    blocks = gguf.quants.quantize(random(96, 64).numpy(), GGMLQuantizationType.Q8_0)
    weight = gguf.quants.dequantize(blocks, GGMLQuantizationType.Q8_0)
    assert np.array_equal(held(packed(torch.from_numpy(weight), Q8_0), 64), weight)


@pytest.mark.parametrize("bits", [8, 4])
def test_packing_is_that_of_our_files(bits: Bits) -> None:
    weight = random(40, 3 * GROUP)
    weight[3, :GROUP] = 0
    scales = scales_of(weight.numpy(), bits)
    codes = codes_of(weight.numpy(), scales, bits)
    layer = packed(weight, PackedForm(bits, GROUP))
    assert np.array_equal(layer.codes.flatten(1).numpy(), codes)
    assert np.array_equal(layer.scales.flatten(1).numpy(), scales)
    unpacked = unpack(codes, scales)
    assert np.array_equal(held(layer, 3 * GROUP), unpacked)
    again = packed(torch.from_numpy(unpacked), PackedForm(bits, GROUP))
    assert torch.equal(again.codes, layer.codes)
    assert torch.equal(again.scales, layer.scales)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_large_matrices_are_multiplied_in_runs_of_rows(form: PackedForm) -> None:
    linear = nn.Linear(4096, 5000)
    weight, bias, x = linear.weight.detach(), linear.bias.detach(), random(3, 4096)
    layer = PackedLinear(linear, form)
    layer.pack(weight)
    with torch.inference_mode():
        expected = torch.cat([x @ run.T for run in layer.unpacked(torch.float32)], dim=-1) + bias
        assert (layer(x) - expected).abs().max() < 1e-4
        layer.bias = nn.Parameter(bias.bfloat16())  # as load_into leaves it
        halves = layer(x.bfloat16())
    assert halves.dtype == torch.bfloat16
    assert (halves.float() - expected).abs().max() < 0.05


def test_those_without_whole_groups_are_left_alone() -> None:
    inner = nn.Sequential(nn.Linear(256, 2))
    network = nn.Sequential(nn.Linear(256, 64), nn.Linear(64, 8), inner)
    hold_packed(network, PackedForm(4, GROUP))
    assert isinstance(network[0], PackedLinear)
    assert isinstance(network[1], nn.Linear)
    assert isinstance(inner[0], PackedLinear)
