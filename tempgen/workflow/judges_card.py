"""The model cards of the networks that judge scenes: how each was made, and how it does on scenes that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tempgen._version import __version__
from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.files import whole_file
from tempgen.models.scene_classifier import load_scene_classifier
from tempgen.models.scene_segmenter import load_scene_segmenter
from tempgen.training.scenes.encoder import categories_found
from tempgen.training.scenes.pictures import Pictures
from tempgen.training.scenes.segmenter import (
    BLOTCHES,
    BLUR_PX,
    CLEAN,
    GRAIN,
    HELD_OUT_BLUR_PX,
    HELD_OUT_GRAIN,
    agreement,
    as_reconstructed,
)

CARD = "README.md"
_MEANING = {
    "categories_found": "objects' categories found, as many as the scene has",
    "pixel_accuracy": "share of pixels with the right class",
    "mean_iou": "mean IoU: over the classes in either map of a scene, then over scenes",
    "class_iou": "IoU of each class over all scenes' pixels, then the mean over classes",
}


@torch.no_grad()
def check_classifier(folder: Path, held_out: Pictures) -> dict[str, dict[str, float]]:
    """Share of held-out scenes' categories that a saved classifier finds: as they are, and under blur and noise."""
    load_scene_classifier.cache_clear()  # the folder may have been written anew
    classifier = load_scene_classifier(folder)
    categories = torch.from_numpy(held_out.categories)

    def found(images: Tensor) -> dict[str, float]:
        return {"categories_found": float(categories_found(classifier(images), categories).mean())}

    images = held_out.pixels(slice(None))
    return {"as drawn": found(images), "disturbed": found(as_reconstructed(images))}


@torch.no_grad()
def check_segmenter(folder: Path, held_out: Pictures, masks: Tensor) -> dict[str, dict[str, float]]:
    """Agreement of a saved network's maps of held-out scenes with the true ones: as they are, and under blur and noise.

    Parameters
    ----------
    masks : Tensor of uint8, shape (n_scenes, 64, 64)
        The true maps.
    """
    segmenter = load_scene_segmenter(folder)
    images = held_out.pixels(slice(None))
    return {
        "as drawn": agreement(segmenter, images, masks),
        "disturbed": agreement(segmenter, as_reconstructed(images), masks),
    }


def write_classifier_card(
    folder: Path,
    checked: Mapping[str, Mapping[str, float]],
    config: ScenesPretraining,
    report: Mapping[str, Any],
) -> Path:
    """Write README.md into the classifier's folder.

    Parameters
    ----------
    checked : mapping
        From :func:`check_classifier`.
    report : mapping
        How the stage went, as its ``done.json`` says.
    """
    categories = load_scene_classifier(folder).categories
    about = [
        f"Names the objects in a 64 x 64 procedural scene of tempgen: {', '.join(categories)}. Its output is one logit for each, "
        "several of which may be there. It judges samples of the `scenes` backbone, and two of its layers are features of the `scenes` "
        "metrics; it was trained apart from that backbone and shares no weight with it.",
        "",
        "It saw scenes as they are drawn, none disturbed: on blurred reconstructions it is less certain, as the table shows.",
    ]
    return _write(folder, "classifier", about, checked, config, report)


def write_segmenter_card(
    folder: Path,
    checked: Mapping[str, Mapping[str, float]],
    config: ScenesPretraining,
    report: Mapping[str, Any],
) -> Path:
    """Write README.md into the segmentation network's folder; parameters as :func:`write_classifier_card`."""
    classes = load_scene_segmenter(folder).classes
    about = [
        f"Says what each pixel of a 64 x 64 procedural scene of tempgen shows, one of {len(classes)} classes: {', '.join(classes)}. "
        "It judges reconstructions: mIoU of the `scenes` metrics compares its map of the reconstruction with its map of the seen "
        "image.",
        "",
        f"Of the training scenes {CLEAN:.0%} were left as they are; the others were blurred (SD up to {BLUR_PX:g} pixels) and put "
        f"under noise (grain of SD up to {GRAIN:g}, blotches of SD up to {BLOTCHES:g}, where white is 1), as imperfect reconstructions are.",
    ]
    return _write(folder, "segmenter", about, checked, config, report)


def _write(
    folder: Path,
    stage: str,
    about: list[str],
    checked: Mapping[str, Mapping[str, float]],
    config: ScenesPretraining,
    report: Mapping[str, Any],
) -> Path:
    megabytes = sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / 1e6
    names = next(iter(checked.values()))
    loss = "unknown" if report["loss"] is None else f"{report['loss']:.4g}"
    optimization = getattr(config, stage)
    rows = [
        f"| {_MEANING[name]} | " + " | ".join(f"{scores[name]:.3f}" for scores in checked.values()) + " |"
        for name in names
    ]
    lines = [
        "---",
        "library_name: tempgen",
        "license: mit",
        "tags: [procedural-scenes]",
        "---",
        f"# scene_{stage}: a judge of procedural scenes",
        "",
        *about,
        "",
        "It knows nothing but such scenes, one or two objects in front of one of eight backgrounds: its verdict on a photograph means "
        "nothing. No brain data and no photograph entered it.",
        "",
        f"- made by: `tempgen pretrain-scenes OUT --stages {stage}` of tempgen {__version__}",
        f"- data: {config.n_scenes} scenes drawn with seed {config.seed}; held out: {config.n_held_out} with seed {config.seed + 1}",
        f"- training: {report['n_steps']} updates x {report['batch_size']} scenes, AdamW, learning rate up to "
        f"{optimization.learning_rate:g}, seed {optimization.seed}; training loss at the end {loss}",
        f"- weights: {megabytes:.2f} MB in half precision",
        "",
        f"On the held-out scenes; disturbed means a blur of SD {HELD_OUT_BLUR_PX:g} pixels and noise of SD {HELD_OUT_GRAIN:g}:",
        "",
        "| | " + " | ".join(checked) + " |",
        "|---|" + "---|" * len(checked),
        *rows,
        "",
    ]
    with whole_file(folder / CARD) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return folder / CARD
