"""Bytes, memory and floating-point operations of decoders, from their sizes alone. 1 multiply-add = 2 operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tempgen.config.decoder import RidgeConfig
from tempgen.config.dynadiff import DynadiffConfig
from tempgen.decoders.ridge_fit import ridge_memory_bytes
from tempgen.windows import Window
from tempgen.workflow.planning.recording_size import RecordingSize

__all__ = ["DecoderCost", "ImageCost", "dynadiff_cost", "image_cost", "ridge_cost"]

_FLOAT = 4  # bytes
_SOLVE = 1.0
"""Operations for each penalty, in n^3. Source: 2/3 for the factor and its inverse (`inverse_cholesky_in_place`), 0.15 for five held-out
folds, the rest passes over the matrix."""
_VERSATILE = {"n_tokens": 257, "token_dim": 768, "step": 1.71e12, "unet": 0.818e12, "decode": 2.515e12}
_VERSATILE_UNET = 859_520_964
"""Tokens and operations of the paper's backbone at full size: a training step's UNet forward and backward, one UNet call,
one image of the VAE; and the UNet's parameters. Source: counted by torch's flop counter on meta tensors, batch 1."""
_VERSATILE_ADAPTER = {
    "none": 0,
    "cross-attention-lora": 99_456,
    "linear-lora": 426_496,
    "cross-attention-full": 43_962_560,
    "full": _VERSATILE_UNET,
}
"""Parameters of the paper's backbone that an adapter trains; of low-rank updates for each rank. Source: counted on meta tensors."""


@dataclass(frozen=True)
class DecoderCost:
    """What one training takes; a ridge is solved for all lags in one.

    Attributes
    ----------
    n_parameters : int
        Trained, of one decoder.
    disk_bytes : int
        Of one decoder.
    memory_bytes : int
        Peak of a training, beside the library itself; of Dynadiff weights (brain module, UNet and its adapter), gradients and
        moments without activations.
    train_flop, products_flop : float
        Operations of one training, and how many of these are plain products of large matrices.
    """

    n_parameters: int
    disk_bytes: int
    memory_bytes: int
    train_flop: float
    products_flop: float


@dataclass(frozen=True)
class ImageCost:
    """What one reconstruction takes, in operations."""

    flop: float


def n_outputs(config: RidgeConfig, size: RecordingSize) -> int:
    """Values that a ridge predicts."""
    if config.target == "tokens":
        n_tokens, token_dim = _tokens(config)
        return n_tokens * token_dim
    if config.target == "labels" or not size.n_images:
        return max(len(size.label_names), 1)
    return 3 * config.target_size**2


def ridge_cost(
    config: RidgeConfig, size: RecordingSize, *, window: Window, deltas: tuple[int, ...], n_train: int
) -> DecoderCost:
    """Of ridges at all lags: a Gram matrix a volume, a system a lag and penalty, coefficients a lag."""
    n_targets = n_outputs(config, size)
    n_volumes = len(window.offsets(deltas))
    n_features = window.n_tr * size.n_voxels
    grams = float(n_volumes) * n_train**2 * size.n_voxels
    coefficients = 2.0 * len(deltas) * n_train * n_features * n_targets
    n_alphas = len(config.alphas)
    solved = len(deltas) * n_alphas * (_SOLVE * n_train**3 + 2.0 * n_train**2 * n_targets)
    return DecoderCost(
        n_parameters=n_features * n_targets + n_targets,
        disk_bytes=_FLOAT * (n_features * n_targets + n_targets),
        memory_bytes=ridge_memory_bytes(
            n_trials=n_train,
            n_voxels=size.n_voxels,
            n_tr=window.n_tr,
            n_targets=n_targets,
            n_deltas=len(deltas),
        ),
        train_flop=grams + coefficients + solved,
        products_flop=grams + coefficients,
    )


