"""The double gamma and the BOLD that lasting activity evokes through it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gamma

from tempgen.config.simulation import SimulationConfig
from tempgen.data.hrf import double_gamma, evoked_kernel
from tempgen.errors import ConfigError

NSD_LIBRARY = Path("real") / "nsd_hrf_library" / "getcanonicalhrflibrary.tsv"


def nsd_library() -> np.ndarray:
    """The 20 HRFs that NSD's authors estimated, shape (501, 20), where the recordings lie beside the repository."""
    for folder in Path(__file__).parents:
        path = folder / "shared" / NSD_LIBRARY
        if path.is_file():
            return np.loadtxt(path)
    pytest.skip("NSD's HRF library is not beside the repository")


def spm_response(time_s: np.ndarray) -> np.ndarray:
    return gamma.pdf(time_s, 6) - gamma.pdf(time_s, 16) / 6


@pytest.mark.parametrize("time_to_peak_s", [1.0, 2.7, 5.0, 5.7, 12.0])
def test_response_peaks_at_one_and_at_the_given_time(time_to_peak_s: float) -> None:
    time_s = np.arange(0, 60, 0.001)
    response = double_gamma(time_s, time_to_peak_s=time_to_peak_s)

    assert time_s[response.argmax()] == pytest.approx(time_to_peak_s, abs=0.002)
    assert response.max() == pytest.approx(1, abs=1e-6)


def test_other_shapes_move_neither_the_peak_nor_its_height() -> None:
    time_s = np.arange(0, 60, 0.001)
    narrow = double_gamma(
        time_s, time_to_peak_s=4, response_shape=9, undershoot_shape=12, undershoot_ratio=0.5
    )

    assert time_s[narrow.argmax()] == pytest.approx(4, abs=0.002)
    assert narrow.max() == pytest.approx(1, abs=1e-6)
    assert np.sum(narrow > 0.5) < np.sum(double_gamma(time_s, time_to_peak_s=4) > 0.5)


def test_response_is_spms_canonical_one_stretched_in_time() -> None:
    time_s = np.arange(0, 40, 0.01)
    canonical = spm_response(time_s)
    peak_s = time_s[canonical.argmax()]

    np.testing.assert_allclose(
        double_gamma(time_s, time_to_peak_s=peak_s), canonical / canonical.max(), atol=0.01
    )
    np.testing.assert_allclose(
        double_gamma(time_s * 0.7, time_to_peak_s=peak_s * 0.7),
        double_gamma(time_s, time_to_peak_s=peak_s),
        atol=1e-12,
    )


def test_response_agrees_with_nilearns_spm_hrf() -> None:
    from nilearn.glm.first_level import spm_hrf

    step_s = 0.05
    theirs = spm_hrf(1.0, oversampling=round(1 / step_s))
    # nilearn starts its gammas one sample late
    ours = double_gamma((np.arange(len(theirs)) - 1) * step_s, time_to_peak_s=5.0)

    assert np.corrcoef(ours, theirs)[0, 1] > 0.9999


def test_area_is_that_of_the_response_less_that_of_the_undershoot() -> None:
    # two densities of area 1, one of them weighted by 1/6, over the height of their difference at its peak
    grid_s = np.arange(0, 20, 0.0001)
    height, peak_s = spm_response(grid_s).max(), grid_s[spm_response(grid_s).argmax()]
    time_s = np.arange(0, 60, 0.001)
    for time_to_peak_s in (2.7, 5.7):
        area = double_gamma(time_s, time_to_peak_s=time_to_peak_s).sum() * 0.001
        assert area == pytest.approx((1 - 1 / 6) / height * time_to_peak_s / peak_s, rel=1e-3)


def test_response_undershoots_after_its_peak_unless_told_not_to() -> None:
    time_s = np.arange(0, 40, 0.01)
    response = double_gamma(time_s, time_to_peak_s=5)
    lowest = response.argmin()

    assert response[lowest] == pytest.approx(-0.089, abs=0.001)
    assert time_s[lowest] == pytest.approx(15.75, abs=0.05)
    assert double_gamma(time_s, time_to_peak_s=5, undershoot_ratio=0).min() == 0
    assert double_gamma(time_s, time_to_peak_s=5, undershoot_ratio=0.3).min() < response.min()


