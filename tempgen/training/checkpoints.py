"""Checkpoints of a run: folders that are whole or absent, named after their step, the old removed after the new is there.

A folder of a run holds ``checkpoints/step-00001000`` (weights, average, moments and ``state.json``), beside it
``checkpoints/best-00000500`` (weights alone) where held-out runs choose the result. Only trained tensors are in them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tempgen.errors import TrainingError
from tempgen.files import remove_folder, whole_folder

CHECKPOINT_FORMAT = 1
"""Changes when an older checkpoint can no longer be read."""
STATE, DIGESTS = "state.json", "digests.json"
WEIGHTS, AVERAGE, MOMENTS = "weights.safetensors", "average.safetensors", "optimizer.safetensors"
_NAME = re.compile(r"(step|best)-(\d+)")


@dataclass
class RunState:
    """What a checkpoint says besides tensors; plain values.

    Attributes
    ----------
    step : int
        Updates made.
    recipe : dict
        What determines the result.
    best_step, best_score : int, float or None
        Where the task's monitor was lowest so far.
    best_scores : dict
        All scores of that validation.
    scores : dict
        The last validation's.
    scaler : dict
        State of the fp16 loss scaler.
    n_processes : int
    """

    step: int = 0
    recipe: dict[str, Any] = field(default_factory=dict)
    best_step: int | None = None
    best_score: float | None = None
    best_scores: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    n_processes: int = 1


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    folder : Path
        The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkpoints"

    def step_folder(self, step: int) -> Path:
        """Where the checkpoint after ``step`` updates lies."""
        return self.folder / f"step-{step:08d}"

    def best_folder(self, step: int) -> Path:
        """Where the best weights lie if they were those after ``step`` updates."""
        return self.folder / f"best-{step:08d}"

    def latest(self) -> Path | None:
        """The newest checkpoint, if there is one."""
        found = self._numbered("step")
        return found[max(found)] if found else None

    def _numbered(self, kind: str) -> dict[int, Path]:
        matches = {path: _NAME.fullmatch(path.name) for path in self.folder.glob(f"{kind}-*")}
        return {int(match[2]): path for path, match in matches.items() if match}

    def save_best(self, step: int, weights: Mapping[str, Tensor]) -> None:
        """Write the weights that validated best; they count once a checkpoint names them.

        Raises
        ------
        TrainingError
            If they cannot be written.
        """
        remove_folder(self.best_folder(step))  # of a killed run
        with self._written(self.best_folder(step), step) as temporary:
            write_tensors(temporary / WEIGHTS, weights)

    def save(self, state: RunState, write: Callable[[Path], None]) -> Path:
        """Write a checkpoint, then remove what it replaces.

        Parameters
        ----------
        state : RunState
        write : callable
            Writes the tensors' files into a folder.

        Raises
        ------
        TrainingError
            If it cannot be written; what was there before is untouched.
        """
        path = self.step_folder(state.step)
        if not path.exists():
            with self._written(path, state.step) as temporary:
                write(temporary)
                text = json.dumps({"format": CHECKPOINT_FORMAT, **asdict(state)}, indent=1)
                (temporary / STATE).write_text(text, encoding="utf-8")
        self._remove_all_but(path, state)
        return path

    @contextmanager
    def _written(self, path: Path, step: int) -> Iterator[Path]:
        try:
            with whole_folder(path) as temporary:
                yield temporary
                text = json.dumps({file.name: _digest(file) for file in sorted(temporary.iterdir())})
                (temporary / DIGESTS).write_text(text, encoding="utf-8")
                _to_disk(temporary)
            _to_disk(path.parent)
        except (OSError, SafetensorError) as error:
            last = self.latest()
            kept = f"the checkpoint {last} is whole" if last else "there is no earlier checkpoint"
            raise TrainingError(
                f"Could not save after step {step} to {path}: {error}. {kept[0].upper()}{kept[1:]}: "
                "make room there (or see who may write), then the same command goes on from it."
            ) from error

    def _remove_all_but(self, kept: Path, state: RunState) -> None:
        best = None if state.best_step is None else self.best_folder(state.best_step)
        for path in [*self._numbered("step").values(), *self._numbered("best").values()]:
            if path not in (kept, best):
                with suppress(OSError):  # it is tried again after the next checkpoint
                    remove_folder(path)

    def clean(self, *, everything: bool = False) -> list[Path]:
        """Remove what a killed run was writing and what is damaged, or the whole run.

        A checkpoint whose best weights are damaged or gone goes with them; an older one that is whole stays the latest.

        Returns
        -------
        list of Path
            Checkpoints whose files are not what was written.
        """
        if everything:
            remove_folder(self.folder)
            return []
        steps, best = self._numbered("step"), self._numbered("best")
        damaged = [path for path in (*steps.values(), *best.values()) if not _is_whole(path)]
        lost = list(damaged)
        for path in steps.values():
            named = None if path in damaged else read_state(path).best_step
            if named is not None and (named not in best or best[named] in damaged):
                lost.append(path)
        for path in lost:
            remove_folder(path)
        for path in self.folder.glob(".*.tmp.*"):
            shutil.rmtree(path)
        return damaged


def read_state(path: Path) -> RunState:
    """What a checkpoint says of itself.

    Raises
    ------
    TrainingError
        If it was written by another version.
    """
    content = json.loads((path / STATE).read_text(encoding="utf-8"))
    found = content.pop("format", None)
    if found != CHECKPOINT_FORMAT:
        raise TrainingError(
            f"The checkpoint {path} has format {found}, this version reads {CHECKPOINT_FORMAT}: train again (overwrite)."
        )
    return RunState(**content)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name, on the CPU."""
    return load_file(path)


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A safetensors file of tensors of any device and layout."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "blake2b").hexdigest()


def _is_whole(folder: Path) -> bool:
    """Whether a checkpoint's files are those that were written; of one of before there were digests, it is believed."""
    try:
        digests = json.loads((folder / DIGESTS).read_text(encoding="utf-8"))
        return all(_digest(folder / name) == digest for name, digest in digests.items())
    except FileNotFoundError:
        return not (folder / DIGESTS).exists() and (
            folder.name.startswith("best") or (folder / STATE).exists()
        )
    except ValueError:
        return False


def _to_disk(folder: Path) -> None:
    """Wait until a folder and its files are on the disk, so that a name never precedes its content after a power cut."""
    for path in [*folder.iterdir(), folder] if folder.is_dir() else []:
        if path.is_file() or path == folder:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
