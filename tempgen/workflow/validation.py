"""A calibration on simulated truth: many small subjects, the full linear analysis of each, rates over all of them."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import signal
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from tempgen._version import __version__
from tempgen.config.files import differences
from tempgen.config.validation import ValidationConfig, load_validation
from tempgen.data.simulate.scene_pool import open_scene_pool
from tempgen.errors import ConfigError, ResultsError
from tempgen.files import whole_file
from tempgen.generalization.validation import (
    calibrate,
    calibration_tables,
    classification_rates,
    classification_table,
    markdown_table,
)
from tempgen.plots import save_figure
from tempgen.plots.dynamics import plot_classification
from tempgen.training.interruption import SIGNALS, Interruption
from tempgen.workflow.recording import Say
from tempgen.workflow.validation_task import Task, read_outcomes, run_task

__all__ = ["example_calibration", "gather_outcomes", "open_calibration", "run_validation"]

CALIBRATION, OUTCOMES, TABLES = "calibration.nc", "outcomes.nc", "tables.md"
_HOW_MANY = {"n_datasets"}
"""Keys of a condition that change no data set."""


def run_validation(
    config: ValidationConfig, out: Path, *, n_jobs: int | None = None, say: Say = print
) -> xr.Dataset:
    """Simulate and analyse all data sets that are not there yet, and gather what came of them.

    Every data set is one small file below ``out``, whole or not at all: stopped at any time, the same call goes on from
    there, and more data sets can be asked for later.

    Parameters
    ----------
    config : ValidationConfig
    out : Path
        Folder: new, or of the same calibration.
    n_jobs : int or None
        Data sets at a time, each in a process of one thread; None: one for each core.

    Returns
    -------
    Dataset
        From `tempgen.generalization.validation.calibrate`, or `classification_rates` with ``config.dynamics``, along
        ``condition``; also in ``calibration.nc``, all outcomes in ``outcomes.nc``, and the tables in ``tables.md``;
        with ``config.dynamics`` a figure of the rates as ``classification.png`` and ``.svg``.

    Raises
    ------
    ConfigError
        If ``out`` holds another calibration.
    """
    out = Path(out)
    _claim(out, config)
    tasks = [
        Task(config, name, number, out)
        for name, condition in config.conditions.items()
        for number in range(condition.n_datasets)
    ]
    waiting = [task for task in tasks if read_outcomes(task.path) is None]
    if len(waiting) < len(tasks):
        say(f"{len(tasks) - len(waiting)} of {len(tasks)} data sets are there")
    if waiting:
        open_scene_pool(waiting[0].scenes, n_images=config.n_scenes, seed=config.seed, size=16)
        _run(_interleaved(waiting), n_done=len(tasks) - len(waiting), n_jobs=n_jobs)
    outcomes = gather_outcomes(config, out)
    of_tests = config.dynamics is None
    summary = calibrate(outcomes) if of_tests else classification_rates(outcomes)
    for name, dataset in ((OUTCOMES, outcomes), (CALIBRATION, summary)):
        with whole_file(out / name) as temporary:
            dataset.to_netcdf(temporary, engine="h5netcdf")
    tables = calibration_tables(summary) if of_tests else {"classification": classification_table(summary)}
    with whole_file(out / TABLES) as temporary:
        text = "\n\n".join(f"## {name}\n\n{markdown_table(table)}" for name, table in tables.items())
        temporary.write_text(text + "\n", encoding="utf-8")
    if not of_tests:
        figure = plot_classification(summary).get_figure(root=True)
        if figure is not None:
            save_figure(figure, out / "classification")
    say(f"{out / CALIBRATION}: {len(tasks)} simulated data sets, {len(config.conditions)} conditions")
    return summary


def gather_outcomes(config: ValidationConfig, out: Path) -> xr.Dataset:
    """Outcomes of all data sets that are there, dims (condition, dataset, ...).

    Raises
    ------
    ResultsError
        If none is there.
    """
    by_condition = []
    for name, condition in config.conditions.items():
        there = {
            number: found
            for number in range(condition.n_datasets)
            if (found := read_outcomes(Task(config, name, number, out).path)) is not None
        }
        if not there:
            continue
        together = xr.concat(
            [outcomes for outcomes, _ in there.values()],
            dim=xr.Variable("dataset", list(there)),
            join="outer",
        )
        together["seconds"] = ("dataset", [float(content["seconds"]) for _, content in there.values()])
        by_condition.append(together.expand_dims(condition=[name]))
    if not by_condition:
        raise ResultsError(f"No data set of the calibration is in {out}: run 'tempgen validate {out}' first.")
    lags: dict[str, xr.DataArray] = {}
    if "lag_s" in by_condition[0]:  # seconds of a lag, the same in all conditions
        lag_s = xr.concat([one["lag_s"] for one in by_condition], dim="part", join="outer").max("part")
        lags = {"lag_s": lag_s}
    outcomes = xr.concat(
        [one.drop_vars("lag_s", errors="ignore") for one in by_condition],
        dim="condition",
        join="outer",
        coords="minimal",
        compat="override",
    )
    outcomes = outcomes.assign_coords(
        {
            name: coord.astype(object)  # text that netCDF reads back as it was
            for name, coord in outcomes.coords.items()
            if coord.dtype.kind in "UT"
        }
    )
    conditions = [config.conditions[str(name)] for name in outcomes["condition"].to_numpy()]
    peaks = [condition.simulate.time_to_peak_s for condition in conditions]
    codes: list[object] = [condition.simulate.code for condition in conditions]
    coords: dict[str, Any] = {
        "code": np.asarray(codes, dtype=object),
        "snr": [condition.simulate.snr for condition in conditions],
        "soa_slots": [condition.experiment.soa_slots for condition in conditions],
        "hrf_spread_s": [latest - earliest for earliest, latest in peaks],
        "n_runs": [condition.experiment.n_runs for condition in conditions],
        "hrf_error_s": [condition.hrf_error_s for condition in conditions],
    }
    return outcomes.assign_coords(
        lags | {name: ("condition", values) for name, values in coords.items()}
    ).assign_attrs(
        title=f"tempgen: {config.name}",
        data_kind="simulated",
        tempgen_version=__version__,
        alpha=(config.dynamics or config.statistics).alpha,
        level=config.statistics.level,
        validation=config.model_dump_json(),
    )


def example_calibration(
    folder: Path | str = Path("outputs/validate_short"), *, say: Say = print
) -> xr.Dataset:
    """A calibration of a few data sets, made within a minute or two if it is not there: to see the figures, not to believe them."""
    config = load_validation().only(("null-static", "static-0.5", "rotating-0.5")).short()
    if not (Path(folder) / CALIBRATION).is_file():
        say(f"No calibration was given: {config.n_datasets} SIMULATED data sets are made in {folder}.")
    return run_validation(config, Path(folder), say=say)


def open_calibration(folder: Path | str) -> xr.Dataset:
    """What `run_validation` gathered.

    Raises
    ------
    ResultsError
        If there is none.
    """
    path = Path(folder) / CALIBRATION
    if not path.is_file():
        raise ResultsError(f"There is no calibration {path}: make one with 'tempgen validate {folder}'.")
    return xr.load_dataset(path, engine="h5netcdf")


def _claim(out: Path, config: ValidationConfig) -> None:
    """Write what the folder's data sets are made with, or check that it is this."""
    plan = out / "validation.json"
    # calibrations of tests, older ones among them, have no keys of dynamics
    absent = set() if config.dynamics is not None else {"dynamics", "hrf_error_s"}
    wanted = {
        name: {
            **config.model_dump(mode="json", exclude={"name", "base", "conditions"} | absent),
            **condition.model_dump(mode="json", exclude=_HOW_MANY | absent),
        }
        for name, condition in config.conditions.items()
    }
    there = json.loads(plan.read_text(encoding="utf-8")) if plan.is_file() else {}
    both = set(there) & set(wanted)
    changed = differences({name: there[name] for name in both}, {name: wanted[name] for name in both})
    if changed:
        listed = "\n".join(f"  - {line}" for line in changed)
        raise ConfigError(f"{out} holds data sets of another calibration:\n{listed}\nChoose another folder.")
    with whole_file(plan) as temporary:
        temporary.write_text(json.dumps({**there, **wanted}, indent=1) + "\n", encoding="utf-8")


