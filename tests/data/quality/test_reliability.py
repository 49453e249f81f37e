"""Split-half reliability and noise ceiling recover what was planted, and equal the slow formulas."""

import numpy as np
import pytest

from tempgen.data.quality.reliability import RepeatedResponses

N_IMAGES, N_TIMES = 400, 3


def planted(*, share, n_voxels=4, seed=0):
    """Responses whose image determines ``share`` of a trial's variance; trials in random order."""
    rng = np.random.default_rng(seed)
    image = rng.permutation(np.repeat(np.arange(N_IMAGES), N_TIMES))
    signal = rng.normal(0, np.sqrt(share), (N_IMAGES, n_voxels))[image]
    return image, (signal + rng.normal(0, np.sqrt(1 - share), signal.shape)).astype(np.float32)


def gathered(image, responses, *, block=100):
    repeated = RepeatedResponses(image, responses.shape[1])
    for start in range(0, len(image), block):
        rows = np.arange(start, min(start + block, len(image)))
        repeated.add(rows, responses[rows])
    return repeated


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
def test_the_planted_share_of_variance_is_found(share):
    repeated = gathered(*planted(share=share, n_voxels=50))
    assert repeated.noise_ceiling().mean() == pytest.approx(100 * share, abs=2.5)


def test_reliability_is_the_correlation_of_odd_and_even_presentations():
    image, responses = planted(share=0.4)
    halves = np.zeros((2, N_IMAGES, responses.shape[1]))
    for one in range(N_IMAGES):
        of_image = responses[image == one]
        halves[:, one] = of_image[::2].mean(axis=0), of_image[1::2].mean(axis=0)
    expected = [np.corrcoef(halves[0, :, v], halves[1, :, v])[0, 1] for v in range(responses.shape[1])]
    np.testing.assert_allclose(gathered(image, responses).reliability(), expected, atol=1e-5)


def test_without_signal_reliability_is_zero_on_average():
    assert gathered(*planted(share=0.0, n_voxels=200)).reliability().mean() == pytest.approx(0, abs=0.02)


def test_images_presented_once_have_no_part():
    image, responses = planted(share=0.4)
    once = np.random.default_rng(1).normal(100, 50, (30, responses.shape[1])).astype(np.float32)
    more = gathered(np.concatenate([image, 1000 + np.arange(30)]), np.concatenate([responses, once]))
    assert more.n_images == N_IMAGES
    np.testing.assert_allclose(more.noise_ceiling(), gathered(image, responses).noise_ceiling())


def test_a_voxel_that_never_varies_has_neither():
    image, responses = planted(share=0.4)
    responses[:, 0] = 0
    repeated = gathered(image, responses)
    assert repeated.reliability()[0] == 0
    assert repeated.noise_ceiling()[0] == 0
