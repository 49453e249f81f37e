"""The tensors that a run changes: trained weights, their moving average, the optimizer's moments; all by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tempgen.errors import TrainingError

EMA_WARMUP = 10
"""The average's decay starts low, (1 + n) / (10 + n) after n updates. Source: diffusers' EMAModel and TensorFlow's."""


def trainable_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that require gradients, by name, each once."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def trained_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Saved buffers of the modules that have trainable parameters of their own: running statistics of a trained BatchNorm."""
    found: dict[str, Tensor] = {}
    for prefix, part in module.named_modules():
        if any(parameter.requires_grad for parameter in part.parameters(recurse=False)):
            names = {name for name, _ in part.named_buffers(recurse=False)} - part._non_persistent_buffers_set
            found |= {f"{prefix}.{name}".lstrip("."): part.get_buffer(name) for name in names}
    return dict(sorted(found.items()))


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """The tensors themselves, not copies, that training changes and a checkpoint holds."""
    parameters = {name: parameter.detach() for name, parameter in trainable_parameters(module).items()}
    return parameters | trained_buffers(module)


@torch.no_grad()
def load_trained_state(module: nn.Module, state: Mapping[str, Tensor], *, what: str) -> None:
    """Copy a checkpoint's tensors into the module, in place.

    Raises
    ------
    TrainingError
        If names or shapes differ; nothing is copied then.
    """
    own = trained_state(module)
    missing, unexpected = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    misshapen = [
        f"{name} {tuple(state[name].shape)} for {tuple(own[name].shape)}"
        for name in own.keys() & state.keys()
        if state[name].shape != own[name].shape
    ]
    if missing or unexpected or misshapen:
        raise TrainingError(
            f"{what} does not fit the module: missing {missing}, unexpected {unexpected}, other shapes {misshapen}."
        )
    for name, tensor in own.items():
        tensor.copy_(state[name])


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no tensor holds NaN or infinity."""
    floating = [tensor for tensor in tensors if tensor.is_floating_point()]
    if not floating:
        return True
    norms = torch._foreach_norm(floating, float("inf"))
    return bool(torch.isfinite(torch.stack([norm.float() for norm in norms])).all())


class MovingAverage:
    """Exponential moving average of the trainable parameters, in float32.

    Parameters
    ----------
    module : nn.Module
    decay : float
        Weight of the old average in an update, once warmed up.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self._names = list(trainable_parameters(module))
        self._weights = [parameter.detach() for parameter in trainable_parameters(module).values()]
        self._average = [weight.float().clone() for weight in self._weights]
        self._all_float32 = all(weight.dtype == torch.float32 for weight in self._weights)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after the update of ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (EMA_WARMUP + step))
        weights = self._weights if self._all_float32 else [weight.float() for weight in self._weights]
        torch._foreach_lerp_(self._average, weights, 1 - decay)

    def state(self) -> dict[str, Tensor]:
        """The averages by the parameters' names; not copies."""
        return dict(zip(self._names, self._average, strict=True))

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from saved averages."""
        for name, average in self.state().items():
            average.copy_(state[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the module has the averages as its weights; afterwards its own again, bit for bit."""
        kept = [weight.clone() for weight in self._weights]
        self.copy_to_module()
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._weights, kept)

    @torch.no_grad()
    def copy_to_module(self) -> None:
        """Make the averages the module's weights."""
        torch._foreach_copy_(self._weights, self._average)


def optimizer_state(optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The optimizer's tensors as ``"exp_avg/NAME"``; not copies.

    Parameters
    ----------
    names : mapping of parameter to its name
    """
    return {
        f"{key}/{names[parameter]}": value
        for group in optimizer.param_groups
        for parameter in group["params"]
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer, state: Mapping[str, Tensor], names: Mapping[Tensor, str]
) -> None:
    """Go on with saved moments; a parameter without any starts anew, as it had.

    Moments get the memory layout of their parameter (channels last, say): the fused kernels take it for granted.
    """
    moments: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        kind, _, name = key.partition("/")
        moments.setdefault(name, {})[kind] = value
    content = optimizer.state_dict()
    content["state"] = {
        position: moments[names[parameter]]
        for position, parameter in enumerate(p for group in optimizer.param_groups for p in group["params"])
        if names[parameter] in moments
    }
    optimizer.load_state_dict(content)
    for parameter, tensors in optimizer.state.items():
        for kind, value in tensors.items():
            if value.shape == parameter.shape:
                tensors[kind] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
