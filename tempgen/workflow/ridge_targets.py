"""What a ridge of an analysis learns to predict: pixels, labels, or the tokens of a diffusion backbone."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from tempgen.data.store import label_names_of, read_seen_images
from tempgen.data.window_dataset import WindowDataset
from tempgen.decoders import TargetSpec, one_hot, pixel_targets
from tempgen.errors import DecoderError
from tempgen.workflow.trial_sets import TrialSets


def ridge_targets(sets: TrialSets, windows: WindowDataset) -> tuple[NDArray[np.float32], TargetSpec]:
    """Targets of the training trials, shape (n_trials, n_targets), and what they mean."""
    config = sets.analysis.decoder
    if config.kind != "ridge":
        raise TypeError(f"decoder.kind is {config.kind}")
    image_ids = windows.table["image_id"].to_numpy()
    if sets.predicts == "labels":
        names = label_names_of(sets.store)
        return one_hot(image_ids, len(names)), TargetSpec(kind="labels", names=names)
    distinct, inverse = np.unique(image_ids, return_inverse=True)
    if sets.predicts == "tokens":
        from tempgen.workflow.backbones import encoded_seen_images, open_backbone

        backbone = open_backbone(sets)
        meaning = TargetSpec.of_tokens(backbone.spec)
        check_memory(
            n_trials=len(windows),
            n_voxels=windows.n_voxels,
            n_tr=windows.window.n_tr,
            n_targets=backbone.spec.n_tokens * backbone.spec.token_dim,
        )
        encoded = encoded_seen_images(sets, backbone, distinct, with_tokens=True)
        tokens = encoded.tokens_of(encoded.rows(image_ids)).flatten(1).numpy()
        return tokens, meaning
    size = config.target_size
    pixels = pixel_targets(read_seen_images(sets.store, distinct), size)[inverse]
    return pixels, TargetSpec(kind="pixels", size=size, image_size=int(sets.store.sizes["row"]))


def check_memory(*, n_trials: int, n_voxels: int, n_tr: int, n_targets: int) -> None:
    """Refuse, before anything is computed, a ridge to tokens that this machine would be killed for.

    Counted are the targets and the coefficients of one lag, what it takes at least.

    Raises
    ------
    DecoderError
        With the size, the machine's memory and what to do instead.
    """
    needed = 4 * n_targets * (n_trials + n_tr * n_voxels)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise DecoderError(
            f"Ridge from {n_tr} TRs x {n_voxels:,} voxels to {n_targets:,} values of tokens takes {needed / 2**30:.0f} GiB at "
            f"least, this machine has {memory / 2**30:.0f} GiB: take fewer voxels (data.roi), decoder.target: pixels, "
            "or decoder.backbone: scenes."
        )
