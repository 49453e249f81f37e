"""The images of chosen trials: by lag, or seen beside reconstructed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from tempgen.generalization.images import lag_images
from tempgen.generalization.selection import Decoder

__all__ = ["exemplar_images", "exemplar_pairs"]

_DECODERS: Mapping[str, Decoder] = {"General": "general", "Specialized": "specialized"}
_IMAGE_OF_TARGET = {"current": "image_id", "previous": "previous_image", "next": "next_image"}


def exemplar_images(
    reconstructions: xr.Dataset, exemplars: xr.Dataset, *, deltas: Sequence[int] = range(-3, 4)
) -> dict[str, xr.Dataset]:
    """Reconstructions of the chosen trials by lag, of the General and the Specialized decoders.

    Parameters
    ----------
    reconstructions : Dataset
        That the exemplars were chosen of.
    exemplars : Dataset
        From `tempgen.generalization.exemplars.choose_exemplars`.
    deltas : sequence of int
        Test lags (TRs); those at which both were reconstructed are kept.

    Returns
    -------
    dict
        ``"General"`` and, where it was reconstructed at more lags than its own, ``"Specialized"``: what `lag_images` gives,
        with a ``label`` (trial) of rule, rank and score, and the rule as an attribute.

    Raises
    ------
    ResultsError
        If the General decoder was reconstructed at none of the lags.
    """
    rows = exemplars["position"].to_numpy()
    images = {"General": lag_images(reconstructions, decoder="general", deltas=deltas, trials=rows)}
    at_own_lag = _diagonal(reconstructions)
    shared = [delta for delta in images["General"]["test_delta"].to_numpy().tolist() if delta in at_own_lag]
    if len(shared) > 1:
        images = {
            name: lag_images(reconstructions, decoder=decoder, deltas=shared, trials=rows)
            for name, decoder in _DECODERS.items()
        }
    labels = [
        f"{rule}\nrank {rank}\n{score:.2f}"
        for rule, rank, score in zip(
            *(exemplars[name].to_numpy() for name in ("rule", "rank", "score")), strict=True
        )
    ]
    return {
        name: each.assign_coords(label=("trial", np.array(labels, dtype=object))).assign_attrs(
            rule=exemplars.attrs["rule"]
        )
        for name, each in images.items()
    }


def exemplar_pairs(
    reconstructions: xr.Dataset, exemplars: xr.Dataset, *, decoder_delta: int | None = None
) -> xr.Dataset:
    """Seen and reconstructed image of each chosen trial, read into memory.

    Parameters
    ----------
    reconstructions : Dataset
        That the exemplars were chosen of.
    exemplars : Dataset
        From `tempgen.generalization.exemplars.choose_exemplars`.
    decoder_delta : int, optional
        Lag at which the decoder was trained and is tested; the General decoder's unless given.

    Returns
    -------
    Dataset
        That of the exemplars with ``seen``, ``reconstruction`` and ``closest_image`` (trial, row, column, rgb), uint8; the last is
        the image that the reconstruction scores best with.
    """
    delta = int(reconstructions.attrs.get("general_delta", 0)) if decoder_delta is None else decoder_delta
    positions = exemplars["position"].to_numpy()
    cell = reconstructions["reconstruction"].sel(train_delta=delta, test_delta=delta)
    image_of = reconstructions["image_of"].to_numpy()
    seen_ids = reconstructions["image_id"].to_numpy()[positions]
    closest_ids = [
        int(reconstructions[_IMAGE_OF_TARGET[str(target)]][k])
        for k, target in zip(positions, exemplars["closest"].to_numpy(), strict=True)
    ]
    pixels = ("trial", "row", "column", "rgb")
    images = reconstructions["seen"].to_numpy()
    return exemplars.assign(
        seen=(pixels, images[np.searchsorted(image_of, seen_ids)]),
        closest_image=(pixels, images[np.searchsorted(image_of, closest_ids)]),
        reconstruction=(pixels, np.stack([cell.isel(trial=int(k)).to_numpy() for k in positions])),
    )


def _diagonal(reconstructions: xr.Dataset) -> set[int]:
    """Lags at which the decoder trained there was reconstructed."""
    computed = reconstructions["computed"]
    trained, tested = (set(computed[name].to_numpy().tolist()) for name in computed.dims)
    return {delta for delta in trained & tested if bool(computed.sel(train_delta=delta, test_delta=delta))}
