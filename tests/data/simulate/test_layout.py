"""Simulated subjects lie on disk as NSD does."""

from __future__ import annotations

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import NsdLayout
from tempgen.data.scenes import render_scene
from tempgen.data.simulate.experiment import design_experiment
from tests.data.simulate.small_subjects import ROTATING, TINY, design, roi, volumes


def test_every_run_has_226_volumes_and_225_design_rows(rotating: NsdLayout) -> None:
    assert rotating.runs_on_disk() == [(1, run) for run in range(1, 13)]
    for _, run in rotating.runs_on_disk():
        assert nib.load(rotating.bold(session=1, run=run)).shape[3] == 226
        assert design(rotating, run).shape == (225,)
        assert np.loadtxt(rotating.motion(session=1, run=run), delimiter="\t").shape == (226, 6)


def test_bold_is_plain_int16_with_nsds_grid(rotating: NsdLayout) -> None:
    image = nib.load(rotating.bold(session=1, run=1))

    assert image.get_data_dtype() == np.int16
    assert image.header["pixdim"][4] == pytest.approx(4 / 3)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_allclose(image.affine, np.diag([1.8, 1.8, 1.8, 1]), rtol=1e-6)
    np.testing.assert_array_equal(image.get_fdata(), np.asarray(image.dataobj.get_unscaled()))
    assert np.asarray(image.dataobj).dtype == np.int16


def test_bold_is_zero_outside_the_brain_and_nowhere_inside(rotating: NsdLayout) -> None:
    everything = volumes(rotating, 1)
    brain = (everything != 0).any(axis=3)

    assert brain.sum() == 96  # 1.6 times nsdgeneral
    assert (everything[brain] > 0).all()
    assert brain[roi(rotating, "nsdgeneral") > 0].all()
    assert not brain[[0, -1]].any()


def test_blanks_lie_where_nsd_has_them(rotating: NsdLayout) -> None:
    for run in range(1, 13):
        rows = design(rotating, run).reshape(75, 3)
        slots = rows[:, 0] > 0
        assert not rows[:, 1:].any()
        assert not slots[:3].any()
        assert not slots[-4:].any()
        assert slots[3:-4].sum() == (63 if run % 2 else 62)
        assert slots[3]
        assert slots[-5]


def test_each_image_is_shown_three_times_and_never_twice_in_a_row(rotating: NsdLayout) -> None:
    shown_images = np.concatenate(
        [rows[rows > 0] for rows in (design(rotating, run) for run in range(1, 13))]
    )
    _, counts = np.unique(shown_images, return_counts=True)

    assert len(shown_images) == 750
    assert (counts == 3).all()
    assert (shown_images[1:] != shown_images[:-1]).all()


def test_no_order_shows_an_image_twice_in_a_row() -> None:
    for seed in range(20):
        order = design_experiment(SimulationConfig(seed=seed, **TINY)).ordering
        assert (order[1:] != order[:-1]).all()
        np.testing.assert_array_equal(np.bincount(order)[1:], 3)


def test_experiment_file_says_what_the_designs_say(
    rotating: NsdLayout, experiment: dict[str, NDArray[np.int64]]
) -> None:
    rows = np.stack([design(rotating, run) for run in range(1, 13)])
    trials = experiment["subjectim"][0, experiment["masterordering"][0] - 1]

    assert experiment["masterordering"].shape == (1, 750)
    assert experiment["subjectim"].shape == (8, 250)
    np.testing.assert_array_equal(trials, rows[rows > 0])
    np.testing.assert_array_equal(experiment["stimpattern"], (rows[None, :, ::3] > 0))
    np.testing.assert_array_equal(experiment["basiccnt"], [[250], [250], [250]])


def test_subjects_share_a_tenth_of_their_images_and_no_others(
    experiment: dict[str, NDArray[np.int64]],
) -> None:
    images, shared = experiment["subjectim"], experiment["sharedix"][0]

    assert (np.diff(shared) > 0).all()
    for subject in images:
        assert set(subject[:25]) == set(shared)
    own = images[:, 25:].ravel()
    assert len(set(own) | set(shared)) == 8 * 225 + 25
    assert images.min() >= 1
    assert images.max() <= 73_000


def test_stimulus_table_says_in_which_trials_each_subject_saw_an_image(
    rotating: NsdLayout, experiment: dict[str, NDArray[np.int64]]
) -> None:
    table = pd.read_csv(rotating.stimulus_table, index_col=0)

    assert table.shape == (73_000, 40)  # and the unnamed index: 41 columns
    assert (table["nsdId"] == np.arange(73_000)).all()
    for subject in (1, 8):
        seen = table[table[f"subject{subject}"] == 1]
        assert set(seen["nsdId"] + 1) == set(experiment["subjectim"][subject - 1])
        for repetition in range(3):
            trials = seen[f"subject{subject}_rep{repetition}"]
            columns = experiment["masterordering"][0, trials - 1] - 1
            np.testing.assert_array_equal(experiment["subjectim"][subject - 1, columns], seen["nsdId"] + 1)
        assert (seen[f"subject{subject}_rep0"] < seen[f"subject{subject}_rep1"]).all()
    assert set(table["nsdId"][table["shared1000"]] + 1) == set(experiment["sharedix"][0])


def test_stimuli_are_the_scenes_of_their_ids_and_unseen_rows_are_not_stored(
    rotating: NsdLayout, experiment: dict[str, NDArray[np.int64]]
) -> None:
    with h5py.File(rotating.stimuli) as file:
        bricks = file["imgBrick"]
        assert bricks.shape == (73_000, 16, 16, 3)
        assert bricks.chunks == (1, 16, 16, 3)
        assert bricks.id.get_num_chunks() == 250
        for image_id in experiment["subjectim"][0, [0, 100, 249]]:
            expected = render_scene(int(image_id), seed=ROTATING.seed, size=16).image
            np.testing.assert_array_equal(bricks[image_id - 1], expected)
        assert not bricks[experiment["subjectim"][1, -1] - 1].any()


def test_regions_follow_nsds_conventions(rotating: NsdLayout) -> None:
    general, streams = roi(rotating, "nsdgeneral"), roi(rotating, "streams")

    assert (general == 1).sum() == 60
    assert set(np.unique(general)) == {-1, 0, 1}
    assert set(np.unique(streams)) == {-1, 0, 1, 2, 3, 4, 5, 6, 7}
    np.testing.assert_array_equal(streams > 0, general == 1)
    np.testing.assert_array_equal(streams == -1, general == -1)
    height, depth = np.indices(streams.shape)[2], np.indices(streams.shape)[1]
    assert height[streams == 5].mean() < height[streams == 6].mean() < height[streams == 7].mean()
    assert (
        depth[streams == 1].mean() < depth[(streams > 1) & (streams < 5)].mean() < depth[streams > 4].mean()
    )


def test_hemispheres_part_the_regions(rotating: NsdLayout) -> None:
    for name in ("nsdgeneral", "streams"):
        whole, left, right = (roi(rotating, side + name) for side in ("", "lh.", "rh."))
        assert not ((left > -1) & (right > -1)).any()
        np.testing.assert_array_equal(np.maximum(left, right), whole)
        assert np.nonzero(left > 0)[0].max() < np.nonzero(right > 0)[0].min()


def test_sessions_with_resting_runs_have_14_files(null: NsdLayout) -> None:
    assert null.runs_on_disk() == [(1, run) for run in range(1, 15)]
    n_stimuli = [(design(null, run) > 0).sum() for run in range(1, 15)]
    assert n_stimuli == [0, *[63, 62] * 6, 0]
    assert volumes(null, 1).std(axis=3).max() > 0
