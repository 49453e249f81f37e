"""Reconstruction by Dynadiff: images/s, latency of a trial, a running recording, and switching between lags.

- tempgen: `DynadiffDecoder` and its sampler, both branches of guidance in one call of the UNet, one batch or one trial at a time.
- obvious loop, written below: one image at a time, two calls of the UNet in each step, the scheduler built for each image.
  Same backbone, weights, tokens and initial noise; in float32 the images must agree within half a grey level of 255, else the
  program exits with 1.

Schedulers with fewer steps are rows; beside them stands the pixel correlation of their images with those of DDIM at 20
steps. A stream takes a volume per TR and gives an image: its latency is compared with NSD's TR of 1.333 s. Switching to
another lag's decoder by `DecoderBank` is compared with loading its folder anew, on the backbone in memory and with a backbone of
its own. At the paper's size, with random weights, all of this runs on a GPU; without one it is skipped. Images of random
weights mean nothing: there, correlations between schedulers are of no use.

Run it as ``python benchmarks/reconstruct.py [--images 8] [--batch-size 32] [--quick]``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from parts.dynadiff import (
    FULL_SIZE,
    N_TR,
    RECONSTRUCTION_TFLOP,
    REHEARSAL,
    ROOFLINE_TFLOPS,
    SCENES,
    SUBJECT,
    TR_S,
    Subject,
    full_size_backbone,
    machine,
    no_gpu_reason,
    scenes_backbone,
    seen_images,
    synchronize,
)
from torch import Tensor

from tempgen.config.dynadiff import DynadiffConfig
from tempgen.config.sampling import SamplingConfig
from tempgen.decoders.dynadiff import (
    DecoderBank,
    DynadiffDecoder,
    initial_noise,
    module_from_scratch,
    sample_images,
)
from tempgen.decoders.dynadiff.encoded_images import as_tensor
from tempgen.decoders.dynadiff.slot import adapter_slot
from tempgen.metrics.pixel import pixcorr
from tempgen.models.backbone import Backbone

MAX_DIFFERENCE = 0.5 / 255
SCHEDULERS = {
    "DDIM, 20 steps": ("DDIMScheduler", 20),
    "DDIM, 10 steps": ("DDIMScheduler", 10),
    "DPM-Solver++ 2M, 10 steps": ("DPMSolverMultistepScheduler", 10),
    "DPM-Solver++ 2M, 5 steps": ("DPMSolverMultistepScheduler", 5),
}
N_LAGS = 17


@torch.no_grad()
def obvious_loop(backbone: Backbone, tokens: Tensor, noise: Tensor, config: SamplingConfig) -> Tensor:
    """Images of tokens as a first version of the sampler would make them."""
    from diffusers import DDIMScheduler

    device, dtype = backbone.device, backbone.unet.conv_in.weight.dtype
    images = []
    for condition, start in zip(tokens, noise, strict=True):
        scheduler = DDIMScheduler.from_config(backbone.scheduler.config)
        scheduler.set_timesteps(config.n_steps)
        some = condition[None].to(device, dtype)
        latents = start[None].to(device)
        for timestep in scheduler.timesteps:
            noisy = latents.to(dtype)
            without, with_tokens = (
                backbone.unet(timestep=timestep, **backbone.unet_arguments(noisy, condition)).sample
                for condition in (torch.zeros_like(some), some)
            )
            epsilon = without + config.guidance * (with_tokens - without)
            latents = scheduler.step(epsilon.float(), timestep, latents).prev_sample
        images.append(backbone.decode(latents).cpu())
    return torch.cat(images)


def seconds_of(action: Callable[[], Any], device: torch.device) -> float:
    """Wall time until the device is done."""
    synchronize(device)
    start = time.perf_counter()
    action()
    synchronize(device)
    return time.perf_counter() - start


def milliseconds(seconds: list[float]) -> str:
    """Median and slowest."""
    return f"{1e3 * statistics.median(seconds):9.1f} ms (slowest {1e3 * max(seconds):.1f})"


@dataclass(frozen=True)
class Case:
    """What is timed on a backbone."""

    backbone: Backbone
    subject: Subject
    decoder: DynadiffDecoder
    tokens: Tensor
    """Of seen images where there is an image encoder, else random, (n, n_tokens, token_dim)."""
    noise: Tensor

    @classmethod
    def of(cls, backbone: Backbone, subject: Subject, *, n_images: int) -> Case:
        """With a decoder whose brain module is random."""
        spec = backbone.spec
        if backbone.image_encoder is not None:
            tokens = backbone.tokens(as_tensor(seen_images(backbone, n_images)))
        else:
            shape = (n_images, spec.n_tokens, spec.token_dim)
            tokens = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        noise = initial_noise(spec, seed=0, image_ids=range(n_images), repetitions=[0] * n_images)
        return cls(backbone, subject, new_decoder(backbone, subject, seed=0), tokens, noise)

    def sample(self, n: int, config: SamplingConfig) -> Tensor:
        """By tempgen, of the first tokens."""
        return sample_images(self.backbone, self.tokens[:n], noise=self.noise[:n], config=config)


def new_decoder(backbone: Backbone, subject: Subject, *, seed: int) -> DynadiffDecoder:
    """A decoder with random weights."""
    config = DynadiffConfig.model_validate(
        {"brain_module": {"hidden_size": subject.hidden_size}, "optimization": {"seed": seed}}
    )
    module = module_from_scratch(backbone, config, subject=SUBJECT, n_voxels=subject.n_voxels, n_tr=N_TR)
    return DynadiffDecoder.from_module(module)


def time_sampling(case: Case, args: argparse.Namespace, *, batch_sizes: list[int]) -> list[str]:
    """Loop and sampler in turns, at batch 1 and more; returns what failed."""
    device, few = case.backbone.device, min(args.images, len(case.tokens))
    config = SamplingConfig(batch_size=1)
    # compared before timing, which warms up, too
    loop = obvious_loop(case.backbone, case.tokens[:few], case.noise[:few], config)
    difference = float((case.sample(few, config) - loop).abs().max())
    exact = case.backbone.unet.conv_in.weight.dtype == torch.float32
    sizes = [size for size in batch_sizes if _fits(case, config.model_copy(update={"batch_size": size}))]
    seconds: dict[str, list[float]] = {"obvious loop": []} | {f"tempgen, batch {size}": [] for size in sizes}
    for _ in range(args.repeats):
        loop_s = seconds_of(
            lambda: obvious_loop(case.backbone, case.tokens[:few], case.noise[:few], config), device
        )
        seconds["obvious loop"].append(loop_s / few)
        for size in sizes:
            n, chosen = max(size, few) if size > 1 else few, config.model_copy(update={"batch_size": size})
            seconds[f"tempgen, batch {size}"].append(
                seconds_of(lambda n=n, chosen=chosen: case.sample(n, chosen), device) / n
            )
    print("  DDIM, 20 steps, guidance 3, images in turns, medians")
    print(f"    {'':<28}{'ms/image':>10}{'images/s':>10}{'ratio':>8}")
    base = statistics.median(seconds["obvious loop"])
    for name, each in seconds.items():
        median = statistics.median(each)
        print(
            f"    {name:<28}{1e3 * median:10.1f}{1 / median:10.2f}{base / median:7.2f}x{_roofline(case, median)}"
        )
    print(
        f"    images of the two differ by at most {difference:.1e}"
        + (f" ({MAX_DIFFERENCE:.1e} allowed)" if exact else " (bfloat16: for information)"),
        flush=True,
    )
    wrong = exact and not difference <= MAX_DIFFERENCE
    return [f"{case.subject.name}: images differ by {difference:.1e}"] * wrong


def _fits(case: Case, config: SamplingConfig) -> bool:
    """Warm up at a batch size; says so if it does not fit."""
    try:
        case.sample(min(config.batch_size, len(case.tokens)), config.model_copy(update={"n_steps": 1}))
        return True
    except torch.cuda.OutOfMemoryError:
        print(f"    batch {config.batch_size}: skipped, out of memory")
        torch.cuda.empty_cache()
        return False


def _roofline(case: Case, seconds: float) -> str:
    if case.subject is not FULL_SIZE:
        return ""
    return f"  {RECONSTRUCTION_TFLOP / seconds / ROOFLINE_TFLOPS:.0%} of the roofline"


def time_schedulers(case: Case, args: argparse.Namespace) -> None:
    """Latency of a trial and images/s by scheduler, and how like DDIM's images theirs are."""
    device, n = case.backbone.device, len(case.tokens)
    window = np.random.default_rng(2).standard_normal((1, N_TR, case.subject.n_voxels), dtype=np.float32)
    print("  Window to image by scheduler")
    print(f"    {'':<28}{'latency of a trial':>34}{'images/s':>12}{'PixCorr to DDIM 20':>22}")
    first: NDArray[Any] | None = None
    for name, (scheduler, n_steps) in SCHEDULERS.items():
        config = SamplingConfig(scheduler=scheduler, n_steps=n_steps, batch_size=args.batch_size)
        case.decoder.sampling = config.model_copy(update={"batch_size": 1})
        case.decoder.reconstruct(window)
        latency = [seconds_of(lambda: case.decoder.reconstruct(window), device) for _ in range(args.trials)]
        images: list[Tensor] = []
        batch_s = seconds_of(
            lambda images=images, config=config: images.append(case.sample(n, config)), device
        )
        pixels = images[0].movedim(1, -1).numpy()
        first = pixels if first is None else first
        alike = pixcorr(seen=first, reconstructed=pixels)
        print(
            f"    {name:<28}{milliseconds(latency):>34}{n / batch_s:12.2f}{alike.mean():16.3f} ({alike.min():.3f})"
        )
    print(f"    images/s in batches of {args.batch_size}; PixCorr: mean over {n} images (lowest)", flush=True)


