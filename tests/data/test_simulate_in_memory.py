"""Subjects simulated in memory are those of the files, without the files."""

import numpy as np
import pytest

from tempgen.config.recording import PreprocessConfig
from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd import open_nsd
from tempgen.data.prepare import prepare_store
from tempgen.data.simulate import simulate_nsd
from tempgen.data.simulate.designs import draw_designs
from tempgen.data.simulate.experiment import design_experiment
from tempgen.data.simulate.in_memory import SimulatedSubject
from tempgen.data.simulate.scene_pool import draw_scene_pool, open_scene_pool
from tempgen.data.store import open_store, trials_of
from tempgen.errors import ConfigError

TINY = SimulationConfig(n_voxels=40, n_sessions=1, image_size=16, snr=0.5, seed=3)


@pytest.fixture(scope="module")
def pool():
    return draw_scene_pool(np.arange(1, 61), seed=0, size=16)


def designs_of(pool, **options):
    chosen = {"n_runs": 1, "soa_slots": 1, "n_repetitions": 2, "rng": np.random.default_rng(0), **options}
    return draw_designs(pool.features.image_ids, **chosen)


@pytest.mark.slow
def test_store_in_memory_is_the_one_prepared_from_the_files(tmp_path):
    simulate_nsd(tmp_path / "nsd", TINY, progress=False)
    prepare_store(
        open_nsd(tmp_path / "nsd", 1, atlases=()), tmp_path / "store", image_size=16, say=lambda _: None
    )
    there = open_store(tmp_path / "store").load()
    experiment = design_experiment(TINY)
    pool = draw_scene_pool(experiment.images_of_subject(1), seed=TINY.seed, size=16)
    designs = experiment.designs(1)[0]
    store = SimulatedSubject.of(TINY, designs, pool=pool).record(designs)
    np.testing.assert_allclose(store["bold"], there["bold"], atol=1e-5)
    assert float(store["bold"].std()) > 0.9
    np.testing.assert_array_equal(store["image"], there["image"])
    ours, theirs = trials_of(store), trials_of(there)
    assert list(ours) == list(theirs)
    for name in set(ours) - {"shared1000"}:
        np.testing.assert_allclose(ours[name], theirs[name])
    assert set(there.coords) == set(store.coords)
    assert set(there.attrs) == set(store.attrs)


def test_isolated_trials_are_as_far_apart_as_they_should_be(pool):
    designs = designs_of(pool, n_runs=2, soa_slots=8)
    for design in designs:
        np.testing.assert_array_equal(np.diff(np.flatnonzero(design)), 24)
        assert np.count_nonzero(design) == 9


def test_images_are_repeated_as_often_as_they_should_be_and_never_twice_in_a_row(pool):
    order = next(design[design > 0] for design in designs_of(pool, n_runs=1, n_repetitions=3))
    _, n_shown = np.unique(order, return_counts=True)
    assert sorted(set(n_shown[n_shown < 3])) in ([], [1], [2])
    assert np.count_nonzero(n_shown == 3) >= len(n_shown) - 1
    assert not np.any(order[1:] == order[:-1])


def test_a_pool_that_is_too_small_is_refused(pool):
    with pytest.raises(ConfigError, match="there are 60"):
        designs_of(pool, n_runs=2, n_repetitions=1)


def test_another_session_is_the_same_subject_with_other_noise(pool):
    designs = designs_of(pool)
    subject = SimulatedSubject.of(TINY.model_copy(update={"snr": 5.0}), designs, pool=pool)
    first, again, second = (subject.record(designs, first_session=k)["bold"].values for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.8


def test_without_signal_images_make_no_difference(pool):
    designs = designs_of(pool)
    other = designs.copy()
    other[designs > 0] = np.roll(designs[designs > 0], 1)
    null = TINY.model_copy(update={"snr": 0.0})
    recordings = [SimulatedSubject.of(null, design, pool=pool).record(design) for design in (designs, other)]
    np.testing.assert_array_equal(*(recording["bold"].values for recording in recordings))


def test_confounds_are_refused_where_there_is_no_motion(pool):
    designs = designs_of(pool)
    preprocess = PreprocessConfig(confounds=True)
    with pytest.raises(ConfigError, match="no motion"):
        SimulatedSubject.of(TINY, designs, pool=pool).record(designs, preprocess=preprocess)


def test_scene_pool_is_drawn_once_and_again_if_its_file_is_damaged(tmp_path):
    path = tmp_path / "scenes.npz"
    drawn = open_scene_pool(path, n_images=4, seed=1, size=16)
    written = path.stat().st_mtime_ns
    found = open_scene_pool(path, n_images=4, seed=1, size=16)
    assert path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(found.images, drawn.images)
    np.testing.assert_array_equal(found.features.values, drawn.features.values)
    assert found.features.names == drawn.features.names
    path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(open_scene_pool(path, n_images=4, seed=1, size=16).images, drawn.images)
    assert len(open_scene_pool(path, n_images=5, seed=1, size=16)) == 5
