"""A tiny subject: images, windows that tell of their tokens, and the parts of a decoder."""

from __future__ import annotations

import numpy as np
import pytest

from tempgen.decoders.dynadiff import DynadiffTrials, encode_images, module_from_scratch
from tests.decoders.dynadiff.tiny import N_IMAGES, N_TR, N_VOXELS, SUBJECT, tiny_config
from tests.tiny_backbone import tiny_backbone


@pytest.fixture
def backbone():
    return tiny_backbone()


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (N_IMAGES, 4, 4, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


@pytest.fixture
def encoded(backbone, images):
    return encode_images(backbone, np.arange(N_IMAGES), images.__getitem__, with_tokens=True, dtype="float32")


@pytest.fixture
def windows(encoded):
    rng = np.random.default_rng(1)
    tokens = encoded.tokens.flatten(1).numpy()
    mixing = rng.standard_normal((tokens.shape[1], N_TR * N_VOXELS)) / 6
    noise = 0.1 * rng.standard_normal((N_IMAGES, N_TR * N_VOXELS))
    return (tokens @ mixing + noise).reshape(N_IMAGES, N_TR, N_VOXELS).astype(np.float32)


@pytest.fixture
def trials(windows, encoded):
    return DynadiffTrials(
        windows.__getitem__, image_ids=np.arange(N_IMAGES), keys=np.arange(N_IMAGES) + 100, images=encoded
    )


@pytest.fixture
def make_module(backbone):
    def make(config=None, **changes):
        return module_from_scratch(
            backbone, config or tiny_config(**changes), subject=SUBJECT, n_voxels=N_VOXELS, n_tr=N_TR
        )

    return make
