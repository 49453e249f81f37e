"""A task of a sweep: what it calls, what determines it, what it makes, what it waits for."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tempgen.config.files import fingerprint
from tempgen.errors import SweepError


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes
    ----------
    name : str
        Names it in tables, and its folder.
    kind : str
        ``"train"``, ``"evaluate"``...: tasks of a kind take about the same time.
    call : str
        ``"package.module:function"``; it is called with ``arguments`` as keywords.
    arguments : mapping
        Plain values.
    recipe : mapping
        What determines what it makes, as plain values: the task's key is their fingerprint.
    folder : Path
        Where its record is: below the folder of what it makes.
    makes : sequence of Path
        What is there afterwards.
    instead : Path, optional
        What everything of ``makes`` becomes a part of in the end: where this is there, they need not be.
    needs : sequence of Path
        Folders of the tasks that have to be done before.
    processes : int
        Processes that work on it together, if its call can.
    """

    name: str
    kind: str
    call: str
    arguments: Mapping[str, Any]
    recipe: Mapping[str, Any]
    folder: Path
    makes: Sequence[Path] = ()
    instead: Path | None = None
    needs: Sequence[Path] = ()
    processes: int = 1

    @property
    def key(self) -> str:
        """Changes with whatever determines what the task makes."""
        return fingerprint(self.call, dict(self.recipe))

    @property
    def has_made(self) -> bool:
        """Whether what it makes is there."""
        in_the_end = self.instead is not None and self.instead.exists()
        return in_the_end or all(path.exists() for path in self.makes)

    def run(self) -> None:
        """Do it in this process."""
        module, _, function = self.call.partition(":")
        getattr(importlib.import_module(module), function)(**self.arguments)

    def to_json(self) -> str:
        """As text that `from_json` reads."""
        return json.dumps(asdict(self), indent=1, default=_plain)

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Read what `to_json` wrote.

        Raises
        ------
        SweepError
            If it is no task of this version.
        """
        try:
            content = json.loads(text)
            for name in ("makes", "needs"):
                content[name] = [Path(path) for path in content[name]]
            if content["instead"] is not None:
                content["instead"] = Path(content["instead"])
            return cls(**{**content, "folder": Path(content["folder"])})
        except (ValueError, TypeError, KeyError) as error:
            raise SweepError(
                f"This is no task of this version of tempgen ({error!r}): start the sweep again."
            ) from error


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else list(value)
