"""Pairs of seen and reconstructed images in folders, as other people's reconstructions come: one file an image.

A pair is two files of one name, whatever their format: ``seen/0001.png`` and ``reconstructed/0001.jpg``. Seen images are
told apart by their pixels, not by their names: one that was shown twice is one image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm.auto import tqdm

from tempgen.errors import SourceDataError

SEEN, RECONSTRUCTED = "seen", "reconstructed"
"""Folders of a folder of pairs."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_NAMED = 5  # files that a message names before it counts

Fit = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Images (n, height, width, 3) to the size at which they are compared."""


@dataclass(frozen=True)
class PairFiles:
    """Two files that belong together."""

    name: str
    seen: Path
    reconstructed: Path


@dataclass(frozen=True)
class ImagePairs:
    """Pairs in memory.

    Attributes
    ----------
    names : tuple of str
        Of the pairs, ascending.
    seen : array of float32, shape (n_images, height, width, 3)
        Distinct seen images in [0, 1], in the order of their first pair.
    image_of : array of int, shape (n_pairs,)
        Position in ``seen`` of each pair's image.
    reconstructed : array of float32, shape (n_pairs, height, width, 3)
        In [0, 1].
    source_sizes : tuple of str
        Sizes of the files, ``"512 x 512"``, ascending.
    fingerprint : str
        Changes with any name or pixel of any pair.
    """

    names: tuple[str, ...]
    seen: NDArray[np.float32]
    image_of: NDArray[np.int64]
    reconstructed: NDArray[np.float32]
    source_sizes: tuple[str, ...]
    fingerprint: str


def find_image_pairs(folder: Path, *, seen: Path | None = None) -> list[PairFiles]:
    """Files that belong together, by name without suffix, ascending.

    Parameters
    ----------
    folder : Path
        Holds the folders ``seen`` and ``reconstructed``; the reconstructions themselves if ``seen`` is given.
    seen : Path, optional
        Folder of the seen images.

    Raises
    ------
    SourceDataError
        If a folder is missing or has no images, two files have one name, or a file has no partner.
    """
    reconstructed = folder
    if seen is None:
        seen, reconstructed = folder / SEEN, folder / RECONSTRUCTED
        if not (seen.is_dir() and reconstructed.is_dir()):
            raise SourceDataError(
                f"{folder} holds no folders {SEEN}/ and {RECONSTRUCTED}/ of images with the same names (and is no store of "
                "'tempgen reconstruct'). Name the folder of the seen images (--seen) if they lie elsewhere."
            )
    seen_files, reconstructed_files = _images_in(seen), _images_in(reconstructed)
    for ours, others, other in (
        (seen_files, reconstructed_files, reconstructed),
        (reconstructed_files, seen_files, seen),
    ):
        alone = [str(path) for name, path in ours.items() if name not in others]
        if alone:
            raise SourceDataError(
                f"{_listed(alone)} {'has' if len(alone) == 1 else 'have'} no partner of the same name in {other}: "
                "each pair is one file in either folder; add or remove what is missing."
            )
    return [PairFiles(name, path, reconstructed_files[name]) for name, path in seen_files.items()]


def read_image_pairs(
    files: Sequence[PairFiles], *, fit: Fit | None = None, folders_differ: bool = False
) -> ImagePairs:
    """Read pairs file by file; in memory are the images at the size at which they are compared.

    Parameters
    ----------
    files : sequence of PairFiles
        From `find_image_pairs`.
    fit : callable, optional
        Brings images to one size. Without it all files must have one.
    folders_differ : bool
        Seen images may have another size than reconstructions; without ``fit`` the files of either folder must have one.

    Raises
    ------
    SourceDataError
        If a file is no RGB image of 8 bits, has another size than the others (without ``fit``) or other proportions than
        its partner, or fewer than two of the seen images differ.
    """
    seen: list[NDArray[np.float32]] = []
    reconstructed: list[NDArray[np.float32]] = []
    position: dict[bytes, int] = {}
    image_of: list[int] = []
    sizes = _Sizes(any_size=fit is not None, folders_differ=folders_differ)
    whole = blake2b(digest_size=16)
    for pair in tqdm(files, desc="read", unit="pair", disable=None):
        shown, decoded = read_image(pair.seen), read_image(pair.reconstructed)
        sizes.check(pair, shown, decoded)
        key = _content(shown)
        if key not in position:
            position[key] = len(seen)
            seen.append(_as_floats(shown, fit))
        image_of.append(position[key])
        reconstructed.append(_as_floats(decoded, fit))
        whole.update(pair.name.encode() + b"\0" + key + _content(decoded))
    if len(seen) < 2:
        where = files[0].seen.parent if files else "the folder"
        raise SourceDataError(
            f"{where} shows {len(seen)} distinct image(s) in {len(files)} pair(s); needed are at least 2, one to tell "
            "another from."
        )
    return ImagePairs(
        names=tuple(pair.name for pair in files),
        seen=np.stack(seen),
        image_of=np.array(image_of),
        reconstructed=np.stack(reconstructed),
        source_sizes=sizes.listed(),
        fingerprint=whole.hexdigest(),
    )


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file as bytes.

    Returns
    -------
    array of uint8, shape (height, width, 3)
        RGB, turned upright where the file says how. A palette is resolved, an alpha channel dropped if it is opaque everywhere.

    Raises
    ------
    SourceDataError
        If it cannot be read, is grey, has transparent pixels, more than 8 bits a channel, several frames, or other colours than RGB.
    """
    try:
        with Image.open(path) as file:
            deep = _is_deep(file)
            n_frames = getattr(file, "n_frames", 1)
            image = ImageOps.exif_transpose(file)
            image.load()
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SourceDataError(f"{path} cannot be read as an image: {error}.") from error
    if deep:
        raise SourceDataError(
            f"{path} has more than 8 bits a channel: save it as RGB of 8 bits, values scaled as they were shown."
        )
    if n_frames != 1:
        raise SourceDataError(f"{path} has {n_frames} frames; a pair is two still images.")
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode == "RGBA":
        if image.getchannel("A").getextrema() != (255, 255):
            raise SourceDataError(
                f"{path} has transparent pixels (4 channels, RGBA): put it on the background that was shown, and save it as RGB."
            )
        image = image.convert("RGB")
    if image.mode != "RGB":
        kind = "grey" if image.mode in ("1", "L", "LA") else f"of the colour mode {image.mode}"
        raise SourceDataError(f"{path} is {kind}; needed is RGB: convert it as it was shown.")
    return np.asarray(image)