def test_nothing_responds_before_the_activity() -> None:
    assert (double_gamma([-5.0, -0.1, 0.0], time_to_peak_s=3) == 0).all()


def test_many_voxels_at_once_equal_each_on_its_own() -> None:
    time_s, peaks_s = np.arange(12.0).reshape(3, 4), np.array([3.0, 4.0, 5.0])
    together = double_gamma(time_s, time_to_peak_s=peaks_s)

    assert together.shape == (3, 3, 4)
    for response, peak_s in zip(together, peaks_s, strict=True):
        np.testing.assert_allclose(response, double_gamma(time_s, time_to_peak_s=peak_s), rtol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_to_peak_s": 0},
        {"time_to_peak_s": [4, -1]},
        {"time_to_peak_s": 5, "undershoot_ratio": 1},
        {"time_to_peak_s": 5, "response_shape": 1},
        {"time_to_peak_s": 5, "response_shape": 16},
    ],
)
def test_an_impossible_shape_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"must be positive|double gamma needs"):
        double_gamma([1.0], **wrong)


def test_kernel_equals_a_plain_convolution() -> None:
    step_s, tr_s, n_tr = 0.005, 4 / 3, 25
    time_s = np.arange(0, 45, step_s)
    activity = np.where(time_s < 9, np.cos(time_s / 4), 0)
    midpoints_s = (np.arange(90) + 0.5) * 0.1
    kernel = evoked_kernel(
        np.stack([np.ones(90), np.cos(midpoints_s / 4)]),
        duration_s=9,
        time_to_peak_s=np.array([2.7, 5.7]),
        step_s=tr_s,
        n_steps=n_tr,
    )

    for voxel, peak_s in enumerate((2.7, 5.7)):
        response = double_gamma(time_s, time_to_peak_s=peak_s)
        slow = np.convolve(activity, response)[: len(time_s)] * step_s
        expected = np.interp(np.arange(n_tr) * tr_s, time_s, slow)
        np.testing.assert_allclose(kernel[1, voxel], expected, atol=0.01 * expected.max())


def test_kernel_of_an_instant_is_the_response_itself() -> None:
    kernel = evoked_kernel(
        np.ones((1, 1)), duration_s=1e-3, time_to_peak_s=np.full(300, 4.0), step_s=0.5, n_steps=40
    )

    np.testing.assert_allclose(
        kernel[0] / 1e-3,
        np.tile(double_gamma(np.arange(40) * 0.5, time_to_peak_s=4), (300, 1)),
        atol=1e-3,
    )


def test_kernel_without_duration_is_refused() -> None:
    with pytest.raises(ConfigError, match="positive duration"):
        evoked_kernel(np.ones((1, 3)), duration_s=0, time_to_peak_s=np.ones(1), step_s=1, n_steps=2)


def test_default_times_to_peak_span_those_of_nsds_own_library() -> None:
    peaks_s = nsd_library().argmax(axis=0) * 0.1

    assert SimulationConfig().time_to_peak_s == pytest.approx((peaks_s.min(), peaks_s.max()))


def test_double_gammas_resemble_the_hrfs_of_nsds_library() -> None:
    library = nsd_library()
    candidates = double_gamma(np.arange(len(library)) * 0.1, time_to_peak_s=np.arange(2, 7.5, 0.05))
    n_library = library.shape[1]
    correlation = np.corrcoef(library.T, candidates)[:n_library, n_library:].max(axis=1)

    # the two slowest of the library return to baseline later than a double gamma does
    slowest = np.argsort(library.argmax(axis=0))[-2:]
    assert np.delete(correlation, slowest).min() > 0.95
    assert correlation[slowest].min() > 0.9
    assert np.median(correlation) > 0.98
