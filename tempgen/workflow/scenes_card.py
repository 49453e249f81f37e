"""The model card of the ``scenes`` backbone: how it was made, what it can do, samples to look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np

from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.files import whole_file
from tempgen.workflow.scenes_check import N_GRID, SAMPLING, SceneSamples

SAMPLES = "samples.png"
_MEANING = {
    "pixcorr": "PixCorr with the seen image",
    "ssim": "SSIM with the seen image",
    "category_of_sample": "objects' categories found in the sample",
    "category_of_seen_image": "the same in the seen image",
    "category_read_from_tokens": "the same by a linear head on the tokens",
}


def write_card(folder: Path, checked: Sequence[SceneSamples], config: ScenesPretraining) -> Path:
    """Write README.md and samples.png into the backbone's folder.

    Parameters
    ----------
    checked : sequence of SceneSamples
        From :func:`~tempgen.workflow.scenes_check.check_scenes`.
    """
    with whole_file(folder / SAMPLES) as temporary:
        draw_samples(checked).savefig(temporary, dpi=100, format="png")
    description = json.loads((folder / "backbone.json").read_text(encoding="utf-8"))
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / 1e6
    with whole_file(folder / "README.md") as temporary:
        temporary.write_text(_card(description, checked, config, size), encoding="utf-8")
    return folder / "README.md"


def draw_samples(checked: Sequence[SceneSamples]) -> matplotlib.figure.Figure:
    """Rows of images: seen above sampled, for each kind of tokens."""
    rows = [(label, images) for samples in checked for label, images in _rows(samples)]
    figure = matplotlib.figure.Figure(figsize=(10.8, 1.02 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), N_GRID)
    for row, (label, images) in zip(axes, rows, strict=True):
        for column, ax in enumerate(row):
            ax.set(xticks=[], yticks=[])
            ax.imshow(images[column])
        row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
    return figure


def _rows(samples: SceneSamples) -> list[tuple[str, Any]]:
    if samples.seen is None:
        return [(samples.name, samples.images[:N_GRID]), ("", samples.images[N_GRID : 2 * N_GRID])]
    # spread over the trials, not the best
    chosen = np.linspace(0, len(samples.images) - 1, N_GRID).astype(int)
    return [("seen", samples.seen[chosen]), (f"from {samples.name}", samples.images[chosen])]


def _card(
    description: dict[str, Any], checked: Sequence[SceneSamples], config: ScenesPretraining, megabytes: float
) -> str:
    stages = [
        f"| {stage} | {report['n_steps']} x {report['batch_size']} | {_scores(report['scores'])} | {_loss(report['loss'])} |"
        for stage, report in description["stages"].items()
    ]
    scored = [samples for samples in checked if samples.scores]
    table = [
        f"| {meaning} | " + " | ".join(f"{samples.scores[name]:.3f}" for samples in scored) + " |"
        for name, meaning in _MEANING.items()
    ]
    return "\n".join(
        [
            "---",
            "library_name: diffusers",
            "license: mit",
            "tags: [image-variation, latent-diffusion, procedural-scenes]",
            "---",
            "# scenes: a small latent diffusion model of procedural scenes",
            "",
            "An image-variation model in the layout of its large relatives (VAE, image UNet, image encoder, DDIM scheduler), small enough to "
            "train and sample on two CPU cores. It knows nothing but tempgen's procedural scenes: 64 x 64 pixels, one or two objects of ten "
            "categories in front of eight backgrounds. It was trained on rendered scenes alone; no brain data and no photograph entered it.",
            "",
            f"- made by: `tempgen pretrain-scenes` of tempgen {description['tempgen_version']}",
            f"- data: {config.n_scenes} scenes drawn with seed {config.seed}; held out: {config.n_held_out} with seed {config.seed + 1}",
            f"- weights: {megabytes:.1f} MB in half precision; {description['n_tokens']} tokens x {description['token_dim']}, "
            f"latents {tuple(description['latent_shape'])}",
            "- the UNet saw tokens as decoders give them: clean, missing, or shrunk to their posterior mean under noise",
            "",
            "| stage | updates x batch | held-out scores | training loss at the end |",
            "|---|---|---|---|",
            *stages,
            "",
            f"Samples: {SAMPLING.scheduler}, {SAMPLING.n_steps} steps, guidance {SAMPLING.guidance}. Decoded tokens are those that ridge "
            "regression gives for test trials of SIMULATED subjects (the number is their signal-to-noise ratio) at delta 0; there, the seen image's "
            "categories are those that the classifier finds in it. Categories are found by the separately trained scene classifier, as "
            "many as the scene has objects; chance is about 0.15.",
            "",
            "| | " + " | ".join(f"{samples.name}, {len(samples.images)} scenes" for samples in scored) + " |",
            "|---|" + "---|" * len(scored),
            *table,
            "",
            f"![samples]({SAMPLES})",
            "",
        ]
    )


def _loss(loss: float | None) -> str:
    """None where a run was stopped between its last checkpoint and its report."""
    return "unknown" if loss is None else f"{loss:.4g}"


def _scores(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in scores.items() if name != "monitor") or "none"
