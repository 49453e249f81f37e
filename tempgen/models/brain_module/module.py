"""The brain module: subject layer, timestep layer, normalization, aggregation over time, output."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn

from tempgen.config.brain_module import BrainModuleConfig
from tempgen.errors import DecoderError
from tempgen.models.brain_module.layers import (
    LowRankLayer,
    OutputLayer,
    SubjectLayer,
    TemporalAttention,
    TemporalConvolution,
    TimeAggregation,
    TimestepLayer,
)
from tempgen.models.brain_module.low_rank import (
    Factors,
    LowRankCoefficients,
    low_rank_factors,
    low_rank_product_factors,
)

SUBJECT_NAME = re.compile(r"[A-Za-z0-9_-]+")


class BrainModule(nn.Module):
    """From a window of one subject's BOLD to the tokens that condition the diffusion model.

    Parameters
    ----------
    config : BrainModuleConfig
        Which of its parts there are, and their sizes.
    n_voxels : mapping of str to int
        Subjects and their voxel counts, which may differ.
    n_tr : int
        Width of the windows in TRs; 1 for beta values.
    n_tokens, token_dim : int
        Tokens of the diffusion model, and the size of each.

    Raises
    ------
    DecoderError
        If there is no subject, a subject's name is no plain word, or a size is below 1.

    Examples
    --------
    >>> config = BrainModuleConfig(hidden_size=16)
    >>> module = BrainModule(config, n_voxels={"subj01": 50, "subj02": 60}, n_tr=6, n_tokens=4, token_dim=8)
    >>> module(torch.zeros(2, 6, 60), "subj02").shape
    torch.Size([2, 4, 8])
    """

    def __init__(
        self,
        config: BrainModuleConfig,
        *,
        n_voxels: Mapping[str, int],
        n_tr: int,
        n_tokens: int,
        token_dim: int,
    ) -> None:
        super().__init__()
        _check_sizes(n_voxels, n_tr=n_tr, n_tokens=n_tokens, token_dim=token_dim)
        self.config = config
        self.n_voxels = dict(n_voxels)
        self.n_tr, self.n_tokens, self.token_dim = n_tr, n_tokens, token_dim
        n_outputs, size = n_tokens * token_dim, config.hidden_size

        self.subject_layers = nn.ModuleDict({name: SubjectLayer(n, size) for name, n in n_voxels.items()})
        n_left = n_tr if config.aggregation_place == "out" else 1  # TRs that the hidden layers have
        self.timestep_layer = TimestepLayer(n_left, size) if config.timestep_layer else nn.Linear(size, size)
        self.norm = nn.LayerNorm(size)
        self.temporal = self._temporal(n_left)
        self.aggregation = TimeAggregation(n_tr, learned=config.aggregation == "linear")
        self.output: OutputLayer | LowRankLayer = (
            OutputLayer(size, n_outputs)
            if config.output_rank is None
            else LowRankLayer(size, n_outputs, config.output_rank)
        )
        self.linear_paths = nn.ModuleDict()
        if config.linear_path_rank is not None:
            for name, n in n_voxels.items():
                self.linear_paths[name] = path = LowRankLayer(n_tr * n, n_outputs, config.linear_path_rank)
                path.start_at_zero()

    def _temporal(self, n_tr: int) -> nn.Module:
        if self.config.temporal == "conv1d":
            return TemporalConvolution(self.config.hidden_size)
        if self.config.temporal == "attention":
            return TemporalAttention(n_tr, self.config.hidden_size, self.config.n_heads)
        return nn.Identity()

    def forward(self, windows: Tensor, subject: str) -> Tensor:
        """Tokens of each window.

        Parameters
        ----------
        windows : Tensor, shape (n, n_tr, n_voxels[subject])
        subject : str
            Whose windows they are.

        Returns
        -------
        Tensor, shape (n, n_tokens, token_dim)

        Raises
        ------
        DecoderError
            If the subject is unknown, or the windows have another width or voxel count than the module was made for.
        """
        self._check_windows(windows, subject)
        series = windows.transpose(0, 1)  # (n_tr, n, n_voxels), a view
        if self.config.aggregation_place == "in":
            series = self.aggregation(series)[None]
        hidden = self.timestep_layer(self.subject_layers[subject](series))
        hidden = F.dropout(F.gelu(self.norm(hidden)), self.config.dropout, self.training)
        aggregated = self.config.aggregation_place == "in"
        flat = self.output(hidden[0] if aggregated else self.aggregation(self.temporal(hidden)))
        if self.linear_paths:
            flat = flat + self.linear_paths[subject](windows.flatten(1))
        return flat.unflatten(1, (self.n_tokens, self.token_dim))

    @torch.no_grad()
    def start_from_linear(
        self, coef: Tensor | ArrayLike | LowRankCoefficients, intercept: Tensor | ArrayLike, *, subject: str
    ) -> float:
        """Make the module equal a linear decoder, as far as the rank of its linear path allows.

        The best approximation of the coefficients goes into the subject's linear path, and the output layer of the
        nonlinear path starts at zero, for all subjects: call this before training, for each subject once.

        Parameters
        ----------
        coef : array, shape (n_tr, n_voxels, n_tokens * token_dim), or LowRankCoefficients
            Coefficients of ridge from windows to tokens; as a product where the whole would be too large.
        intercept : array, shape (n_tokens * token_dim,)
        subject : str
            Whose windows the linear decoder was fitted on.

        Returns
        -------
        float
            Share of the coefficients' squared norm that the module keeps, 0 to 1.

        Raises
        ------
        DecoderError
            If the module has no linear path, the subject is unknown, the shapes are not the module's, the coefficients
            are not finite, or they are too many to be factored as one matrix.
        """
        self._check_subject(subject)
        if not self.linear_paths:
            raise DecoderError(
                "this brain module has no linear path to start from ridge: set linear_path_rank of the brain module"
            )
        path = self.linear_paths[subject]
        if not isinstance(path, LowRankLayer):
            raise TypeError(f"the linear path is a {type(path).__name__}")
        factors = self._factors(coef, rank=path.rank, subject=subject)
        offset = torch.as_tensor(intercept)
        n_outputs = self.n_tokens * self.token_dim
        if tuple(offset.shape) != (n_outputs,):
            raise DecoderError(f"the intercept has shape {tuple(offset.shape)}; needed is ({n_outputs},)")
        path.fill(factors.down, factors.up, offset)
        self.output.start_at_zero()
        return factors.kept

    def _factors(self, coef: Tensor | ArrayLike | LowRankCoefficients, *, rank: int, subject: str) -> Factors:
        n_voxels, n_outputs = self.n_voxels[subject], self.n_tokens * self.token_dim
        if isinstance(coef, LowRankCoefficients):
            left, right = torch.as_tensor(coef.left), torch.as_tensor(coef.right)
            m = right.shape[0] if right.ndim == 2 else -1
            shapes = (tuple(left.shape), tuple(right.shape))
            needed = ((self.n_tr, n_voxels, m), (m, n_outputs))
            if shapes != needed:
                raise DecoderError(
                    f"the factors of the coefficients have shapes {shapes[0]} and {shapes[1]}; "
                    f"needed are ({self.n_tr}, {n_voxels}, m) and (m, {n_outputs})"
                )
            return low_rank_product_factors(left.flatten(0, 1), right, rank)
        dense = torch.as_tensor(coef)
        if tuple(dense.shape) != (self.n_tr, n_voxels, n_outputs):
            raise DecoderError(
                f"the coefficients have shape {tuple(dense.shape)}; needed is (TRs, voxels of {subject}, "
                f"tokens * their size) = ({self.n_tr}, {n_voxels}, {n_outputs})"
            )
        return low_rank_factors(dense.flatten(0, 1), rank)

    def _check_subject(self, subject: str) -> None:
        if subject not in self.n_voxels:
            raise DecoderError(
                f"this brain module has no layer for subject {subject!r}, but for: {', '.join(self.n_voxels)}. "
                "Name one of these, or train with the subject included"
            )

    def _check_windows(self, windows: Tensor, subject: str) -> None:
        self._check_subject(subject)
        if windows.ndim != 3:
            raise DecoderError(
                f"windows have shape {tuple(windows.shape)}; needed is (trials, TRs, voxels), of one trial (1, TRs, voxels)"
            )
        _, n_tr, n_voxels = windows.shape
        if n_tr != self.n_tr:
            raise DecoderError(
                f"windows are {n_tr} TRs wide, but this brain module was made for {self.n_tr}: "
                "cut them as its window says, or train one for this width"
            )
        if n_voxels != self.n_voxels[subject]:
            raise DecoderError(
                f"windows have {n_voxels} voxels, but this brain module has {self.n_voxels[subject]} for subject "
                f"{subject!r}: they are of another subject or another mask"
            )


def _check_sizes(n_voxels: Mapping[str, int], **sizes: int) -> None:
    if not n_voxels:
        raise DecoderError("a brain module needs at least one subject and its voxel count")
    for name, n in n_voxels.items():
        if not SUBJECT_NAME.fullmatch(name) or hasattr(nn.ModuleDict(), name):
            raise DecoderError(
                f"subject {name!r} cannot name a layer: use letters, digits, - and _, e.g. subj01"
            )
        if n < 1:
            raise DecoderError(f"subject {name!r} has {n} voxels; at least 1 is needed")
    for name, size in sizes.items():
        if size < 1:
            raise DecoderError(f"{name} is {size}; at least 1 is needed")
