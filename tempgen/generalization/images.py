"""Reconstructions by lag, beside what was seen: the images to a curve of `lag_curve`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.selection import Decoder

__all__ = ["lag_images"]

_SEEN = {"previous": "previous_image", "current": "image_id", "next": "next_image"}


def lag_images(
    reconstructions: xr.Dataset,
    *,
    decoder: Decoder = "general",
    deltas: Sequence[int] = range(-3, 4),
    n_trials: int | None = None,
    trials: ArrayLike | None = None,
) -> xr.Dataset:
    """Reconstructions of some trials at some lags, read into memory, beside the images that were seen.

    Parameters
    ----------
    reconstructions : Dataset
        From `tempgen.reconstructions.open_reconstructions`.
    decoder : {"general", "specialized"}
        General: the row of the decoder trained at ``general_delta``. Specialized: the diagonal.
    deltas : sequence of int
        Test lags (TRs). The default is that of Dynadiff's Figure 4; lags that were not tested are left out.
    n_trials : int or None
        How many trials, the first ones in time that have both a previous and a next image, then the first of the others:
        never chosen by how well they came out. None: all.
    trials : array of int, optional
        Positions of the trials in their order instead, as `choose_exemplars` gives them.

    Returns
    -------
    Dataset
        ``reconstruction`` (test_delta, trial, row, column, rgb) and ``seen`` (target, trial, row, column, rgb), uint8;
        ``shown`` (target, trial): whether there is such an image.

    Raises
    ------
    ResultsError
        If the decoder was not reconstructed at any of these lags.
    """
    general_delta = int(reconstructions.attrs.get("general_delta", 0))
    computed = {
        (int(train), int(test))
        for train, row in zip(
            reconstructions["train_delta"], reconstructions["computed"].to_numpy(), strict=True
        )
        for test, there in zip(reconstructions["test_delta"], row, strict=True)
        if there
    }
    cells = [(general_delta if decoder == "general" else delta, delta) for delta in deltas]
    cells = [cell for cell in cells if cell in computed]
    if not cells:
        raise ResultsError(
            f"The {decoder} decoder has no reconstructions at test lags {list(deltas)}: make them with 'tempgen reconstruct'."
        )
    rows = _chosen(reconstructions, n_trials) if trials is None else np.asarray(trials, dtype=np.int64)
    images = np.stack(
        [
            reconstructions["reconstruction"].sel(train_delta=train, test_delta=test).to_numpy()[rows]
            for train, test in cells
        ]
    )
    chosen = reconstructions.isel(trial=rows)
    ids = np.stack([chosen[name].to_numpy() for name in _SEEN.values()])
    position = np.searchsorted(reconstructions["image_of"].to_numpy(), ids.clip(0))
    seen = reconstructions["seen"].to_numpy()[position] * (ids >= 0)[..., np.newaxis, np.newaxis, np.newaxis]
    pixels = ("row", "column", "rgb")
    return xr.Dataset(
        {
            "reconstruction": (("test_delta", "trial", *pixels), images),
            "seen": (("target", "trial", *pixels), seen.astype(np.uint8)),
            "shown": (("target", "trial"), ids >= 0),
        },
        coords={
            "test_delta": [test for _, test in cells],
            "lag_s": (
                "test_delta",
                reconstructions["lag_s"].sel(test_delta=[t for _, t in cells]).to_numpy(),
            ),
            "target": list(_SEEN),
            **{name: c for name, c in chosen.coords.items() if c.dims == ("trial",)},
        },
        attrs={**reconstructions.attrs, "decoder_row": decoder},
    )


def _chosen(reconstructions: xr.Dataset, n_trials: int | None) -> NDArray[np.int64]:
    n_there = reconstructions.sizes["trial"]
    has_both = (reconstructions["previous_image"] >= 0) & (reconstructions["next_image"] >= 0)
    order: NDArray[Any] = np.argsort(~has_both.to_numpy(), kind="stable")
    return np.sort(order[: n_there if n_trials is None else n_trials])
