"""Small simulated subjects of each code who see images with 20 independent features."""

import numpy as np
import pandas as pd

from tempgen.config.simulation import SimulationConfig
from tempgen.data.simulate.designs import draw_designs
from tempgen.data.simulate.in_memory import SimulatedSubject
from tempgen.data.simulate.neural import ImageFeatures
from tempgen.data.simulate.scene_pool import ScenePool

# as many of each kind as the simulator's streams look at
KINDS = {"category": 4, "colour": 4, "background": 4, "position": 3, "object": 2}
NAMES = (*(f"pixel_0_0_{c}" for c in "rgb"), *(f"{kind}_{k}" for kind, n in KINDS.items() for k in range(n)))


def made_pool(n_images=1000):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((n_images, len(NAMES)))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    images = rng.integers(0, 256, (n_images, 16, 16, 3), dtype=np.uint8)
    nothing, unit = np.zeros(len(NAMES)), np.ones(len(NAMES))
    return ScenePool(images, ImageFeatures(np.arange(1, n_images + 1), NAMES, values, nothing, unit))


def made_subject(code, *, n_runs=12, n_voxels=40, snr=1.0, seed=1):
    """A store in memory with the atlas ``streams``, and the features that its voxels answer to."""
    pool, rng = made_pool(), np.random.default_rng(seed)
    designs = draw_designs(pool.features.image_ids, n_runs=n_runs, soa_slots=1, n_repetitions=1, rng=rng)
    config = SimulationConfig(code=code, snr=snr, n_voxels=n_voxels, time_to_peak_s=(3.0, 6.5), seed=seed)
    subject = SimulatedSubject.of(config, designs, pool=pool)
    store = subject.record(designs).assign_coords(streams=("voxel", subject.anatomy.stream_of_voxel))
    return store, pd.DataFrame(pool.features.values, index=pool.features.image_ids, columns=NAMES)
