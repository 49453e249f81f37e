"""The plan of an analysis: what it consists of and what it takes, as a table."""

from __future__ import annotations

from dataclasses import dataclass

from tempgen.config import Analysis
from tempgen.config.decoder import RidgeConfig, makes_images_by_diffusion
from tempgen.data.repetitions import evaluated_trials
from tempgen.data.splits import Split, split_trials
from tempgen.windows import Window
from tempgen.workflow.planning.costs import DecoderCost, dynadiff_cost, image_cost, ridge_cost
from tempgen.workflow.planning.devices import CPU_UTILIZATION, UTILIZATION, Device
from tempgen.workflow.planning.recording_size import RecordingSize, recording_size

__all__ = ["Plan", "Task", "plan_analysis"]


@dataclass(frozen=True)
class Task:
    """One kind of task.

    Attributes
    ----------
    name : str
    n_tasks : int
    memory_bytes : int or None
        Of one, on the device; None where little.
    flop : float
        Of one.
    hours : float
        Of one, on the plan's device.
    """

    name: str
    n_tasks: int
    memory_bytes: int | None
    flop: float
    hours: float


@dataclass(frozen=True)
class Plan:
    """What an analysis takes.

    Attributes
    ----------
    size : RecordingSize
    split : Split
    window : Window
    device : Device
    decoder : DecoderCost
    disk_bytes : dict of str to int
        By artefact, before compression.
    tasks : tuple of Task
    """

    analysis: Analysis
    size: RecordingSize
    split: Split
    window: Window
    device: Device
    decoder: DecoderCost
    disk_bytes: dict[str, int]
    tasks: tuple[Task, ...]

    @property
    def flop(self) -> float:
        """Of all tasks."""
        return sum(task.n_tasks * task.flop for task in self.tasks)

    @property
    def hours(self) -> float:
        """Of all tasks one after another, on the device."""
        return sum(task.n_tasks * task.hours for task in self.tasks)

    def describe(self) -> str:
        """The plan as text for the terminal."""
        counts, size, device = self.split.counts, self.size, self.device
        lines = [
            f"{self.analysis.summary()}",
            f"recording: {size.n_runs} runs of up to {size.run_length} volumes, {size.n_voxels:,} voxels, "
            f"{len(size.trials):,} trials of {size.trials['image_id'].nunique():,} images (from {size.origin})",
            str(self.window.describe()),
            f"{self.split.describe()}",
            f"windows: {counts['n_train']:,} training x {len(self.analysis.fitted_deltas)} lags, "
            f"{self.n_scored:,} test x {self.n_cells} cells",
            f"each decoder: {self.decoder.n_parameters:,} parameters",
            "on disk, before compression:",
            *(f"  {name:<16}{_bytes(count):>12}" for name, count in self.disk_bytes.items()),
            f"  {'together':<16}{_bytes(sum(self.disk_bytes.values())):>12}",
            f"on {device.name}: {device.matrix_tflops:.3g} TFLOP/s at most ({device.source}), of which "
            f"{UTILIZATION if device.is_gpu else CPU_UTILIZATION:.0%} is taken to be reached"
            + ("; NOT measured on this device" if device.is_gpu else ""),
            f"  {'task':<26}{'number':>7}{'memory':>12}{'TFLOP each':>13}{'hours each':>12}{'hours':>10}",
        ]
        for task in self.tasks:
            memory = "-" if task.memory_bytes is None else _bytes(task.memory_bytes)
            lines.append(
                f"  {task.name:<26}{task.n_tasks:>7}{memory:>12}{task.flop / 1e12:>13,.4g}{task.hours:>12,.3g}"
                f"{task.n_tasks * task.hours:>10,.3g}"
            )
        lines.append(f"  {'all':<26}{'':>7}{'':>12}{self.flop / 1e12:>13,.4g}{'':>12}{self.hours:>10,.3g}")
        lines += [f"caution: {caution}" for caution in self.cautions()]
        return "\n".join(lines)

    @property
    def n_cells(self) -> int:
        """Pairs of train and test lag that are scored."""
        rows, columns = self.analysis.evaluated_train_deltas, self.analysis.evaluated_deltas
        if self.analysis.evaluation.matrix:
            return len(rows) * len(columns)
        general = self.analysis.training.general_delta
        return len({(row, column) for row in rows for column in columns if row in (general, column)})

    @property
    def n_scored(self) -> int:
        """Test trials that are reconstructed at each cell."""
        image_ids = self.size.trials["image_id"].to_numpy()
        return int(evaluated_trials(image_ids, self.split.test, self.analysis.evaluation).sum())

    def cautions(self) -> list[str]:
        """What will not go well."""
        found = []
        room = self.device.memory_gb
        largest = max((task.memory_bytes or 0 for task in self.tasks), default=0)
        if room is not None and largest > room * 1e9:
            found.append(f"a task takes {_bytes(largest)}, {self.device.name} has {room:g} GB")
        if not isinstance(self.analysis.decoder, RidgeConfig):
            found.append(
                "memory of Dynadiff is that of weights and moments: activations come on top, with the batch"
            )
        return found