def dynadiff_cost(
    config: DynadiffConfig, size: RecordingSize, *, window: Window, on_gpu: bool
) -> DecoderCost:
    """Of one Dynadiff decoder: steps times the batch, each sample once through the UNet and the brain module, and back."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from tempgen.models.brain_module import BrainModule

    n_tokens, token_dim = _tokens(config)
    with torch.device("meta"):
        module = BrainModule(
            config.brain_module,
            n_voxels={"subject": size.n_voxels},
            n_tr=window.n_tr,
            n_tokens=n_tokens,
            token_dim=token_dim,
        )
        with FlopCounterMode(display=False) as counter:
            module(torch.zeros(1, window.n_tr, size.n_voxels), "subject").sum().backward()
    n_adapter, n_null = _n_adapter(config), n_tokens * token_dim
    n_saved = sum(parameter.numel() for parameter in module.parameters()) + n_adapter + n_null
    n_trained = n_saved if config.null_embedding == "learned" else n_saved - n_null
    unet, n_unet = _unet_step(config)
    n_frozen = n_unet if config.adapter.is_lora else n_unet - n_adapter
    n_samples = config.optimization.n_steps * config.optimization.batch_size
    n_copies = 4 + (config.optimization.ema_decay is not None)  # weights, gradients, two moments
    halves = on_gpu and config.optimization.mixed_precision != "no"  # on a CPU weights stay float32
    flop = n_samples * (unet + counter.get_total_flops())
    return DecoderCost(
        n_parameters=n_trained,
        disk_bytes=_FLOAT * n_saved,
        memory_bytes=_FLOAT * n_copies * n_trained + (2 if halves else _FLOAT) * n_frozen,
        train_flop=flop,
        products_flop=flop,
    )


def image_cost(config: RidgeConfig | DynadiffConfig, size: RecordingSize, *, window: Window) -> ImageCost:
    """Of one reconstruction: guided sampling where a diffusion model makes it, else one product."""
    if isinstance(config, RidgeConfig) and config.target != "tokens":
        return ImageCost(2.0 * window.n_tr * size.n_voxels * n_outputs(config, size))
    calls = config.sampling.n_steps * (2 if config.sampling.guidance != 1 else 1)
    if config.backbone == "versatile-diffusion":
        return ImageCost(calls * float(_VERSATILE["unet"]) + float(_VERSATILE["decode"]))
    backbone = _packaged(config)
    call, decode = _counted(backbone, backward=False), _counted_decode(backbone)
    return ImageCost(calls * call + decode)


def _tokens(config: RidgeConfig | DynadiffConfig) -> tuple[int, int]:
    if config.backbone == "versatile-diffusion":
        return int(_VERSATILE["n_tokens"]), int(_VERSATILE["token_dim"])
    spec = _packaged(config).spec
    return spec.n_tokens, spec.token_dim


def _unet_step(config: DynadiffConfig) -> tuple[float, int]:
    """Operations of a sample's way through the UNet and back, and the UNet's parameters."""
    if config.backbone == "versatile-diffusion":
        return float(_VERSATILE["step"]), _VERSATILE_UNET
    backbone = _packaged(config)
    return _counted(backbone, backward=True), sum(p.numel() for p in backbone.unet.parameters())


def _n_adapter(config: DynadiffConfig) -> int:
    """Parameters of the UNet, or beside its own, that are trained."""
    adapter = config.adapter
    if config.backbone == "versatile-diffusion":
        return _VERSATILE_ADAPTER[adapter.kind] * (adapter.rank if adapter.is_lora else 1)
    from tempgen.models.adapters import add_adapter

    unet = _packaged(config).unet
    names = set(add_adapter(unet, adapter))
    return sum(parameter.numel() for name, parameter in unet.named_parameters() if name in names)


def _packaged(config: RidgeConfig | DynadiffConfig) -> Any:
    from tempgen.models.backbone import load_backbone

    return load_backbone(config.backbone_folder or config.backbone)


def _counted(backbone: Any, *, backward: bool) -> float:
    """Operations of one sample in the UNet, by torch's counter."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    spec = backbone.spec
    latents = torch.zeros(1, *spec.latent_shape)
    tokens = torch.zeros(1, spec.n_tokens, spec.token_dim, requires_grad=backward)
    timestep = torch.zeros(1, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        out = backbone.unet(timestep=timestep, **backbone.unet_arguments(latents, tokens)).sample
        if backward:
            out.sum().backward()
    return float(counter.get_total_flops())


def _counted_decode(backbone: Any) -> float:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        backbone.decode(torch.zeros(1, *backbone.spec.latent_shape))
    return float(counter.get_total_flops())
