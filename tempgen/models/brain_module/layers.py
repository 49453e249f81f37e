"""The small parts of the brain module. Between them, hidden layers have the TRs first: (n_tr, n, size)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KERNEL_SIZE = 3
"""Width in TRs of the convolution over time. Source: the smallest that sees both neighbours."""


class SubjectLayer(nn.Linear):
    """The linear layer of one subject, the same for every TR and without a bias, as in Dynadiff's code.

    Parameters
    ----------
    n_voxels, size : int
        Voxels of the subject, and width of the hidden layer.
    """

    def __init__(self, n_voxels: int, size: int) -> None:
        super().__init__(n_voxels, size, bias=False)

    def reset_parameters(self) -> None:
        """Draw weights with variance 1 / n_voxels. Source: Dynadiff's code."""
        nn.init.normal_(self.weight, std=self.in_features**-0.5)


class TimestepLayer(nn.Module):
    """A linear layer for each TR: one batched product over all of them.

    Parameters
    ----------
    n_tr, size : int
        Number of TRs, and width of the hidden layer.
    """

    def __init__(self, n_tr: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_tr, size, size))  # (TR, in, out)
        self.bias = nn.Parameter(torch.empty(n_tr, size))
        bound = size**-0.5  # that of nn.Linear
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden layer (n_tr, n, size) to the same shape."""
        return torch.baddbmm(self.bias[:, None], hidden, self.weight)


class TimeAggregation(nn.Module):
    """TRs to one, by learned weights and a bias, or by their mean.

    Parameters
    ----------
    n_tr : int
        Number of TRs.
    learned : bool
        Whether the weights are learned; else all are 1 / n_tr.
    """

    def __init__(self, n_tr: int, *, learned: bool) -> None:
        super().__init__()
        self.learned = learned
        if learned:
            bound = n_tr**-0.5  # that of nn.Linear, as in Dynadiff's code
            self.weight = nn.Parameter(torch.empty(n_tr).uniform_(-bound, bound))
            self.bias = nn.Parameter(torch.empty(1).uniform_(-bound, bound))

    def forward(self, series: Tensor) -> Tensor:
        """Series (n_tr, n, size) to (n, size)."""
        if not self.learned:
            return series.mean(dim=0)
        # one product with a vector, not a weighted copy of the series
        return (self.weight @ series.flatten(1)).view(series.shape[1:]) + self.bias


class TemporalConvolution(nn.Module):
    """Residual convolution over time: each TR sees its neighbours; there are zeros beyond the window.

    Parameters
    ----------
    size : int
        Width of the hidden layer.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.convolution = nn.Conv1d(size, size, KERNEL_SIZE, padding=KERNEL_SIZE // 2)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden layer (n_tr, n, size) to the same shape."""
        mixed = self.convolution(self.norm(hidden).permute(1, 2, 0))  # (n, size, n_tr)
        return hidden + F.gelu(mixed).permute(2, 0, 1)


class TemporalAttention(nn.Module):
    """Residual self-attention over time, with a learned position for each TR.

    Parameters
    ----------
    n_tr, size, n_heads : int
        Number of TRs, width of the hidden layer (a multiple of the heads) and number of heads.
    """

    def __init__(self, n_tr: int, size: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm = nn.LayerNorm(size)
        self.positions = nn.Parameter(torch.empty(n_tr, size).normal_(std=0.02))  # 0.02: as in transformers
        self.query_key_value = nn.Linear(size, 3 * size)
        self.output = nn.Linear(size, size)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden layer (n_tr, n, size) to the same shape."""
        n_tr, n, size = hidden.shape
        projected = self.query_key_value(self.norm(hidden) + self.positions[:, None])
        query, key, value = projected.view(n_tr, n, 3, self.n_heads, size // self.n_heads).permute(
            2, 1, 3, 0, 4
        )
        mixed = F.scaled_dot_product_attention(query, key, value)  # (n, heads, n_tr, size / heads)
        return hidden + self.output(mixed.permute(2, 0, 1, 3).reshape(n_tr, n, size))


class OutputLayer(nn.Linear):
    """The hidden layer to all tokens, by a full matrix."""

    def start_at_zero(self) -> None:
        """Make the layer's output zero; its gradients are not."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class LowRankLayer(nn.Module):
    """A linear layer whose matrix is the product of two thin ones, which costs rank * (n_inputs + n_outputs) weights.

    Parameters
    ----------
    n_inputs, n_outputs, rank : int
        Sizes; the rank is cut to that of a full matrix.
    """

    def __init__(self, n_inputs: int, n_outputs: int, rank: int) -> None:
        super().__init__()
        self.rank = min(rank, n_inputs, n_outputs)
        self.down = nn.Linear(n_inputs, self.rank, bias=False)
        self.up = nn.Linear(self.rank, n_outputs)
        nn.init.normal_(self.down.weight, std=n_inputs**-0.5)
        # outputs as large as a full nn.Linear's: variance 1 / (3 n_inputs) a weight
        nn.init.normal_(self.up.weight, std=math.sqrt(1 / (3 * self.rank)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (n, n_inputs) to (n, n_outputs)."""
        return self.up(self.down(inputs))

    def start_at_zero(self) -> None:
        """Make the layer's output zero; the gradients of its second factor are not."""
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    @torch.no_grad()
    def fill(self, down: Tensor, up: Tensor, bias: Tensor) -> None:
        """Take given factors; directions that they lack start at zero.

        Parameters
        ----------
        down : Tensor, shape (n_inputs, k)
        up : Tensor, shape (k, n_outputs)
            With k at most the layer's rank.
        bias : Tensor, shape (n_outputs,)
        """
        self.start_at_zero()
        self.down.weight[: down.shape[1]] = down.T.to(self.down.weight)
        self.up.weight[:, : up.shape[0]] = up.T.to(self.up.weight)
        self.up.bias.copy_(bias)
