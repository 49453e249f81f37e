"""Declares the two operators that torchvision describes to torch at import, where torchvision's own do not load.

diffusers, transformers and peft import torchvision if it is installed. A torchvision built for another torch or another
CUDA cannot load its compiled operators, and then even its import fails (``operator torchvision::nms does not exist``),
although none of them is used here. Importing this module first declares them, without an implementation: calling one
still fails, and says so. Where torchvision is absent or whole, it does nothing. `tempgen.models` imports it, so that it
comes before every import of these libraries in the package. torch itself is imported only when torchvision is, so that
what needs neither starts at once.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
OPERATORS = ("torchvision::nms", "torchvision::qnms")

# Operators stay declared as long as the library object that declared them lives.
_declared: list[Any] = []


def declare_missing_operators() -> list[str]:
    """Declare torchvision's operators that torch does not know after torchvision's own library was tried.

    Returns
    -------
    list of str
        What was declared; nothing where torchvision is not installed or its operators load.
    """
    found = importlib.util.find_spec("torchvision")  # finds it without importing it
    if found is None or not found.submodule_search_locations:
        return []
    import torch

    _load_own_library(Path(found.submodule_search_locations[0]))
    missing = [name for name in OPERATORS if not _known(name)]
    if missing:
        library = torch.library.Library("torchvision", "FRAGMENT")
        _declared.append(library)
        for name in missing:
            torch.library.define(name, SCHEMA, lib=library)
    return missing


def _known(name: str) -> bool:
    import torch

    namespace, operator = name.split("::")
    return hasattr(getattr(torch.ops, namespace), operator)


def _load_own_library(folder: Path) -> None:
    """Load torchvision's compiled operators, as its import does; one that does not load stays unknown."""
    import torch

    for path in sorted([*folder.glob("_C*.so"), *folder.glob("_C*.pyd")]):
        try:
            torch.ops.load_library(str(path))
        except OSError:  # built for another torch: exactly the case that declaring is for
            continue


class _BeforeTorchvision(MetaPathFinder):
    """Finds nothing; declares the operators when the first import of torchvision asks it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)  # once is enough, and the declaration looks for torchvision too
            declare_missing_operators()
        return None


if "torchvision" not in sys.modules:
    sys.meta_path.insert(0, _BeforeTorchvision())
