"""Tiny checkpoints as the authors' code writes them: Lightning's names, DeepSpeed ZeRO-2's files and classes."""

from __future__ import annotations

import enum
import math
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

N_VOXELS, N_TR, SIZE, N_TOKENS, TOKEN_DIM = 11, 6, 8, 5, 12
PREFIX = "model."
BRAIN = PREFIX + "brain_modules.clip_image."


class ReleasedBrainModule(nn.Module):
    """The released configuration, with the parameters' names and layouts of the authors' code."""

    def __init__(self, n_subjects: int = 1) -> None:
        super().__init__()
        self.subject_layers = nn.Module()
        self.subject_layers.weights = nn.Parameter(torch.randn(n_subjects, N_VOXELS, SIZE) / N_VOXELS**0.5)
        self.lin0 = nn.Conv1d(N_TR, N_TR * SIZE, SIZE, groups=N_TR)
        self.post_lin0 = nn.Sequential(nn.LayerNorm(SIZE), nn.GELU(), nn.Dropout(0.5))
        self.out_time_agg = nn.Linear(N_TR, 1)
        self.lin1 = nn.Linear(SIZE, N_TOKENS * TOKEN_DIM)

    def forward(self, windows: Tensor, row: int) -> Tensor:
        """Windows (n, voxels, TRs), as the authors' code has them, to (n, tokens, token_dim)."""
        x = torch.einsum("bvt,vh->bth", windows, self.subject_layers.weights[row])
        x = self.post_lin0(self.lin0(x).reshape(len(x), N_TR, SIZE))
        x = self.out_time_agg(x.permute(0, 2, 1)).flatten(1)
        return self.lin1(x).view(len(x), N_TOKENS, TOKEN_DIM)


def tiny_unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=4,
        cross_attention_dim=TOKEN_DIM,
        attention_head_dim=2,
    ).eval()


def dual_guided(name: str, branch: int) -> str:
    """A name in the plain UNet as it is in one branch of the dual-guided one."""
    return name.replace(".transformer_blocks.", f".transformers.{branch}.transformer_blocks.")


def released_weights(
    adapter: dict[str, Tensor], brain: nn.Module, unet: nn.Module
) -> tuple[OrderedDict[str, Tensor], OrderedDict[str, Tensor]]:
    """Trained and frozen weights; ``adapter`` by the names that :func:`adapter_state` gives."""
    trained = OrderedDict((BRAIN + name, p.detach().clone()) for name, p in brain.named_parameters())
    for name, value in adapter.items():
        long = (
            PREFIX
            + "unet."
            + name.replace(".lora_A.", ".lora_A.default.").replace(".lora_B.", ".lora_B.default.")
        )
        trained[dual_guided(long, 0)] = value.clone()
        trained[dual_guided(long, 1)] = torch.zeros_like(value)
    frozen = OrderedDict(
        (f"{PREFIX}unet." + dual_guided(name, 0), p.detach().clone()) for name, p in unet.named_parameters()
    )
    frozen[PREFIX + "vae.encoder.conv_in.weight"] = torch.ones(3)
    return trained, frozen


@contextmanager
def deepspeed_classes() -> Iterator[types.SimpleNamespace]:
    """Classes under DeepSpeed's names, importable while a file is written and gone when it is read."""

    class ZeroStageEnum(int, enum.Enum):
        gradients = 2

    class LossScaler:
        def __init__(self) -> None:
            self.cur_scale = 1024.0

    homes = {"deepspeed.runtime.zero.config": ZeroStageEnum, "deepspeed.runtime.fp16.loss_scaler": LossScaler}
    parts = [home.split(".") for home in homes]
    modules = {".".join(part[:k]) for part in parts for k in range(1, len(part) + 1)}  # packages too
    for name in modules:
        sys.modules[name] = types.ModuleType(name)
    for home, kind in homes.items():
        kind.__module__, kind.__qualname__ = home, kind.__name__
        setattr(sys.modules[home], kind.__name__, kind)
    try:
        yield types.SimpleNamespace(ZeroStageEnum=ZeroStageEnum, LossScaler=LossScaler)
    finally:
        for name in modules:
            del sys.modules[name]


def write_checkpoint(
    folder: Path,
    trained: OrderedDict[str, Tensor],
    frozen: dict[str, Tensor],
    *,
    n_processes: int = 3,
    n_groups: int = 2,
    padded: bool = False,
) -> Path:
    """Write ``folder`` as ZeRO-2 does; the model file holds half precision, the shards float32."""
    folder.mkdir(parents=True)
    names = list(trained)
    cuts = [names[k * len(names) // n_groups : (k + 1) * len(names) // n_groups] for k in range(n_groups)]
    shards: list[list[Tensor]] = [[] for _ in range(n_processes)]
    for group in cuts:
        vector = torch.cat([trained[name].flatten() for name in group])
        alignment = 2 * n_processes
        length = alignment * math.ceil(len(vector) / alignment)
        parts = nn.functional.pad(vector, (0, length - len(vector))).split(length // n_processes)
        for rank, part in enumerate(parts):
            end = len(part) if padded else max(0, min(len(part), len(vector) - rank * len(part)))
            shards[rank].append(part[:end].clone())
    with deepspeed_classes() as classes:
        torch.save(
            {
                "module": OrderedDict((name, value.half()) for name, value in {**trained, **frozen}.items()),
                "buffer_names": [],
                "param_shapes": [
                    OrderedDict((name, trained[name].shape) for name in group) for group in cuts
                ],
                "frozen_param_shapes": None,
                "frozen_param_fragments": None,
                "shared_params": {},
                "dp_world_size": n_processes,
                "ds_config": {"train_batch_size": 320, "loss": classes.LossScaler()},
                "ds_version": "0.16.0",
            },
            folder / "mp_rank_00_model_states.pt",
        )
        for rank, groups in enumerate(shards):
            state = {
                "loss_scaler": classes.LossScaler(),
                "zero_stage": classes.ZeroStageEnum.gradients,
                "partition_count": [n_processes] * n_groups,
                "single_partition_of_fp32_groups": groups,
                "base_optimizer_state": [{"exp_avg": torch.zeros_like(part)} for part in groups],
                "ds_version": "0.16.0",
            }
            torch.save(
                {"optimizer_state_dict": state, "ds_config": {}, "ds_version": "0.16.0"},
                folder / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt",
            )
    return folder
