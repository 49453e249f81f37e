"""Designs of small experiments: NSD's slots and blanks, or trials so far apart that their responses do not meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempgen.data.nsd_layout import N_DESIGN_ROWS, N_SLOTS, TRS_PER_SLOT
from tempgen.data.simulate.experiment import (
    N_BLANK_FIRST,
    N_BLANK_LAST,
    N_BLANKS_EVEN,
    N_BLANKS_ODD,
    draw_stimulus_slots,
)
from tempgen.errors import ConfigError

__all__ = ["draw_designs"]


def draw_designs(
    image_ids: NDArray[np.int64],
    *,
    n_runs: int,
    soa_slots: int,
    n_repetitions: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Which image appears in which volume of which run.

    Images are drawn from ``image_ids`` without replacement, each is shown ``n_repetitions`` times in random order and never
    twice in a row.

    Parameters
    ----------
    image_ids : array of int, shape (n_pool,)
        The images to draw from.
    n_runs : int
        Runs of NSD's length.
    soa_slots : int
        1: a stimulus in every slot of 4 s but NSD's blanks. More: in every ``soa_slots``-th slot, and blanks between them.
    n_repetitions : int
        Presentations of each image; the last image may have fewer, so that all slots are filled.

    Returns
    -------
    array of int, shape (n_runs, 225)
        The ID in the row of an onset, else 0; as NSD's design files.

    Raises
    ------
    ConfigError
        If the pool has too few images, or trials are further apart than a run is long.
    """
    slots = np.stack([_slots(run, soa_slots, rng) for run in range(n_runs)])
    n_trials = int(slots.sum())
    n_images = -(-n_trials // n_repetitions)
    if n_images > len(image_ids) or n_images < 2:
        raise ConfigError(
            f"{n_trials} trials in {n_runs} runs, {n_repetitions} of each image, take {n_images} images; there are "
            f"{len(image_ids)}, and needed are 2 at least. Take more runs or images, or other repetitions."
        )
    order = np.repeat(rng.permutation(image_ids)[:n_images], n_repetitions)
    order = rng.permutation(order[:n_trials])
    while (twice := np.flatnonzero(order[1:] == order[:-1])).size:
        # swapping two places at random parts the pair; should it make another, the loop goes on
        first, second = twice[0] + 1, rng.integers(n_trials)
        order[[first, second]] = order[[second, first]]
    by_slot = np.zeros(slots.shape, dtype=np.int64)
    by_slot[slots] = order
    designs = np.zeros((n_runs, N_DESIGN_ROWS), dtype=np.int64)
    designs[:, ::TRS_PER_SLOT] = by_slot
    return designs


def _slots(run: int, soa_slots: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    if soa_slots == 1:
        return draw_stimulus_slots(N_BLANKS_EVEN if run % 2 else N_BLANKS_ODD, rng)
    slots = np.zeros(N_SLOTS, dtype=bool)
    slots[N_BLANK_FIRST : N_SLOTS - N_BLANK_LAST : soa_slots] = True
    if slots.sum() < 2:
        raise ConfigError(f"Trials {soa_slots} slots apart leave one a run: take at most {N_SLOTS // 3}.")
    return slots
