"""Reads tensors out of files that torch saved, without ever running what is in them.

Files of DeepSpeed and Lightning hold objects of many classes beside the weights. torch refuses such a file with
``weights_only=True``, and this module never reads one otherwise. Instead, every class that torch does not trust is
replaced by a placeholder that holds nothing and does nothing; the tensors, lists and dictionaries are left.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from tempgen.errors import DecoderError


class Placeholder(dict[Any, Any]):
    """Stands for an object of any class in a file; keeps the arguments it was made with, e.g. the value of an enum."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.args = args

    def __setstate__(self, state: Any) -> None:
        """Leave the state of the object that this stands for."""

    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


def load_pickled(path: Path) -> Any:
    """What torch saved in a file, on the CPU, with placeholders for objects of classes that torch does not trust.

    Tensors stay in the file until they are used, where its format allows.

    Raises
    ------
    DecoderError
        If the file is missing, cut short, no file of torch, or calls functions that no checkpoint needs.
    """
    if not path.is_file():
        raise DecoderError(f"there is no file {path}")
    zipped = zipfile.is_zipfile(path)  # as torch saves since 1.6
    try:
        strange = torch.serialization.get_unsafe_globals_in_checkpoint(path) if zipped else []
        with torch.serialization.safe_globals([(Placeholder, name) for name in strange]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        OSError,
    ) as error:
        blocked = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it calls {blocked[1]}" if blocked else "it is cut short, damaged or of another kind"
        raise DecoderError(
            f"{path} cannot be read as a torch checkpoint: {reason}. Copy it again; code in files is never run, so that a "
            "file that needs this is refused"
        ) from error
