"""Where the tasks of a sweep run, and what each of them gets: ``--launcher`` and ``--resources`` of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from tempgen.config.files import parse_assignments, read_yaml, validate
from tempgen.config.section import Section
from tempgen.errors import ConfigError

LauncherKind = Literal["local", "processes", "slurm"]


class LauncherConfig(Section):
    """How a sweep is run; the resources are those of one task."""

    launcher: LauncherKind = Field(
        "local",
        description="local: in this process, one task after another; processes: worker processes of this machine; slurm: jobs of a "
        "cluster. Source: a laptop needs neither.",
    )
    gpus: int = Field(
        0,
        ge=0,
        description="GPUs of a task; training uses all of them together. Source: the demo needs none.",
    )
    cpus: int = Field(1, ge=1, description="Cores of a task. Source: house choice.")
    processes: int | None = Field(
        None,
        ge=1,
        description="Processes that train one network together (Accelerate); null: one for each GPU. Source: off unless given.",
    )
    memory_gb: float | None = Field(
        None,
        gt=0,
        description="Memory of a task (GB). processes: no more tasks live than fit, and one that takes more is ended; slurm: what is "
        "asked for. null: not counted, the partition's default. Source: off unless given.",
    )
    max_at_once: int | None = Field(
        None,
        ge=1,
        description="Most tasks that live at a time (slurm: of a job array); null: as many as cores, memory and GPUs "
        "allow. Source: off unless given.",
    )
    retries: int = Field(
        2,
        ge=0,
        description="How often a task that was killed (memory, time limit, a node that died) is started again; one that raised an "
        "error is not. Source: house choice.",
    )
    keep_other_code: bool = Field(
        False,
        description="Keep what other code of this package made; else it is refused, unless it is to be made again (--overwrite). "
        "Source: results of one sweep come from one code.",
    )
    minutes: int = Field(
        240, ge=1, description="Time limit of a job; it is told before, and saves. Source: house choice."
    )
    partition: str | None = Field(None, description="SLURM partition. Source: the cluster's default.")
    account: str | None = Field(None, description="SLURM account. Source: the cluster's default.")
    setup: tuple[str, ...] = Field(
        (),
        description="Shell lines of a job before Python starts, e.g. module load cuda. Source: off unless given.",
    )
    poll_s: float = Field(
        10.0,
        gt=0,
        description="Seconds between two questions to SLURM (one squeue for all jobs). Source: house choice.",
    )

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.launcher == "local":
            self.refuse_unused(
                tuple(set(type(self).model_fields) - {"launcher"}), because="by the launcher local"
            )
        if self.launcher != "slurm":
            self.refuse_unused(
                ("minutes", "partition", "account", "setup", "poll_s"),
                because=f"by the launcher {self.launcher}",
            )
        if self.gpus and self.processes is not None and self.processes != self.gpus:
            raise ValueError(
                f"processes is {self.processes}, gpus {self.gpus}: each process of a training gets one GPU"
            )
        return self

    @property
    def n_processes(self) -> int:
        """Processes that train one network together."""
        return self.processes or max(1, self.gpus)


def load_launcher(launcher: str | None = None, resources: Sequence[str] = ()) -> LauncherConfig:
    """A launcher of the command line.

    Parameters
    ----------
    launcher : str, optional
        ``local``, ``processes`` or ``slurm``, instead of a file's.
    resources : sequence of str
        YAML files and ``KEY=VALUE`` in any order; later ones win.

    Raises
    ------
    ConfigError
        If a file is missing or no mapping, or a key is unknown or would not be used.

    Examples
    --------
    >>> load_launcher("slurm", ["gpus=1", "minutes=90"]).gpus
    1
    """
    content: dict[str, Any] = {}
    for given in resources:
        content |= parse_assignments([given]) if "=" in given else _read(Path(given))
    if launcher is not None:
        content["launcher"] = launcher
    return validate(LauncherConfig, content, origin="the launcher (--launcher, --resources)")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(
            f"There is no file of resources {path}: name one, or write KEY=VALUE, e.g. --resources cpus=4."
        )
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds a {type(content).__name__}; resources are a mapping, e.g. cpus: 4.")
    return content
