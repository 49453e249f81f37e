"""What the decoders of an analysis make of its test trials, cell by cell: images to score and to keep, or labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from tempgen.config.decoder import makes_images_by_diffusion
from tempgen.data.repetitions import EvaluatedWindows
from tempgen.decoders import area_average, load_decoder, predict_lags, reconstruct_lags, upsample_images
from tempgen.generalization.evaluate import Cell, cells_to_score
from tempgen.workflow.scoring import scored_size
from tempgen.workflow.trial_sets import TrialSets


def cells_of(sets: TrialSets, deltas: Sequence[int] | None = None) -> set[Cell]:
    """Which (train_delta, test_delta) the analysis asks for, at all or at some of its test lags."""
    analysis = sets.analysis
    return cells_to_score(
        analysis.evaluated_train_deltas,
        analysis.evaluated_deltas if deltas is None else deltas,
        general_delta=analysis.training.general_delta,
        matrix=analysis.evaluation.matrix,
    )


def decoded_cells(
    sets: TrialSets,
    folders: Mapping[int, Path],
    windows: EvaluatedWindows,
    cells: Collection[Cell],
    *,
    desc: str,
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Images (n_trials, size, size, 3) at the size at which they are compared, or outputs that name labels.

    Parameters
    ----------
    folders : mapping of int to Path
        Decoders by train lag.
    windows : WindowDataset or AveragedWindows
        Of the trials to decode.
    cells : collection of (train_delta, test_delta)
    desc : str
        Before the progress bar.

    Yields
    ------
    (int, int, array of float32, shape (n_trials, ...))
    """
    if not cells:
        return
    analysis = sets.analysis
    options: dict[str, Any] = {
        "cells": cells,
        "start_tr": sets.window.start_tr,
        "device": analysis.training.device,
    }
    if sets.predicts == "labels":
        decoders = {train: load_decoder(folders[train]) for train, _ in cells}
        tests = sorted({test for _, test in cells})
        predictions = predict_lags(decoders, windows.volume, test_deltas=tests, **options)
        yield from tqdm(predictions, total=len(cells), desc=desc, unit="cell", disable=None)
        return
    if makes_images_by_diffusion(analysis.decoder):
        from tempgen.workflow.backbones import open_backbone

        options |= {"backbone": open_backbone(sets), "sampling": analysis.decoder.sampling}
    size = scored_size(sets)
    table = windows.table
    with tqdm(total=len(cells) * len(table), desc=desc, unit="image", disable=None) as bar:
        reconstructed = reconstruct_lags(
            folders,
            windows,
            image_ids=table["image_id"].to_numpy(),
            repetitions=table["repetition"].to_numpy(),
            progress=bar.update,
            **options,
        )
        for train, test, images in reconstructed:
            yield train, test, resized(images, size)


def resized(images: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Images (n, height, width, 3) at another size: averaged over areas where smaller, bilinear where larger."""
    if images.shape[1] == size:
        return images
    return area_average(images, size) if images.shape[1] > size else upsample_images(images, size)