def _interleaved(tasks: Sequence[Task]) -> list[Task]:
    """First all conditions' first data sets, so that a calibration that is stopped says something of each."""
    return sorted(tasks, key=lambda task: task.number)


def _run(tasks: Sequence[Task], *, n_done: int, n_jobs: int | None) -> None:
    n_jobs = n_jobs or len(os.sched_getaffinity(0))
    with tqdm(
        total=n_done + len(tasks), initial=n_done, desc="validate", unit="data set", disable=None
    ) as bar:
        finished = _alone(tasks) if min(n_jobs, len(tasks)) == 1 else _together(tasks, n_jobs)
        with Interruption() as interruption, contextlib.closing(finished):
            for _ in finished:
                bar.update()
                if interruption.received is not None:
                    break


def _alone(tasks: Sequence[Task]) -> Generator[float, None, None]:
    with threadpool_limits(1):
        for task in tasks:
            yield _quietly(task)


def _together(tasks: Sequence[Task], n_jobs: int) -> Generator[float, None, None]:
    """In processes of their own; if it is closed or one fails, those that wait are given up and the others end first."""
    # threads of numerical libraries do not survive a fork
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_jobs, mp_context=context, initializer=_begin_worker)
    try:
        futures = [pool.submit(_quietly, task) for task in tasks]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin_worker() -> None:
    """One thread a process; signals, which a terminal sends to all of them, are the parent's to answer."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threadpool_limits(1)


def _quietly(task: Task) -> float:
    """A data set without the progress bars of its parts, which would stand in the way of the one over all."""
    with contextlib.redirect_stderr(io.StringIO()):
        return run_task(task)
