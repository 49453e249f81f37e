"""Features of images on disk, so that no image goes through one network twice: not at another lag, not another day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.files import whole_file
from tempgen.models.vision.interface import VisionNetwork

__all__ = ["FeatureCache"]


class FeatureCache:
    """A folder with one file for each image and layer of each network.

    Files are keyed by what the image shows (BLAKE2 of its float32 bytes and its shape, as it goes into the network) and by
    the network's name, weights and preprocessing: a network with other weights never finds them. They appear whole or not
    at all, so that several processes can share a folder, and a file that cannot be read is made again. Nothing is ever
    deleted: delete the folder to start anew. The layers of the suite ``paper`` take about 2 MB an image.

    Parameters
    ----------
    folder : Path
        Made when the first features are written.

    Examples
    --------
    >>> cache = FeatureCache(Path("features"))
    >>> cache.features(open_network("alexnet"), images, ["features.4"])  # doctest: +SKIP
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def features(
        self, network: VisionNetwork, images: NDArray[np.float32], layers: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """What ``network.features(images, layers)`` gives; only what is not on disk yet is computed, in one pass.

        Images that occur twice go through the network once.

        Parameters
        ----------
        network : VisionNetwork
        images : array of float32, shape (n, height, width, 3)
        layers : sequence of str

        Returns
        -------
        dict of str to array
            As they come from the network, in the order of ``layers``.

        Raises
        ------
        NetworkUnavailableError, MetricError
            As the network raises them.
        OSError
            If the folder cannot be written.
        """
        images = np.asarray(images)
        if not len(images):
            return network.features(images, layers)
        place = self._place(network)
        keys = [_key_of(image) for image in images]
        first = {key: row for row, key in reversed(list(enumerate(keys)))}  # key to the first row that has it
        found = {layer: _read_all(place / _as_name(layer), first) for layer in layers}
        missing = sorted({row for layer in layers for key, row in first.items() if key not in found[layer]})
        if missing:
            wanted = [layer for layer in layers if len(found[layer]) < len(first)]
            computed = network.features(images[missing], wanted)
            for layer in wanted:
                for row, values in zip(missing, computed[layer], strict=True):
                    if keys[row] not in found[layer]:
                        _write(_file(place / _as_name(layer), keys[row]), values)
                        found[layer][keys[row]] = values
        return {layer: np.stack([found[layer][key] for key in keys]) for layer in layers}

    def _place(self, network: VisionNetwork) -> Path:
        """Folder of a network with its weights, which a text file in it names."""
        identity = f"{network.name}\n{network.weights}\n{network.preprocessing}\n"
        place = self.folder / f"{_as_name(network.name)}-{_digest(identity.encode(), size=6)}"
        note = place / "network.txt"
        if not note.exists():
            with whole_file(note) as temporary:
                temporary.write_text(identity, encoding="utf-8")
        return place


def _key_of(image: NDArray[np.float32]) -> str:
    return _digest(str(image.shape).encode(), np.ascontiguousarray(image, dtype=np.float32))


def _digest(*parts: Any, size: int = 16) -> str:
    digest = blake2b(digest_size=size)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _as_name(text: str) -> str:
    """A name of a network or layer as that of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)


def _file(folder: Path, key: str) -> Path:
    return folder / key[:2] / f"{key}.npy"  # 256 folders, as file systems like it


def _write(path: Path, values: NDArray[Any]) -> None:
    with whole_file(path) as temporary:
        np.save(temporary, values)


def _read_all(folder: Path, keys: Any) -> dict[str, NDArray[Any]]:
    """Features of one layer that are on disk, by key; what cannot be read or has another shape than most is left out."""
    found: dict[str, NDArray[Any]] = {}
    for key in keys:
        try:
            found[key] = np.load(_file(folder, key), allow_pickle=False)
        except (OSError, ValueError, EOFError):  # not there, or damaged: computed (again)
            continue
    kinds = [(values.shape, values.dtype.str) for values in found.values()]
    usual = max(set(kinds), key=kinds.count) if kinds else None
    return {key: values for key, values in found.items() if (values.shape, values.dtype.str) == usual}
