"""Networks that start as linear maps: values pass group norm and SiLU unchanged, as pairs of opposite channels.

``silu(x) - silu(-x) = x``. Two large constant channels in each group keep the norm from rescaling the pairs much.
"""

from __future__ import annotations

import torch
from torch import nn

N_GROUPS = 8
"""Groups of the norms."""
CONSTANT = 3.0
"""Size of the constant channels beside values of variance 1. Source: measured; the rest rescales by a few per cent."""


def pairs_in_group(n_values: int) -> int:
    """Pairs of channels that each group holds."""
    return n_values // N_GROUPS


@torch.no_grad()
def read_as_pairs(convolution: nn.Conv2d, sources: list[int]) -> None:
    """Let a convolution give input channels ``sources`` as pairs, and the constants; its other outputs stay."""
    centre, bias = convolution.kernel_size[0] // 2, _bias(convolution)
    width = convolution.out_channels // N_GROUPS
    for source, channel in zip(sources, _first_channels(len(sources), width), strict=True):
        for sign, at in ((1.0, channel), (-1.0, channel + 1)):
            convolution.weight[at] = 0
            convolution.weight[at, source, centre, centre] = sign
            bias[at] = 0
    for group in range(N_GROUPS):
        first = group * width + 2 * pairs_in_group(len(sources))
        for sign, at in ((1.0, first), (-1.0, first + 1)):
            convolution.weight[at] = 0
            bias[at] = sign * CONSTANT


@torch.no_grad()
def write_from_pairs(convolution: nn.Conv2d, targets: list[int]) -> None:
    """Let a convolution behind norm and SiLU give the pairs' values as output channels ``targets``; others start small."""
    centre, bias = convolution.kernel_size[0] // 2, _bias(convolution)
    width = convolution.in_channels // N_GROUPS
    # the SD by which the norm divided
    spread = ((2 * CONSTANT**2 + 2 * pairs_in_group(len(targets))) / width) ** 0.5
    convolution.weight.mul_(0.1)
    for target, channel in zip(targets, _first_channels(len(targets), width), strict=True):
        convolution.weight[target] = 0
        bias[target] = 0
        convolution.weight[target, channel, centre, centre] = spread
        convolution.weight[target, channel + 1, centre, centre] = -spread


def _first_channels(n_values: int, width: int) -> list[int]:
    n_pairs = pairs_in_group(n_values)
    return [rank // n_pairs * width + 2 * (rank % n_pairs) for rank in range(n_values)]


def _bias(convolution: nn.Conv2d) -> torch.Tensor:
    if convolution.bias is None:
        raise TypeError("a convolution without bias cannot start as a linear map")
    return convolution.bias
