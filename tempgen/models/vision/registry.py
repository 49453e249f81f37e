"""Networks by name: those that come with tempgen, and those that its users add."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from tempgen.errors import NetworkUnavailableError
from tempgen.models.vision.interface import VisionNetwork

__all__ = ["known_networks", "open_network", "register_network"]

Opener = Callable[[str | None], VisionNetwork]
"""Opens a network on a device; None: a GPU where there is one, else the CPU."""

_PACKAGE = "tempgen.models.vision"
# Module of this package that opens each network. Imported when first used: its library may not even be installed.
_BUILT_IN = {
    "alexnet": "torchvision_networks",
    "inception": "torchvision_networks",
    "efficientnet": "torchvision_networks",
    "efficientnet-v2": "torchvision_networks",
    "clip": "clip",
    "swav": "swav",
    "ade20k": "segmentation",
    "dreamsim": "dreamsim",
    "scene_classifier": "scenes",
    "scene_segmenter": "scenes",
}
_CHOOSABLE = ("ade20k", "clip")
"""Networks whose weights can be chosen, by ``NAME:REPOSITORY@REVISION`` or ``NAME:FOLDER``."""

_registered: dict[str, Opener] = {}
_opened: dict[tuple[str, str | None], VisionNetwork] = {}


def known_networks() -> tuple[str, ...]:
    """Names that can be opened, those of tempgen first.

    Examples
    --------
    >>> "alexnet" in known_networks()
    True
    """
    return (*_BUILT_IN, *(name for name in _registered if name not in _BUILT_IN))


def register_network(name: str, open: Callable[[str | None], VisionNetwork]) -> None:
    """Make a network known by name, so that metrics can refer to its layers; the last one of a name counts.

    Parameters
    ----------
    name : str
        Any text without a colon.
    open : callable
        Takes the device (None: a GPU where there is one, else the CPU) and gives the network. Called when first used.

    Raises
    ------
    ValueError
        If the name is empty or has a colon, which stands before chosen weights.
    """
    if not name or ":" in name:
        raise ValueError(f"a network cannot be called {name!r}: give a name without a colon.")
    _registered[name] = open
    for key in [key for key in _opened if key[0] == name]:
        del _opened[key]


def open_network(name: str, *, device: str | None = None) -> VisionNetwork:
    """The network of a name, opened once for each device.

    Parameters
    ----------
    name : str
        One of `known_networks`; ``"ade20k:REPOSITORY@REVISION"`` or ``"ade20k:FOLDER"`` for other weights of the same
        family (so for ``clip``).
    device : str, optional
        A torch device, ``"cpu"`` or ``"cuda:1"``; by default a GPU where there is one, else the CPU.

    Raises
    ------
    NetworkUnavailableError
        If no network has this name, or a package or file that it needs is missing. Names it, and the command that
        fetches it.
    """
    key = (name, device)
    if key not in _opened:
        _opened[key] = _open(name, device)
    return _opened[key]


def _open(name: str, device: str | None) -> VisionNetwork:
    if name in _registered:
        return _registered[name](device)
    family, colon, chosen = name.partition(":")
    if family not in _BUILT_IN:
        raise NetworkUnavailableError(
            f"no network is called {name!r}; known are {', '.join(known_networks())}. "
            "Add your own with tempgen.models.vision.register_network."
        )
    if colon and (family not in _CHOOSABLE or not chosen):
        raise NetworkUnavailableError(
            f"the network {name!r} cannot be opened: weights can be chosen for {' and '.join(_CHOOSABLE)} alone, as in "
            f"'{_CHOOSABLE[0]}:REPOSITORY@REVISION' or '{_CHOOSABLE[0]}:FOLDER'. Use {family!r}."
        )
    opener = import_module(f"{_PACKAGE}.{_BUILT_IN[family]}").open_network
    network: VisionNetwork = opener(family, device, chosen) if colon else opener(family, device)
    return network
