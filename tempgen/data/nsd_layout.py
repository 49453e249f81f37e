"""Names of the Natural Scenes Dataset's files, shared by its reader and by the simulator that writes them.

Source: NSD data manual (Allen et al. 2022, Nature Neuroscience 25:116-126), section "NSD data files".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TR_S = 4 / 3
"""Nominal seconds between volumes of func1pt8mm (three volumes a 4 s trial; the true resampling step is 1.33317 s)."""
NATIVE_TR_S = 1.6
"""Seconds between the volumes that were acquired, from which func1pt8mm was resampled by cubic interpolation."""
N_VOLUMES = 226
"""Volumes in a NIfTI file of a run."""
N_DESIGN_ROWS = 225
"""Rows of a design file: 75 slots of 3 volumes; the last volume of the NIfTI file is beyond the design."""
N_SLOTS = 75
TRS_PER_SLOT = 3
RUNS_PER_SESSION = 12
TRIALS_PER_SESSION = 750
STIMULUS_DURATION_S = 3.0
STIMULUS_DATASET = "imgBrick"


@dataclass(frozen=True)
class NsdLayout:
    """Paths of one subject below ``root``.

    Examples
    --------
    >>> NsdLayout(Path("nsd"), 1).bold(session=1, run=2).as_posix()
    'nsd/nsddata_timeseries/ppdata/subj01/func1pt8mm/timeseries/timeseries_session01_run02.nii.gz'
    """

    root: Path
    subject: int
    resolution: str = "func1pt8mm"

    @property
    def subject_label(self) -> str:
        return f"subj{self.subject:02d}"

    @property
    def timeseries_folder(self) -> Path:
        return self.root / "nsddata_timeseries" / "ppdata" / self.subject_label / self.resolution

    def bold(self, *, session: int, run: int) -> Path:
        return self.timeseries_folder / "timeseries" / f"timeseries_session{session:02d}_run{run:02d}.nii.gz"

    def design(self, *, session: int, run: int) -> Path:
        return self.timeseries_folder / "design" / f"design_session{session:02d}_run{run:02d}.tsv"

    def motion(self, *, session: int, run: int) -> Path:
        return self.timeseries_folder / "motion" / f"motion_session{session:02d}_run{run:02d}.tsv"

    def roi(self, name: str) -> Path:
        """``name`` may carry a hemisphere, as NSD's files do: ``lh.streams``."""
        return (
            self.root / "nsddata" / "ppdata" / self.subject_label / self.resolution / "roi" / f"{name}.nii.gz"
        )

    @property
    def experiment_design(self) -> Path:
        return self.root / "nsddata" / "experiments" / "nsd" / "nsd_expdesign.mat"

    @property
    def stimulus_table(self) -> Path:
        return self.root / "nsddata" / "experiments" / "nsd" / "nsd_stim_info_merged.csv"

    @property
    def stimuli(self) -> Path:
        return self.root / "nsddata_stimuli" / "stimuli" / "nsd" / "nsd_stimuli.hdf5"

    @property
    def truth(self) -> Path:
        """Simulated subjects only: what the simulator put in."""
        return self.root / "simulation" / f"{self.subject_label}_truth.nc"

    @property
    def simulation_marker(self) -> Path:
        """Simulated subjects only: what the folder was simulated with."""
        return self.root / "simulation" / "config.json"

    def runs_on_disk(self) -> list[tuple[int, int]]:
        """(session, run) of every design file, sorted."""
        return self._numbered("design", "design_session*_run*.tsv")

    def bold_runs(self, session: int) -> list[int]:
        """Runs of a session that have a BOLD file, sorted."""
        found = self._numbered("timeseries", "timeseries_session*_run*.nii.gz")
        return [run for session_of_run, run in found if session_of_run == session]

    def _numbered(self, folder: str, pattern: str) -> list[tuple[int, int]]:
        numbers = re.compile(r"session(\d+)_run(\d+)\.")
        found = (numbers.search(path.name) for path in (self.timeseries_folder / folder).glob(pattern))
        return sorted((int(match[1]), int(match[2])) for match in found if match)
