"""What the ``scenes`` backbone can do, measured on scenes and subjects that it was not trained on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tempgen.config import Analysis
from tempgen.config.sampling import SamplingConfig
from tempgen.data.store import read_seen_images
from tempgen.decoders import load_decoder
from tempgen.decoders.dynadiff.sampling import images_of_tokens
from tempgen.metrics import pixcorr, ssim
from tempgen.models.backbone import Backbone, load_backbone
from tempgen.models.scene_classifier import SceneClassifier, load_scene_classifier
from tempgen.training.scenes.encoder import categories_found
from tempgen.training.scenes.pictures import Pictures
from tempgen.workflow.places import Places
from tempgen.workflow.recording import prepare_recording
from tempgen.workflow.training import train_decoders
from tempgen.workflow.trial_sets import TrialSets

N_GRID = 10
"""Scenes in a row of the sample grids."""
N_HEAD = 4000
"""Training scenes that the linear head sees. Source: house choice."""
SAMPLING = SamplingConfig(scheduler="DDPMScheduler", n_steps=20, guidance=3.0, mixed_precision="bf16")
"""How the card's samples are made. Source: of five samplers the best beside the true image (DDIM: PixCorr 0.02 lower)."""
SNRS = (2.0, 8.0)
"""Of the simulated subjects: the demo's, and one at which a linear head reads nine of ten objects from the decoded tokens. Source: measured."""
SUBJECT: dict[str, Any] = {"n_sessions": 4}
"""The SIMULATED subjects whose tokens are decoded. Source: house choice."""


@dataclass(frozen=True)
class SceneSamples:
    """Images of one kind of tokens beside what they should show.

    Attributes
    ----------
    name : str
    images : array of float32, shape (n, 64, 64, 3)
    seen : array of float32, shape (n, 64, 64, 3) or None
    scores : dict
    """

    name: str
    images: NDArray[np.float32]
    seen: NDArray[np.float32] | None
    scores: dict[str, float]


@torch.no_grad()
def check_scenes(
    folder: Path,
    judge: Path,
    *,
    pictures: Pictures,
    held_out: Pictures,
    subject: Path,
    say: Callable[[str], Any] = print,
) -> list[SceneSamples]:
    """Sample from true tokens, from tokens that ridge decodes from SIMULATED subjects, and from none.

    Parameters
    ----------
    folder, judge : Path
        The backbone's and the classifier's folder.
    pictures : Pictures
        Training scenes, for the linear head that reads categories from tokens.
    held_out : Pictures
        Scenes that no network was trained on.
    subject : Path
        Folder in which subjects are simulated.

    Returns
    -------
    list of SceneSamples
        True tokens, decoded tokens at each of `SNRS`, no tokens.
    """
    backbone, classifier = load_backbone(folder), load_scene_classifier(judge)
    head = _linear_head(backbone, pictures)
    checked = []
    seen = held_out.pixels(slice(None))
    categories = torch.from_numpy(held_out.categories)
    say(f"{len(seen)} held-out scenes from their true tokens")
    true_tokens = backbone.tokens(seen)
    checked.append(_sampled("true tokens", backbone, classifier, head, true_tokens, seen, categories))
    for snr in SNRS:
        tokens, images = decoded_tokens(backbone, folder, subject / f"snr-{snr:g}", snr=snr, say=say)
        say(f"{len(images)} test trials of a simulated subject at {snr:g}, from tokens that ridge decodes")
        read = (torch.sigmoid(classifier(images)) > 0.5).float()
        certain = read.sum(dim=1) > 0
        name, chosen = f"decoded tokens, {snr:g}", (tokens[certain], images[certain], read[certain])
        checked.append(_sampled(name, backbone, classifier, head, *chosen))
    none = backbone.null_tokens(2 * N_GRID)
    checked.append(
        SceneSamples("no tokens", images_of_tokens(backbone, none.numpy(), config=SAMPLING), None, {})
    )
    return checked


def _sampled(
    name: str,
    backbone: Backbone,
    classifier: SceneClassifier,
    head: Tensor,
    tokens: Tensor,
    seen: Tensor,
    categories: Tensor,
) -> SceneSamples:
    images = images_of_tokens(backbone, tokens.numpy(), config=SAMPLING)
    sampled = torch.from_numpy(images).movedim(-1, 1)
    whole = torch.cat([tokens[:, 0], torch.ones(len(tokens), 1)], dim=1)
    seen_rows = seen.movedim(1, -1).numpy()
    scores = {
        "pixcorr": float(pixcorr(seen=seen_rows, reconstructed=images).mean()),
        "ssim": float(ssim(seen=seen_rows, reconstructed=images).mean()),
        "category_of_sample": float(categories_found(classifier(sampled), categories).mean()),
        "category_of_seen_image": float(categories_found(classifier(seen), categories).mean()),
        "category_read_from_tokens": float(categories_found(whole @ head, categories).mean()),
    }
    return SceneSamples(name, images, seen_rows, scores)


def _linear_head(backbone: Backbone, pictures: Pictures) -> Tensor:
    """Least-squares map from the whole's token (and 1) to categories, fitted on true tokens: (token_dim + 1, 10)."""
    rows = slice(0, N_HEAD)
    tokens = backbone.tokens(pictures.pixels(rows))[:, 0]
    design = torch.cat([tokens, torch.ones(len(tokens), 1)], dim=1)
    solution: Tensor = torch.linalg.lstsq(design, torch.from_numpy(pictures.categories[rows])).solution
    return solution


def decoded_tokens(
    backbone: Backbone, backbone_folder: Path, folder: Path, *, snr: float, say: Callable[[str], Any] = print
) -> tuple[Tensor, Tensor]:
    """Tokens that ridge decodes at delta 0 from a SIMULATED subject's test trials, and the images that were shown.

    Parameters
    ----------
    folder : Path
        Of the analysis.
    snr : float
        Signal-to-noise ratio of the subject.

    Returns
    -------
    tokens : Tensor, shape (n_trials, n_tokens, token_dim)
    images : Tensor, shape (n_trials, 3, 64, 64)
    """
    analysis = Analysis.model_validate(
        {
            "name": "scenes-check",
            "folder": folder,
            "data": {"source": "simulated", "simulate": {**SUBJECT, "snr": snr}},
            "split": {"test_fraction": 0.17},
            "decoder": {
                "target": "tokens",
                "alpha_per_target": True,
                "backbone_folder": backbone_folder,
            },
            "training": {"deltas": [0]},
            "evaluation": {"suite": "pixels"},  # nothing is scored, and the judges may not be there yet
        }
    )
    store = prepare_recording(analysis, say=say)
    shutil.rmtree(
        Places(analysis).decoder(0), ignore_errors=True
    )  # it may be of an earlier backbone of this name
    train_decoders(analysis, [0], store=store, say=say)
    windows = TrialSets.of(analysis, store).windows("test")
    decoder = load_decoder(Places(analysis).decoder(0))
    decoder.target_.check_backbone(backbone.spec)
    predicted = decoder.predict(windows.windows(0))
    tokens = torch.from_numpy(predicted).reshape(len(predicted), backbone.spec.n_tokens, -1)
    seen = read_seen_images(store, windows.table["image_id"].to_numpy())
    return tokens, torch.from_numpy(seen).movedim(-1, 1).float() / 255