def time_stream(case: Case, args: argparse.Namespace) -> None:
    """From the moment that a volume is given to its image."""
    rng = np.random.default_rng(3)
    print(f"  Stream: from a volume to its image, against a TR of {TR_S:.3f} s")
    for name in ("DDIM, 20 steps", "DPM-Solver++ 2M, 5 steps"):
        scheduler, n_steps = SCHEDULERS[name]
        case.decoder.sampling = SamplingConfig(scheduler=scheduler, n_steps=n_steps)
        given: list[float] = []

        def volumes(given: list[float] = given) -> Iterator[NDArray[np.float32]]:
            for _ in range(N_TR - 1 + args.trials):
                volume = rng.standard_normal(case.subject.n_voxels, dtype=np.float32)
                given.append(time.perf_counter())
                yield volume

        latency = [time.perf_counter() - given[-1] for _ in case.decoder.reconstruct_stream(volumes())]
        print(
            f"    {name:<28}{milliseconds(latency):>34}, {max(latency) / TR_S:.0%} of a TR at worst: "
            + ("keeps pace" if max(latency) < TR_S else "TOO SLOW"),
            flush=True,
        )


def time_switching(case: Case, *, n_lags: int, own_backbone: Callable[[], Backbone]) -> list[str]:
    """Change the lag, ready to reconstruct: by the bank, by loading a folder, by loading a backbone as well."""
    device, backbone = case.backbone.device, case.backbone
    deltas = list(range(-2, n_lags - 2))
    windows = np.random.default_rng(4).standard_normal((2, N_TR, case.subject.n_voxels), dtype=np.float32)
    with tempfile.TemporaryDirectory() as temporary:
        folders = {delta: Path(temporary) / f"delta_{delta}" for delta in deltas}
        for delta, folder in folders.items():
            new_decoder(backbone, case.subject, seed=delta + 2).save_pretrained(folder)
        bank = DecoderBank(folders, backbone)
        slot = adapter_slot(backbone, case.decoder.config.adapter)
        seconds: dict[str, list[float]] = {
            "DecoderBank": [],
            "folder, same backbone": [],
            "folder and backbone": [],
        }
        differences = []
        for delta in deltas:
            use = partial(bank.use, delta)
            seconds["DecoderBank"].append(seconds_of(lambda use=use: slot.hold(use().adapter), device))
            load = partial(DynadiffDecoder.from_pretrained, folders[delta])
            seconds["folder, same backbone"].append(seconds_of(partial(load, backbone), device))
            both = [decoder.predict(windows) for decoder in (use(), load(backbone))]
            differences.append(float(np.abs(both[0] - both[1]).max()))
        for delta in deltas[:2]:
            load = partial(DynadiffDecoder.from_pretrained, folders[delta])
            seconds["folder and backbone"].append(seconds_of(lambda load=load: load(own_backbone()), device))
    print(f"  Switching {n_lags} decoders, each ready to reconstruct")
    base = statistics.median(seconds["DecoderBank"])
    for name, each in seconds.items():
        print(f"    {name:<28}{milliseconds(each):>34}{statistics.median(each) / base:8.0f}x")
    print(f"    tokens of bank and folder differ by at most {max(differences):.1e}", flush=True)
    return [f"{case.subject.name}: tokens of the bank differ by {max(differences):.1e}"] * (
        max(differences) > 0
    )


