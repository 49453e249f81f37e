"""Simulated subjects as stores in memory: the same numbers as by way of NSD's files, in a fraction of the time.

For calibrations, which simulate thousands of small subjects. `simulate_nsd`, then `open_nsd` and `prepare_store`, give the
same BOLD for the same design.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempgen.config.files import fingerprint
from tempgen.config.recording import PreprocessConfig
from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import N_DESIGN_ROWS, RUNS_PER_SESSION, STIMULUS_DURATION_S, TR_S
from tempgen.data.preprocess import clean_run
from tempgen.data.simulate.anatomy import Anatomy, build_anatomy
from tempgen.data.simulate.bold import Evoked, draw_baseline, draw_responses, simulate_run
from tempgen.data.simulate.neural import draw_tuning
from tempgen.data.simulate.scene_pool import ScenePool
from tempgen.data.source import RunFile, Source
from tempgen.data.store import describe_store, store_attrs
from tempgen.errors import ConfigError

__all__ = ["SimulatedSubject", "trials_of_designs"]


@dataclass(frozen=True)
class SimulatedSubject:
    """A subject whose brain is drawn and who can be recorded again and again.

    Attributes
    ----------
    config : SimulationConfig
    subject : int
    pool : ScenePool
        The images that it may see.
    anatomy : Anatomy
    evoked : Evoked
    gain : float
        Of the pattern.
    """

    config: SimulationConfig
    subject: int
    pool: ScenePool
    anatomy: Anatomy
    evoked: Evoked
    gain: float

    @classmethod
    def of(
        cls, config: SimulationConfig, designs: NDArray[np.int64], *, pool: ScenePool, subject: int = 1
    ) -> SimulatedSubject:
        """Draw a subject; the gain of its pattern is set by these designs, shape (n_runs, 225)."""
        anatomy = build_anatomy(config.n_voxels, subject)
        tuning = draw_tuning(config, subject, streams=anatomy.stream_of_voxel, features=pool.features)
        evoked = Evoked(draw_responses(config, subject), tuning, pool.features)
        gain = evoked.pattern_gain(config.snr, designs) if config.snr else 0.0
        return cls(config, subject, pool, anatomy, evoked, gain)

    def record(
        self,
        designs: NDArray[np.int64],
        *,
        first_session: int = 1,
        preprocess: PreprocessConfig | None = None,
    ) -> xr.Dataset:
        """Simulate runs, clean and z-score them.

        Parameters
        ----------
        designs : array of int, shape (n_runs, 225)
            The image's ID in the row of its onset, else 0. Twelve runs are a session.
        first_session : int
            Noise and drift depend on session and run: another first session records the same subject anew.
        preprocess : PreprocessConfig, optional
            The default unless given; there are no confounds.

        Returns
        -------
        Dataset
            A store, see :mod:`tempgen.data.store`, all of it in memory.

        Raises
        ------
        ConfigError
            If confounds are asked for, or a value does not fit into int16.
        """
        preprocess = preprocess or PreprocessConfig()
        if preprocess.confounds:
            raise ConfigError(
                "Subjects simulated in memory have no motion: leave preprocess.confounds at false."
            )
        places = [divmod(run, RUNS_PER_SESSION) for run in range(len(designs))]
        runs = tuple(
            RunFile(
                f"ses-{first_session + session:02d}_run-{run + 1:02d}",
                first_session + session,
                run + 1,
                Path(),
                N_DESIGN_ROWS,
            )
            for session, run in places
        )
        bold = np.empty((len(runs), N_DESIGN_ROWS, int(self.anatomy.nsdgeneral.sum())), dtype=np.float32)
        for k, (run, design) in enumerate(zip(runs, designs, strict=True)):
            bold[k] = self._run(run, design, preprocess)
        source = Source(
            kind="nsd",
            subject=str(self.subject),
            tr_s=TR_S,
            runs=runs,
            mask=self.anatomy.nsdgeneral,
            affine=self.anatomy.affine,
            trials=trials_of_designs(designs),
            data_kind="simulated",
            notes={key: str(getattr(self.config, key)) for key in ("code", "snr")},
        )
        n_voxels = bold.shape[2]
        store = describe_store(
            source,
            voxels=np.ones(n_voxels, dtype=bool),
            run_lengths=np.full(len(runs), N_DESIGN_ROWS, dtype=np.int64),
        )
        image_ids = np.unique(designs[designs > 0])
        rows = np.searchsorted(self.pool.features.image_ids, image_ids)
        store["bold"] = (("run", "volume", "voxel"), bold, {"units": "z-score per voxel and run"})
        store["image"] = (("image", "row", "column", "rgb"), self.pool.images[rows])
        store["image_of"] = ("image", image_ids)
        recipe = {
            "simulate": self.config.model_dump(mode="json"),
            "preprocess": preprocess.model_dump(mode="json"),
            "designs": fingerprint(designs.tolist()),
            "first_session": first_session,
        }
        return store.assign_attrs(
            store_attrs(source, recipe=json.dumps(recipe), fingerprint=fingerprint(recipe), n_constant=0)
        )

    def _run(
        self, run: RunFile, design: NDArray[np.int64], preprocess: PreprocessConfig
    ) -> NDArray[np.float32]:
        evoked = self.evoked.mean_part(design)
        if self.gain:
            evoked += self.gain * self.evoked.pattern_part(design)
        anatomy = self.anatomy
        series = simulate_run(
            self.config,
            (self.subject, run.session, run.run),
            baseline=draw_baseline(self.config, self.subject, int(anatomy.brain.sum())),
            evoked=evoked,
            responsive=anatomy.nsdgeneral[anatomy.brain],
        )
        cleaned = clean_run(
            series[:N_DESIGN_ROWS, anatomy.nsdgeneral[anatomy.brain]].astype(np.float32),
            tr_s=TR_S,
            drift=preprocess.drift,
            drift_cutoff_s=preprocess.drift_cutoff_s,
            high_pass_hz=preprocess.high_pass_hz,
        )
        return cleaned.zscored


def trials_of_designs(designs: NDArray[np.int64]) -> pd.DataFrame:
    """Trials table of designs, shape (n_runs, 225), with the columns of ``TRIAL_COLUMNS``."""
    run, onset_tr = np.nonzero(designs)
    trials = pd.DataFrame({"run": run, "onset_tr": onset_tr, "image_id": designs[run, onset_tr]})
    trials["onset_s"] = trials["onset_tr"] * TR_S
    trials["onset_residual_s"] = 0.0
    trials["duration_s"] = STIMULUS_DURATION_S
    trials["repetition"] = trials.groupby("image_id").cumcount()
    trials["shared1000"] = False
    return trials
