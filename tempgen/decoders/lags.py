"""Decoders by name: loading any of them, and ridge at many lags.

A decoder kind offers a folder to load from, predictions or reconstructions at many test lags (`reconstruct_lags`), and
training at many lags: ridge here in one pass, networks in the workflow, by the training loop.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tempgen.config.decoder import DECODER_KINDS, RidgeConfig
from tempgen.decoders.targets import TargetSpec
from tempgen.errors import DecoderError
from tempgen.windows import Window

if TYPE_CHECKING:
    from tempgen.decoders.ridge import RidgeDecoder
    from tempgen.decoders.ridge_fit import VolumeReader


def fit_lags(
    config: RidgeConfig,
    volume: VolumeReader,
    targets: NDArray[np.float32],
    *,
    deltas: Sequence[int],
    window: Window,
    groups: NDArray[np.int64],
    target: TargetSpec,
    device: str | None = None,
) -> Iterator[tuple[int, RidgeDecoder]]:
    """Fit a ridge at each train lag, one after the other.

    Parameters
    ----------
    volume : callable
        ``volume(offset)`` gives the volume ``offset`` TRs after each training trial's onset, shape (n_trials, n_voxels).
    targets : array of float32, shape (n_trials, n_targets)
        What to predict, the same at every lag.
    deltas : sequence of int
        Train lags (TRs).
    groups : array of int, shape (n_trials,)
        Run of each training trial: penalties are chosen on runs held out of the training.
    target : TargetSpec
        What the targets mean; saved with each decoder.

    Yields
    ------
    (int, RidgeDecoder)
        Train lag and fitted decoder, in ascending order of the lag.
    """
    from tempgen.decoders.ridge import RidgeDecoder
    from tempgen.decoders.ridge_solver import fit_ridge_lags
    from tempgen.decoders.target_components import fit_component_lags, token_blocks

    chosen: dict[str, Any] = {
        "alphas": config.alphas,
        "n_folds": config.n_folds,
        "alpha_per_target": config.alpha_per_target,
        "device": device,
    }
    options: dict[str, Any] = {
        "deltas": sorted(deltas),
        "start_tr": window.start_tr,
        "n_tr": window.n_tr,
        "groups": groups,
    }
    if target.kind == "tokens" and config.alpha_per_target:
        fitted = {name: value for name, value in chosen.items() if name != "alpha_per_target"}
        blocks = token_blocks(target.token_dim)
        fits = fit_component_lags(volume, targets, blocks=blocks, **options, **fitted)
    else:
        fits = fit_ridge_lags(volume, targets, **options, **chosen)
    for delta, fit in fits:
        yield delta, RidgeDecoder.from_fit(fit, target=target, **chosen)


def predict_lags(
    decoders: Mapping[int, RidgeDecoder],
    volume: VolumeReader,
    *,
    test_deltas: Sequence[int],
    start_tr: int,
    cells: Collection[tuple[int, int]] | None = None,
    device: str | None = None,
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Predictions of ridges at test lags, of all or of the ``cells`` (train lag, test lag) asked for.

    Yields
    ------
    (int, int, array of float32, shape (n_trials, n_targets))
        Train lag, test lag, predictions.
    """
    from tempgen.decoders.ridge_prediction import predict_ridge_lags

    fits = {delta: decoder.fit_ for delta, decoder in decoders.items()}
    yield from predict_ridge_lags(
        volume, fits, test_deltas=test_deltas, start_tr=start_tr, cells=cells, device=device
    )


def load_decoder(folder: Path) -> Any:
    """Load a saved decoder of any kind: a `RidgeDecoder`, or a `DynadiffDecoder` with its backbone.

    Raises
    ------
    DecoderError
        If the folder is no decoder's, or of a kind that this version does not know.
    """
    if decoder_kind(folder) == "ridge":
        from tempgen.decoders.ridge import RidgeDecoder

        return RidgeDecoder.from_pretrained(folder)
    from tempgen.decoders.dynadiff import DynadiffDecoder

    return DynadiffDecoder.from_pretrained(folder)


def decoder_kind(folder: Path) -> str:
    """Of which kind a saved decoder is, without loading its weights.

    Raises
    ------
    DecoderError
        If the folder is no decoder's, or of a kind that this version does not know.
    """
    kind = str(_config_of(folder).get("kind"))
    if kind not in DECODER_KINDS:
        raise DecoderError(
            f"{folder} holds a decoder of kind {kind!r}; this version knows: {', '.join(DECODER_KINDS)}."
        )
    return kind


def decoder_provenance(folder: Path) -> dict[str, Any]:
    """What a saved decoder says of its making, without loading its weights.

    Raises
    ------
    DecoderError
        If the folder is no decoder's.
    """
    provenance: dict[str, Any] = _config_of(folder).get("provenance", {})
    return provenance


def _config_of(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DecoderError(
            f"{folder} is no decoder: it has no config.json that can be read ({error}). Train it again with --overwrite, or "
            "remove the folder."
        ) from error
    return config
