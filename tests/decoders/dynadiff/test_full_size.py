"""One training step at the paper's size, on a CPU: 859.5 M of UNet and 345.4 M of brain module with random weights."""

import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from tempgen.config.dynadiff import DynadiffConfig
from tempgen.decoders.dynadiff import DynadiffTask, DynadiffTrials, EncodedImages, module_from_scratch
from tempgen.models.backbone import Backbone, BackboneSpec
from tests.tiny_backbone import tiny_scheduler

SPEC = BackboneSpec(
    "versatile-diffusion",
    image_size=512,
    latent_shape=(4, 64, 64),
    n_tokens=257,
    token_dim=768,
    revision="random",
)
N_VOXELS, N_TR = 15_724, 6
GIB = 2**30
NEEDED = 12 * GIB  # of memory; a step takes 10.7


def _free_memory() -> float:
    """Bytes that a test may take, of the machine or of the container around it; where Linux does not say, no limit."""
    limits = [float("inf")]
    if (machine := Path("/proc/meminfo")).is_file():
        lines = dict(line.split(":") for line in machine.read_text().splitlines())
        limits.append(int(lines["MemAvailable"].split()[0]) * 1024)
    if (limit := Path("/sys/fs/cgroup/memory.max")).is_file() and limit.read_text().strip() != "max":
        limits.append(int(limit.read_text()))
    return min(limits)


def _full_unet():
    """The UNet of Versatile Diffusion's images with random weights as large as a new layer's."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    unet.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for name, parameter in unet.named_parameters():
        if parameter.ndim > 1:
            bound = parameter[0].numel() ** -0.5
            torch.nn.init.uniform_(parameter, -bound, bound, generator=generator)
        else:
            torch.nn.init.constant_(parameter, float("norm" in name and name.endswith("weight")))
    return unet


@pytest.mark.slow
@pytest.mark.skipif(_free_memory() < NEEDED, reason="needs 12 GiB of free memory")
def test_a_step_at_full_size_fits_a_small_machine_and_trains_all_and_only_what_it_should():
    backbone = Backbone(SPEC, scheduler=tiny_scheduler(), unet=_full_unet())
    assert sum(p.numel() for p in backbone.unet.parameters()) == pytest.approx(859.5e6, rel=1e-4)
    module = module_from_scratch(backbone, DynadiffConfig(), subject="1", n_voxels=N_VOXELS, n_tr=N_TR)
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    n_brain = sum(p.numel() for name, p in trained.items() if name.startswith("brain_module."))
    n_adapter = sum(p.numel() for name, p in trained.items() if name.startswith("unet."))
    assert n_brain == pytest.approx(345.4e6, rel=1e-3)
    assert n_adapter == 397_824

    rng = np.random.default_rng(0)
    moments = torch.zeros(1, *SPEC.latent_shape)
    windows = rng.standard_normal((2, N_TR, N_VOXELS), dtype=np.float32)
    trials = DynadiffTrials(
        windows.__getitem__, np.zeros(2, int), np.arange(2), EncodedImages(np.zeros(1, int), moments, moments)
    )
    task = DynadiffTask(module, trials)
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-3, fused=True)
    module.train()
    with torch.no_grad():  # a new LoRA's first factor has no gradient
        for name in module.slot.names:
            if "lora_B" in name:
                module.unet.get_parameter(name).fill_(1e-3)
    batch = task.batch(np.array([0, 1]), step=0)
    batch["dropped"] = torch.tensor([False, True])  # so that both kinds of tokens are in it
    frozen = {name: p.sum() for name, p in module.named_parameters() if name not in trained}
    module.enable_gradient_checkpointing()
    module(**batch)["loss"].backward()
    reached = {name for name, p in module.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert reached == set(trained)
    optimizer.step()
    for name, total in frozen.items():
        assert torch.equal(module.get_parameter(name).sum(), total), name
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert peak < 20 * GIB
