"""The library of HRFs: shapes, what events evoke through them, files of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempgen.data.deconvolution import HrfLibrary
from tempgen.data.hrf import evoked_kernel
from tempgen.errors import ConfigError

NSD_LIBRARY = Path("shared") / "real" / "nsd_hrf_library" / "getcanonicalhrflibrary.tsv"


def nsd_library() -> Path:
    for folder in Path(__file__).parents:
        if (folder / NSD_LIBRARY).is_file():
            return folder / NSD_LIBRARY
    pytest.skip("NSD's HRF library is not beside the repository")


def test_each_hrf_that_nsd_published_is_matched_by_one_of_ours() -> None:
    published = np.loadtxt(nsd_library()).T  # (20, 501), to 0.1 s of stimulation
    library = HrfLibrary.default()
    ours = library.response(np.arange(501) * 0.1, duration_s=0.1)
    r = np.corrcoef(published, ours)[:20, 20:]

    assert len(library) == 20
    assert r.max(axis=1).min() > 0.98


def test_times_to_peak_are_those_of_the_shapes() -> None:
    library = HrfLibrary.double_gammas([3.14, 5.0, 2.7])

    np.testing.assert_allclose(library.time_to_peak_s, [2.7, 3.14, 5.0], atol=0.01)
    assert HrfLibrary.canonical().time_to_peak_s[0] == pytest.approx(5.0, abs=0.01)


def test_response_to_lasting_activity_is_the_convolution() -> None:
    library = HrfLibrary.double_gammas([3.0, 5.0])
    expected = evoked_kernel(
        np.ones((1, 300)), duration_s=3, time_to_peak_s=np.array([3.0, 5.0]), step_s=4 / 3, n_steps=20
    )[0]

    found = library.response(np.arange(20) * 4 / 3, duration_s=3)

    np.testing.assert_allclose(found, expected, atol=2e-3 * expected.max())


def test_a_shape_of_one_instant_is_the_hrf_itself() -> None:
    library = HrfLibrary.canonical()
    np.testing.assert_allclose(library.response([0.0, 5.0, 60.0], duration_s=0)[0], [0, 1, 0], atol=1e-6)


def test_there_is_no_response_before_the_activity_begins() -> None:
    assert not HrfLibrary.default().response(np.arange(-8, 1), duration_s=3.0).any()


def test_kernel_of_constant_activity_adds_up_to_the_area_of_the_hrf() -> None:
    library = HrfLibrary.default()
    area = library.shapes.sum(axis=1) * library.step_s
    np.testing.assert_allclose(library.kernel(4 / 3).sum(axis=1), area, rtol=2e-3)


@pytest.mark.parametrize("ending", ["npy", "csv", "tsv"])
def test_own_shapes_come_from_a_file_in_the_order_of_their_peaks(tmp_path: Path, ending: str) -> None:
    own = HrfLibrary.double_gammas([3.0, 5.0]).shapes[::-1] * 7
    path = tmp_path / f"hrf.{ending}"
    if ending == "npy":
        np.save(path, own.T)
    else:
        np.savetxt(path, own.T, delimiter="," if ending == "csv" else "\t")

    library = HrfLibrary.from_file(path)

    np.testing.assert_allclose(library.shapes, own[::-1] / 7)
    assert library.name == path.name


def test_shapes_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file"):
        HrfLibrary.from_file(tmp_path / "missing.npy")
    with pytest.raises(ConfigError, match="nowhere positive"):
        HrfLibrary.from_shapes(-np.ones((1, 5)), 0.1)
    with pytest.raises(ConfigError, match="n_hrf, n_samples"):
        HrfLibrary.from_shapes(np.ones(5), 0.1)
    with pytest.raises(ConfigError, match="positive step"):
        HrfLibrary.from_shapes(np.ones((1, 5)), 0.0)
    with pytest.raises(ConfigError, match=r"0 or more"):
        HrfLibrary.canonical().response([0.0], duration_s=-1)