def _is_deep(file: Image.Image) -> bool:
    """Whether a file has more than 8 bits a channel; Pillow itself opens colours of 16 bits as if they had 8."""
    packed = [
        args if isinstance(args := tile[3], str) else str(args and args[0])
        for tile in getattr(file, "tile", ())
    ]
    return file.mode[:1] in ("I", "F") or any(";16" in raw and not raw.startswith("BGR") for raw in packed)


def _images_in(folder: Path) -> dict[str, Path]:
    """Image files of a folder by name without suffix, ascending."""
    if not folder.is_dir():
        raise SourceDataError(f"There is no folder {folder}: name one that holds images.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in found:
            raise SourceDataError(
                f"{found[path.stem]} and {path} have one name; pairs are found by name without suffix: keep one of them."
            )
        found[path.stem] = path
    if not found:
        raise SourceDataError(f"{folder} has no images; read are files that end in {', '.join(SUFFIXES)}.")
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


class _Sizes:
    """Collects the sizes of files and refuses those that cannot be compared."""

    def __init__(self, *, any_size: bool, folders_differ: bool) -> None:
        self._any_size, self._folders_differ = any_size, folders_differ
        self._files: dict[tuple[Path | None, int, int], Path] = {}

    def check(self, pair: PairFiles, shown: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> None:
        for path, image in ((pair.seen, shown), (pair.reconstructed, decoded)):
            folder = path.parent if self._folders_differ else None
            size = (folder, image.shape[0], image.shape[1])
            self._files.setdefault(size, path)
            others = [known for known in self._files if known[0] == folder and known != size]
            if others and not self._any_size:
                raise SourceDataError(
                    f"{path} has {_words(size)} pixels, {self._files[others[0]]} has {_words(others[0])}; the suite compares "
                    "images as they come: resize them, or choose a suite with a size of its own."
                )
        if shown.shape[0] * decoded.shape[1] != shown.shape[1] * decoded.shape[0]:
            raise SourceDataError(
                f"{pair.reconstructed} has {decoded.shape[0]} x {decoded.shape[1]} pixels and so other proportions than "
                f"{pair.seen} ({shown.shape[0]} x {shown.shape[1]}): crop one of them to what the other shows."
            )

    def listed(self) -> tuple[str, ...]:
        """Each size once, ascending."""
        return tuple(f"{height} x {width}" for height, width in sorted({size[1:] for size in self._files}))


def _words(size: tuple[Path | None, int, int]) -> str:
    return f"{size[1]} x {size[2]}"


def _content(image: NDArray[np.uint8]) -> bytes:
    return blake2b(str(image.shape).encode() + image.tobytes(), digest_size=16).digest()


def _as_floats(image: NDArray[np.uint8], fit: Fit | None) -> NDArray[np.float32]:
    floats = image.astype(np.float32)[np.newaxis] / np.float32(255)
    return (floats if fit is None else fit(floats))[0]
