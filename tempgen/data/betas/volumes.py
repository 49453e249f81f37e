"""Where a betas store keeps a trial's betas, and the refusal of every other volume.

A betas store has the shape of a BOLD store. A trial's betas stand at the volumes from its onset on, one for each component
(early and late: onset and onset + 1); all other volumes are NaN. A window that starts at the onset and is as wide as there
are components gives the betas; one component alone can be decoded by a window of one volume, late at delta 1.
"""

from __future__ import annotations

from collections.abc import Iterable

import xarray as xr

from tempgen.errors import ConfigError
from tempgen.windows import format_deltas


def n_components_of(store: xr.Dataset) -> int | None:
    """Betas of each trial in a store of betas; None for a store of any other signal."""
    return int(store.attrs["n_components"]) if store.attrs.get("signal") == "betas" else None


def refuse_volumes_without_betas(store: xr.Dataset, offsets: Iterable[int]) -> None:
    """Refuse windows of a betas store that hold anything but betas.

    Parameters
    ----------
    store : Dataset
        Of any signal; only one of betas can be refused.
    offsets : iterable of int
        Volumes after onset that are asked for (``Window.offsets``).

    Raises
    ------
    ConfigError
        If the store has no betas at one of them.
    """
    n_components = n_components_of(store)
    asked = sorted(set(offsets))
    if n_components is None or (asked[0] >= 0 and asked[-1] < n_components):
        return
    raise ConfigError(
        f"This store holds single-trial betas ({store.attrs['components']}), at volume {format_deltas(range(n_components))} "
        f"after each onset and nowhere else; volumes {format_deltas(asked)} were asked for. Set window.start_tr: 0, "
        f"window.n_tr: {n_components}, training.deltas: 0 and evaluation.deltas: 0, or decode the store of BOLD."
    )
