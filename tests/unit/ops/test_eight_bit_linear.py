import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType
from torch import nn

from autoglm_phone.ops.eight_bit_linear import EightBitLinear, hold_in_8_bits


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape) + shape[0]))


def packed(weight: torch.Tensor, bias: torch.Tensor | None = None) -> EightBitLinear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    if bias is not None:
        linear.bias = nn.Parameter(bias)
    made = EightBitLinear(linear)
    made.pack(weight)
    return made


def test_weights_of_a_q8_0_file_stay_what_they_are() -> None:
    blocks = gguf.quants.quantize(random(96, 64).numpy(), GGMLQuantizationType.Q8_0)
    weight = gguf.quants.dequantize(blocks, GGMLQuantizationType.Q8_0)
    with torch.inference_mode():
        assert np.array_equal(packed(torch.from_numpy(weight))(torch.eye(64)).T.numpy(), weight)


def test_other_weights_are_rounded_by_half_a_step_of_their_group() -> None:
    weight = random(40, 96)
    with torch.inference_mode():
        held = packed(weight)(torch.eye(96)).T
    steps = weight.abs().view(40, 3, 32).amax(-1).repeat_interleave(32, dim=1) / 127
    # A scale of 16 bits may be off by 2^-11 of itself, which is a sixteenth of a step at the largest code.
    assert ((held - weight).abs() <= (0.5 + 127 / 2048) * steps + 1e-6).all()
    assert (packed(torch.zeros(2, 32))(torch.ones(1, 32)) == 0).all()


def test_large_matrices_are_multiplied_in_runs_of_rows_and_small_ones_left_alone() -> None:
    linear = nn.Linear(4096, 5000)
    network = nn.Sequential(linear, nn.Linear(5000, 8))
    weight, bias, x = linear.weight.detach(), linear.bias.detach(), random(3, 4096)
    hold_in_8_bits(network)
    large = network[0]
    assert isinstance(large, EightBitLinear)
    assert isinstance(network[1], nn.Linear)
    large.pack(weight)
    with torch.inference_mode():
        expected = x @ (large.codes.float() * large.scales.float()).flatten(1).T + bias
        assert (large(x) - expected).abs().max() < 1e-4
        halves = large(x.bfloat16())
    assert halves.dtype == torch.bfloat16
    assert (halves.float() - expected).abs().max() < 0.05
