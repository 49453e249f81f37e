"""Simulated subjects have the same bytes every time, and nothing else is written over."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tempgen.data.nsd_layout import NsdLayout
from tempgen.data.simulate import simulate_nsd
from tempgen.data.simulate.bold import simulate_run
from tempgen.errors import ConfigError, SourceDataError
from tests.data.simulate.small_subjects import ROTATING, fingerprints, simulate


def test_same_config_gives_the_same_bytes_another_seed_or_subject_others(
    rotating: NsdLayout, tmp_path: Path
) -> None:
    first = fingerprints(rotating.root)
    # file formats keep time in whole seconds
    written = rotating.truth.stat().st_mtime
    time.sleep(max(0.0, 1.1 - (time.time() - written)))
    simulate(tmp_path / "both", subjects=(1, 2))
    again = fingerprints(tmp_path / "both")
    of_both = {name for name in first if "nsd_stimuli" not in name}

    assert {name: again[name] for name in of_both} == {name: first[name] for name in of_both}
    for name in of_both:
        if "subj01" in name and not name.endswith("nsdgeneral.nii.gz") and "streams" not in name:
            assert again[name.replace("subj01", "subj02")] != again[name]
    assert not list((tmp_path / "both").rglob(".*"))

    # a subject that comes later
    shutil.copytree(rotating.root, tmp_path / "singly")
    simulate(tmp_path / "singly", subjects=(2,))
    assert fingerprints(tmp_path / "singly") == again


def test_another_seed_gives_another_experiment_tuning_and_noise(rotating: NsdLayout, null: NsdLayout) -> None:
    mine, theirs = fingerprints(rotating.root), fingerprints(null.root)
    same = {name for name, digest in mine.items() if theirs.get(name.replace("subj01", "subj05")) == digest}

    assert same == set()


def test_killed_simulation_goes_on_where_it_was(rotating: NsdLayout) -> None:
    before = fingerprints(rotating.root)
    lost = {
        rotating.bold(session=1, run=7),
        rotating.motion(session=1, run=8),
        rotating.design(session=1, run=9),
        rotating.roi("lh.streams"),
        rotating.truth,
    }
    rewritten = {
        path(session=1, run=run)
        for path in (rotating.bold, rotating.motion, rotating.design)
        for run in (7, 8, 9)
    }
    files = {path for path in rotating.root.rglob("*") if path.is_file()}
    kept = {path: path.stat().st_mtime_ns for path in files - lost - rewritten}
    for path in lost:
        path.unlink()

    simulate(rotating.root)
    assert fingerprints(rotating.root) == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_finished_subject_is_not_touched(rotating: NsdLayout) -> None:
    times = {path: path.stat().st_mtime_ns for path in rotating.root.rglob("*")}
    simulate(rotating.root)

    assert {path: path.stat().st_mtime_ns for path in rotating.root.rglob("*")} == times


def test_folder_of_another_config_is_refused_by_the_key_that_differs(rotating: NsdLayout) -> None:
    before = fingerprints(rotating.root)
    with pytest.raises(SourceDataError, match=r"config\.snr: 0\.5 -> 0\.0") as error:
        simulate(rotating.root, ROTATING.model_copy(update={"snr": 0.0}))

    assert "seed" not in str(error.value)
    assert fingerprints(rotating.root) == before


def test_a_real_nsd_is_never_written_into(tmp_path: Path) -> None:
    (tmp_path / "nsddata_timeseries").mkdir()
    with pytest.raises(SourceDataError, match="did not write"):
        simulate(tmp_path)
    assert os.listdir(tmp_path) == ["nsddata_timeseries"]


@pytest.mark.parametrize("subjects", [(), (0,), (1, 9)])
def test_subjects_that_nsd_does_not_have_are_refused(tmp_path: Path, subjects: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="1 to 8"):
        simulate_nsd(tmp_path / "new", ROTATING, subjects=subjects)
    assert not (tmp_path / "new").exists()


def test_signal_beyond_int16_is_refused() -> None:
    with pytest.raises(ConfigError, match="int16"):
        simulate_run(
            ROTATING,
            (1, 1, 1),
            baseline=np.full(3, 1000.0),
            evoked=np.full((226, 1), -40_000.0),
            responsive=np.array([False, True, False]),
        )
