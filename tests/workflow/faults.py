"""Faults planted in a store: each gives scores that something else than the current image's response explains."""

import numpy as np

from tempgen.data.store import trials_of

N_PARAMETERS = 6


def marked(store, name):
    """So that nothing made of the sound store is taken for this one."""
    return store.assign_attrs(fingerprint=f"{store.attrs['fingerprint']}-{name}")


def seen_before_onset(store, *, lead_tr=8, gain=1.0):
    """Each volume also holds what is recorded ``lead_tr`` volumes later: an acausal filter, or onsets that are wrong."""
    bold = store["bold"].values
    ahead = np.zeros_like(bold)
    ahead[:, :-lead_tr] = bold[:, lead_tr:]
    return marked(store.assign(bold=(store["bold"].dims, bold + gain * ahead)), "ahead")


def alike_neighbours(store):
    """A picture of its own for each trial, that changes slowly within a run, as does BOLD that knows nothing of it.

    Trials that are near in time then share noise and nearly the picture: a leak between neighbours.
    """
    trials = trials_of(store)
    rng = np.random.default_rng(0)
    pictures = np.empty((len(trials), 4, 4, 3))
    for places in trials.groupby("run").indices.values():
        pictures[places] = _slow((len(places), 4, 4, 3), 0.8, rng)
    side = store.sizes["row"] // 4
    pixels = np.clip(128 + 45 * pictures, 0, 255).astype(np.uint8).repeat(side, 1).repeat(side, 2)
    bold = np.stack([_slow(store["bold"].shape[1:], 0.93, rng) for _ in range(store.sizes["run"])])
    own = np.arange(len(trials))
    return marked(
        store.drop_vars(["image", "image_of"]).assign(
            bold=(store["bold"].dims, bold.astype(np.float32)),
            trial_image_id=("trial", own),
            trial_repetition=("trial", np.zeros_like(own)),
            image=(store["image"].dims, pixels),
            image_of=("image", own),
        ),
        "alike",
    )


def _slow(shape, correlation, rng):
    """Noise of SD 1 with this correlation from one entry of the first axis to the next."""
    noise = rng.standard_normal(shape)
    for place in range(1, len(noise)):
        noise[place] = correlation * noise[place - 1] + np.sqrt(1 - correlation**2) * noise[place]
    return noise


def patterns_of_images(store, *, strength=1.0):
    """Each image also evokes a pattern of its own, which says nothing of other images: it is known or it is not."""
    trials = trials_of(store)
    bold = store["bold"].values.copy()
    rng = np.random.default_rng(0)
    patterns = {image: rng.standard_normal(bold.shape[-1]) for image in np.unique(trials["image_id"])}
    for run, onset, image in trials[["run", "onset_tr", "image_id"]].itertuples(index=False):
        bold[run, onset + 3 : onset + 6] += (strength * patterns[image]).astype(bold.dtype)
    return marked(store.assign(bold=(store["bold"].dims, bold)), "patterns")


def copies(store, *, of, under):
    """The pictures of some images also stand under the names of others."""
    image, known = store["image"].values.copy(), store["image_of"].values
    image[np.searchsorted(known, under)] = image[np.searchsorted(known, of)]
    return marked(store.assign(image=(store["image"].dims, image)), "copies")


def moving_with_the_image(store, *, gain):
    """Head motion, a random walk that with ``gain`` follows what is on the screen, and leaves a trace in the BOLD."""
    trials = trials_of(store)
    rng = np.random.default_rng(0)
    n_runs, n_volumes, n_voxels = store["bold"].shape
    motion = rng.standard_normal((n_runs, n_volumes, N_PARAMETERS))
    pictures = (
        store["image"]
        .values.astype(float)
        .reshape(store.sizes["image"], 4, -1, 4, store.sizes["column"] // 4, 3)
    )
    coarse = pictures.mean(axis=(2, 4)).reshape(len(pictures), -1)
    scores = np.linalg.svd(coarse - coarse.mean(axis=0), full_matrices=False)[0][:, :N_PARAMETERS]
    moves = scores / scores.std(axis=0)
    position = np.searchsorted(store["image_of"].values, trials["image_id"])
    for run, onset, place in zip(trials["run"], trials["onset_tr"], position, strict=True):
        motion[run, onset + 2 : onset + 5] += gain * moves[place]
    trace = motion @ rng.standard_normal((N_PARAMETERS, n_voxels)) / np.sqrt(N_PARAMETERS)
    return marked(
        store.assign(
            motion=(("run", "volume", "parameter"), motion.astype(np.float32)),
            bold=(store["bold"].dims, (store["bold"].values + 0.5 * trace).astype(np.float32)),
        ),
        f"moving-{gain}",
    )