def plan_analysis(analysis: Analysis, device: Device, *, trains: bool = True) -> Plan:
    """Plan an analysis; nothing is simulated, prepared, trained or written.

    Trials and split are those of the analysis where its recording is there (or can be drawn: simulated subjects), and those of
    a design like NSD's where it is not; bytes are exact before compression; operations are counted from sizes; hours divide
    them by a share of the device's rate.

    Parameters
    ----------
    analysis : Analysis
    device : Device
        From `get_device`.
    trains : bool
        Whether it trains its decoders itself; off: another analysis does, and their hours and bytes are counted there.

    Raises
    ------
    ConfigError
        If nothing is known of the recording.
    SplitError
        If the split leaves no trial.
    """
    size = recording_size(analysis)
    window = analysis.window.on_grid(size.tr_s)
    split = split_trials(
        size.trials,
        analysis.split,
        window=window,
        deltas=analysis.all_deltas,
        with_images=bool(size.n_images),
        label_names=size.label_names,
    )
    config, deltas = analysis.decoder, analysis.fitted_deltas
    cost = (
        ridge_cost(config, size, window=window, deltas=deltas, n_train=int(split.counts["n_train"]))
        if isinstance(config, RidgeConfig)
        else dynadiff_cost(config, size, window=window, on_gpu=device.is_gpu)
    )
    unfinished = Plan(analysis, size, split, window, device, cost, {}, ())
    n_images = unfinished.n_scored * unfinished.n_cells
    image = image_cost(config, size, window=window).flop
    training = _hours(cost.products_flop, device, diffusion=config.kind != "ridge") + _hours(
        cost.train_flop - cost.products_flop, device, share=CPU_UTILIZATION
    )
    rows = len(analysis.evaluated_train_deltas)
    tasks = (
        Task(
            "train all lags" if config.kind == "ridge" else "train one lag",
            0 if not trains else 1 if config.kind == "ridge" else len(deltas),
            cost.memory_bytes,
            cost.train_flop,
            training,
        ),
        Task(
            "reconstruct, one row",
            rows,
            None,
            n_images * image / rows,
            _hours(n_images * image / rows, device, diffusion=makes_images_by_diffusion(config)),
        ),
    )
    disk = {
        "store": size.store_bytes,
        "decoders": cost.disk_bytes * len(deltas) if trains else 0,
        "reconstructions": _kept_bytes(analysis, unfinished),
    }
    return Plan(analysis, size, split, window, device, cost, disk, tasks)


def _kept_bytes(analysis: Analysis, plan: Plan) -> int:
    keep = analysis.evaluation.keep_reconstructions
    n_kept = plan.n_scored if keep == "all" else 0 if keep == "none" else min(int(keep), plan.n_scored)
    size = analysis.evaluation.image_size or plan.size.image_size
    return 3 * size**2 * n_kept * plan.n_cells


def _hours(flop: float, device: Device, *, diffusion: bool = False, share: float | None = None) -> float:
    """Hours of operations: in bf16 where a diffusion model runs on a GPU, else in float32."""
    rate = device.matrix_tflops if diffusion else device.float32_tflops
    if share is None:
        share = UTILIZATION if device.is_gpu else CPU_UTILIZATION if diffusion else 1.0
    return flop / (rate * 1e12 * share) / 3600


def _bytes(count: int) -> str:
    """A count of bytes in words.

    Examples
    --------
    >>> _bytes(6_800_000_000)
    '6.8 GB'
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"
