"""Write simulated subjects, file by file, skipping what is there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tempgen._version import __version__
from tempgen.config.files import differences
from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import N_DESIGN_ROWS, N_VOLUMES, NsdLayout
from tempgen.data.simulate.anatomy import Anatomy, build_anatomy
from tempgen.data.simulate.bold import Evoked, draw_baseline, draw_motion, draw_responses, simulate_run
from tempgen.data.simulate.experiment import N_SUBJECTS, Experiment, design_experiment
from tempgen.data.simulate.files import (
    write_experiment_design,
    write_nifti,
    write_stimulus_table,
    write_table,
)
from tempgen.data.simulate.neural import ImageFeatures, draw_tuning
from tempgen.data.simulate.stimuli import draw_scenes, subjects_with_stimuli, write_stimuli
from tempgen.data.simulate.truth import build_truth, write_truth
from tempgen.errors import ConfigError, SourceDataError
from tempgen.files import whole_file

SIMULATOR_VERSION = 1
"""To be raised when the same config gives other bytes than before."""

_NSD_FOLDERS = ("nsddata", "nsddata_timeseries", "nsddata_stimuli")


@dataclass(frozen=True)
class _FileRun:
    """A run as the files number it; ``design`` is all zero at rest."""

    session: int
    run: int
    design: NDArray[np.int64]


def simulate_nsd(
    out: Path, config: SimulationConfig, *, subjects: Iterable[int] = (1,), progress: bool = True
) -> list[NsdLayout]:
    """Write simulated subjects in NSD's on-disk layout; the model is stated in :mod:`tempgen.data.simulate`.

    Files that are there are left as they are, so that a killed simulation goes on where it was, and subjects can be added.
    The same config gives the same bytes.

    Parameters
    ----------
    out : Path
        Root of the dataset: new, empty, or simulated with the same config.
    config : SimulationConfig
    subjects : iterable of int
        1 to 8. They share a tenth of their images.
    progress : bool
        Show a bar over runs.

    Returns
    -------
    list of NsdLayout
        Where the files of each subject are.

    Raises
    ------
    ConfigError
        If there are no subjects or one of them is not among NSD's eight, or the signal does not fit into int16.
    SourceDataError
        If ``out`` was simulated with another config, or holds an NSD that was not simulated.
    """
    out, wanted = Path(out), sorted(set(subjects))
    if not wanted or not set(wanted) <= set(range(1, N_SUBJECTS + 1)):
        raise ConfigError(
            f"Subjects to simulate are {wanted}; needed are some of NSD's eight, 1 to {N_SUBJECTS}."
        )
    layouts = [NsdLayout(out, subject) for subject in wanted]
    _claim(layouts[0], config)
    experiment = design_experiment(config)
    if not layouts[0].experiment_design.is_file():
        write_experiment_design(layouts[0].experiment_design, experiment)
    if not layouts[0].stimulus_table.is_file():
        write_stimulus_table(layouts[0].stimulus_table, experiment)
    for layout in layouts:
        _simulate_subject(layout, config, experiment, progress=progress)
    return layouts


def _claim(layout: NsdLayout, config: SimulationConfig) -> None:
    """Write which config the folder is made with, or check that it is this one."""
    out, marker = layout.root, layout.simulation_marker
    recipe = {"simulator_version": SIMULATOR_VERSION, "config": config.model_dump(mode="json")}
    if marker.is_file():
        found = json.loads(marker.read_text(encoding="utf-8"))
        found = {key: found.get(key) for key in recipe}
        if found != recipe:
            raise SourceDataError(
                f"{out} was simulated with another config: {'; '.join(differences(found, recipe))}. "
                "Choose another folder, remove this one, or go back to its config."
            )
        return
    there = [name for name in _NSD_FOLDERS if (out / name).exists()]
    if there:
        raise SourceDataError(
            f"{out} holds {', '.join(there)}, which the simulator did not write. Choose another folder for simulated subjects."
        )
    with whole_file(marker) as temporary:
        content = {"data_kind": "simulated", "tempgen_version": __version__, **recipe}
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _simulate_subject(
    layout: NsdLayout, config: SimulationConfig, experiment: Experiment, *, progress: bool
) -> None:
    subject = layout.subject
    anatomy = build_anatomy(config.n_voxels, subject)
    for name, labels in anatomy.roi_files().items():
        if not layout.roi(name).is_file():
            write_nifti(layout.roi(name), labels, anatomy)
    designs = experiment.designs(subject)
    missing = [run for run in _file_runs(config, designs) if not _is_written(layout, run)]
    has_stimuli = subject in subjects_with_stimuli(layout.stimuli)
    if not missing and has_stimuli and layout.truth.is_file():
        return
    image_ids = experiment.images_of_subject(subject)
    scenes = draw_scenes(config, image_ids)
    if not has_stimuli:
        by_id = dict(zip(image_ids.tolist(), scenes, strict=True))
        write_stimuli(layout.stimuli, config, experiment, subjects={subject}, scenes=by_id)
    features = ImageFeatures.of_scenes(image_ids, scenes)
    tuning = draw_tuning(config, subject, streams=anatomy.stream_of_voxel, features=features)
    evoked = Evoked(draw_responses(config, subject), tuning, features)
    gain = evoked.pattern_gain(config.snr, designs.reshape(-1, N_DESIGN_ROWS))
    for run in tqdm(
        missing, desc=f"simulating {layout.subject_label}", unit="run", disable=None if progress else True
    ):
        _write_run(layout, config, run, anatomy=anatomy, evoked=evoked, gain=gain)
    write_truth(build_truth(config, subject, anatomy, evoked, pattern_gain=gain), layout.truth)


def _file_runs(config: SimulationConfig, designs: NDArray[np.int64]) -> list[_FileRun]:
    """Runs of all sessions as the files number them, with a resting run before and after each session's own if asked for."""
    runs = []
    for session, of_session in enumerate(designs, start=1):
        if config.resting_runs:
            rest = np.zeros((1, N_DESIGN_ROWS), dtype=np.int64)
            of_session = np.concatenate([rest, of_session, rest])
        runs += [_FileRun(session, run, design) for run, design in enumerate(of_session, start=1)]
    return runs


def _is_written(layout: NsdLayout, run: _FileRun) -> bool:
    return all(
        path(session=run.session, run=run.run).is_file()
        for path in (layout.bold, layout.motion, layout.design)
    )


def _write_run(
    layout: NsdLayout,
    config: SimulationConfig,
    run: _FileRun,
    *,
    anatomy: Anatomy,
    evoked: Evoked,
    gain: float,
) -> None:
    place = (layout.subject, run.session, run.run)
    response = None
    if run.design.any():
        response = evoked.mean_part(run.design)
        if gain:
            response += gain * evoked.pattern_part(run.design)
    bold = simulate_run(
        config,
        place,
        baseline=draw_baseline(config, layout.subject, int(anatomy.brain.sum())),
        evoked=response,
        responsive=anatomy.nsdgeneral[anatomy.brain],
    )
    volumes = np.zeros((*anatomy.shape, N_VOLUMES), dtype=np.int16)
    volumes[anatomy.brain] = bold.T
    write_nifti(layout.bold(session=run.session, run=run.run), volumes, anatomy)
    write_table(
        layout.motion(session=run.session, run=run.run), draw_motion(config, place), number_format="%.6f"
    )
    write_table(layout.design(session=run.session, run=run.run), run.design, number_format="%d")
