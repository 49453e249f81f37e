"""Where an analysis keeps what it makes, and whether what is there was made the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempgen.config import Analysis, differences
from tempgen.errors import ConfigError


@dataclass(frozen=True)
class Places:
    """Paths below the output folder of an analysis."""

    analysis: Analysis

    @property
    def folder(self) -> Path:
        """The output folder."""
        return self.analysis.output_folder

    @property
    def dataset(self) -> Path:
        """Root of the recording: given, or (simulated) below the output folder."""
        return self.analysis.data.path or self.folder / "simulated"

    @property
    def store(self) -> Path:
        """The time-series store."""
        return self.folder / "store.zarr"

    @property
    def signal_store(self) -> Path:
        """The store of the signal that is decoded: that of BOLD, or one made of it."""
        kind = self.analysis.signal.kind
        return self.store if kind == "bold" else self.folder / f"store_{kind}.zarr"

    @property
    def results(self) -> Path:
        """The scores."""
        return self.folder / "results.zarr"

    @property
    def reconstructions(self) -> Path:
        """The reconstructions that are kept, beside their seen images."""
        return self.folder / "reconstructions.zarr"

    @property
    def encoded(self) -> Path:
        """What a diffusion backbone makes of the seen images, computed once."""
        return self.folder / "encoded"

    def training(self, delta: int) -> Path:
        """Checkpoints and curves of the decoder trained at train lag ``delta``."""
        return self.folder / "training" / self.analysis.decoder.kind / f"delta_{delta:+03d}"

    @property
    def figures(self) -> Path:
        """Folder of the figures and the executed notebook."""
        return self.folder / "figures"

    def decoder(self, delta: int) -> Path:
        """Folder of the decoder fitted at train lag ``delta``; the General one is that of ``general_delta``."""
        return self.folder / "decoders" / self.analysis.decoder.kind / f"delta_{delta:+03d}"


def is_done(
    made_with: Mapping[str, Any], recipe: Mapping[str, Any], *, what: Path, overwrite: bool, remake: str
) -> bool:
    """Whether an existing artefact can be kept; ``remake`` is the command that makes it.

    Returns
    -------
    bool
        True if it was made with this recipe, False if it is to be made again (``overwrite``).

    Raises
    ------
    ConfigError
        If it was made with another recipe and ``overwrite`` is off; the differences are listed, nothing is lost.
    """
    changed = differences(made_with, recipe)
    if not changed:
        return True
    if overwrite:
        return False
    listed = "\n".join(f"  - {line}" for line in changed)
    raise ConfigError(
        f"{what} was made with another analysis:\n{listed}\n"
        f"Choose another place ('folder' in the analysis file, --out), or make it again with '{remake} --overwrite'."
    )