def benchmark(
    case: Case, args: argparse.Namespace, *, own_backbone: Callable[[], Backbone], n_lags: int
) -> list[str]:
    """All parts on one backbone."""
    failed = time_sampling(case, args, batch_sizes=[1, args.batch_size])
    time_schedulers(case, args)
    time_stream(case, args)
    return failed + time_switching(case, n_lags=n_lags, own_backbone=own_backbone)


def benchmark_full_size(args: argparse.Namespace, device: torch.device, subject: Subject) -> list[str]:
    """The paper's size with random weights: images compared in float32, times taken in bfloat16."""
    tiny = subject is REHEARSAL
    print(f"\n{subject.name}, {machine(device)}; {subject.n_voxels:,} voxels, hidden {subject.hidden_size}")
    exact = Case.of(full_size_backbone(device, torch.float32, tiny=tiny), subject, n_images=1)
    config = SamplingConfig(batch_size=1)
    allowed, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    loop = obvious_loop(exact.backbone, exact.tokens, exact.noise, config)
    difference = float((exact.sample(1, config) - loop).abs().max())
    torch.backends.cudnn.allow_tf32 = allowed
    print(f"  float32, 1 image: {difference:.1e} apart ({MAX_DIFFERENCE:.1e} allowed)", flush=True)
    failed = [f"{subject.name}: images differ by {difference:.1e}"] * (not difference <= MAX_DIFFERENCE)
    del exact

    def build() -> Backbone:
        return full_size_backbone(device, torch.bfloat16, tiny=tiny)

    backbone = build()
    if args.channels_last:
        for part in (backbone.unet, backbone.vae):
            part.to(memory_format=torch.channels_last)
    if args.compile:
        backbone.unet.compile()  # in place: the adapter's slot stays its own
    case = Case.of(backbone, subject, n_images=args.batch_size)
    if not tiny:
        print(f"  floor of one H200: {1e3 * RECONSTRUCTION_TFLOP / ROOFLINE_TFLOPS:.1f} ms an image")
    return failed + benchmark(case, args, own_backbone=build, n_lags=args.full_size_lags)


def main() -> int:
    """Run the benchmark; 0 if images and tokens agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=6, help="images of the loop and of batch 1")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--trials", type=int, default=10, help="trials whose latency is taken")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side; the median counts")
    parser.add_argument("--threads", type=int, default=None, help="of torch on the CPU (default: as set up)")
    parser.add_argument(
        "--full-size-lags", type=int, default=3, help="decoders to switch at full size, 1.4 GB each"
    )
    parser.add_argument("--channels-last", action="store_true", help="at full size")
    parser.add_argument("--compile", action="store_true", help="compile the UNet at full size; takes minutes")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few images, and full size rehearsed with tiny models: does it work?",
    )
    args = parser.parse_args()
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    if args.quick:
        args.images, args.batch_size, args.trials, args.repeats = 2, 4, 2, 1

    backbone, weights = scenes_backbone()
    print(
        f"{SCENES.name} ({weights}), {machine(backbone.device)}; {SCENES.n_voxels} voxels, hidden {SCENES.hidden_size}"
    )
    case = Case.of(backbone, SCENES, n_images=args.batch_size)
    failed = benchmark(
        case, args, own_backbone=lambda: scenes_backbone()[0], n_lags=3 if args.quick else N_LAGS
    )
    reason = no_gpu_reason()
    if reason is None and not args.quick:
        failed += benchmark_full_size(args, torch.device("cuda"), FULL_SIZE)
    else:
        print(f"\nFull size: skipped, {reason or '--quick was given'}.")
    if args.quick:
        failed += benchmark_full_size(args, torch.device("cpu" if reason else "cuda"), REHEARSAL)
    print("\n".join(["FAILED:", *failed]) if failed else "\nImages and tokens agree.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
