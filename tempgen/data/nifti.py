"""NIfTI files: the header, the masked series of a run, and 3-D masks and atlases.

A run of BOLD is read as a stream, volume by volume, because a masked series is a small part of it: NSD's nsdgeneral
keeps 2 % of the voxels. Memory holds the masked series and one volume, whatever the length of the run, and most of the
time is decompression, for which ISA-L (python-isal) is about twice as fast as zlib (``benchmarks/prepare.py``).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
from isal import igzip, isal_zlib
from numpy.typing import NDArray

from tempgen.errors import SourceDataError

if TYPE_CHECKING:
    from nibabel.arrayproxy import ArrayProxy
    from nibabel.nifti1 import Nifti1Image

TIME_UNIT_BITS = 0x38
"""Bits of ``xyzt_units`` that hold the unit of time (XYZT_TO_TIME in nifti1.h)."""
SECONDS_PER_TIME_UNIT = {8: 1.0, 16: 1e-3, 24: 1e-6}
"""NIFTI_UNITS_SEC, NIFTI_UNITS_MSEC and NIFTI_UNITS_USEC of nifti1.h."""
READ_BYTES = 1 << 20
"""Bytes asked for at a time where the contents do not matter."""
DECOMPRESSION_ERRORS: tuple[type[Exception], ...] = (
    EOFError,
    zlib.error,
    cast("type[Exception]", isal_zlib.error),  # python-isal's stub takes the class for an instance
    igzip.BadGzipFile,
)
CONTENT_ERRORS: tuple[type[Exception], ...] = (*DECOMPRESSION_ERRORS, OSError, ValueError)


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """What the header of a 4-D NIfTI file says.

    Attributes
    ----------
    shape : tuple of int
        (x, y, z, t).
    tr_s : float or None
        Seconds between volumes; None where the header gives no unit of time or no positive duration.
    affine : array, shape (4, 4)
        Voxel indices to millimetres.
    dtype : numpy.dtype
        Of the stored values, with their byte order.
    offset : int
        Bytes before the first voxel, after decompression.
    slope, inter : float
        A value is ``slope * stored + inter``. A slope of 0, which says "not scaled", is given as 1 and 0.
    """

    shape: tuple[int, int, int, int]
    tr_s: float | None
    affine: NDArray[np.float64]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float


def read_header(path: Path) -> NiftiHeader:
    """Header of a run of BOLD.

    Parameters
    ----------
    path : Path
        A 4-D file, ``.nii`` or ``.nii.gz``, NIfTI-1 or NIfTI-2, of real numbers.

    Raises
    ------
    SourceDataError
        If the file is missing, is not NIfTI, is not 4-D, holds no volumes, or holds complex numbers or colours.
    """
    image = _open_image(path)
    if len(image.shape) != 4 or 0 in image.shape:
        raise SourceDataError(
            f"{path} has shape {image.shape}; a run of BOLD needs four dimensions (x, y, z, t), none of them empty. "
            "Give the 4-D series of the run."
        )
    proxy = cast("ArrayProxy", image.dataobj)
    dtype = np.dtype(proxy.dtype)
    if dtype.kind not in "iuf":
        raise SourceDataError(
            f"{path} holds values of type {dtype}; BOLD needs one real number a voxel. Export its magnitude."
        )
    x, y, z, t = (int(size) for size in image.shape)
    return NiftiHeader(
        shape=(x, y, z, t),
        tr_s=_tr_s(image),
        affine=np.asarray(image.affine, dtype=np.float64),
        dtype=dtype,
        offset=int(proxy.offset),
        slope=float(proxy.slope),
        inter=float(proxy.inter),
    )


def read_masked_run(path: Path, mask: NDArray[np.bool_], *, n_tr: int | None = None) -> NDArray[np.float32]:
    """Time series of the voxels inside a mask.

    The whole file is read, also beyond ``n_tr``, so that its length and its checksum are known to be right.

    Parameters
    ----------
    path : Path
        A 4-D file, ``.nii`` or ``.nii.gz``, of any real type, byte order and scaling.
    mask : array of bool, shape (x, y, z)
        Voxels to keep.
    n_tr : int, optional
        Volumes to keep, from the first; by default all.

    Returns
    -------
    array of float32, shape (n_tr, n_voxels)
        In the units of the file (scaled by its slope and intercept), exact for 16-bit integers without scaling.
        Voxels in the order of ``np.nonzero(mask)``, the last axis of the mask varying fastest.

    Raises
    ------
    SourceDataError
        If the file is missing, truncated or corrupt, has fewer volumes than ``n_tr`` or than its header says, or has
        values inside the mask that are NaN or infinite; if the mask is empty, is not boolean or has another shape.
    """
    header = read_header(path)
    n_tr = header.shape[3] if n_tr is None else n_tr
    if not 1 <= n_tr <= header.shape[3]:
        raise SourceDataError(
            f"{path} has {header.shape[3]} volumes; {n_tr} are needed. Check that design and run belong together."
        )
    _check_mask(mask, header.shape[:3], path)
    # the file has the first axis fastest, the mask's own order the last
    voxel_in_file = np.ravel_multi_index(np.nonzero(mask), mask.shape, order="F")
    series = np.empty((n_tr, voxel_in_file.size), dtype=np.float32)
    volume_bytes = mask.size * header.dtype.itemsize
    try:
        with _open_stream(path) as stream:
            _skip(stream, header.offset)
            for tr in range(header.shape[3]):
                volume = stream.read(volume_bytes)
                if len(volume) < volume_bytes:
                    raise _truncated(path, header, n_whole=tr)
                if tr < n_tr:
                    # too large for float32 becomes infinite, and is then refused
                    with np.errstate(over="ignore"):
                        series[tr] = _scaled(np.frombuffer(volume, dtype=header.dtype)[voxel_in_file], header)
                    _check_finite(series[tr], path, tr)
            while stream.read(READ_BYTES):  # to the end, where gzip keeps its checksum
                pass
    except DECOMPRESSION_ERRORS as error:
        raise SourceDataError(
            f"{path} is truncated or corrupt: {error}. Its compressed contents must be whole; copy or download it "
            "again."
        ) from error
    except OSError as error:
        raise SourceDataError(
            f"{path} cannot be read: {error}. Check the disk and the permissions."
        ) from error
    return series


def read_volume_3d(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """One volume: a mask or an atlas of regions.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``; a fourth dimension of length 1 is dropped.

    Returns
    -------
    volume : array, shape (x, y, z)
        Integers as stored where the file has no scaling, else float64.
    affine : array, shape (4, 4)
        Voxel indices to millimetres.

    Raises
    ------
    SourceDataError
        If the file is missing, not NIfTI, truncated or corrupt, or has more than one volume.
    """
    image = _open_image(path)
    shape = image.shape[:3]
    if len(shape) != 3 or any(size != 1 for size in image.shape[3:]):
        raise SourceDataError(f"{path} has shape {image.shape}; a mask or atlas needs one volume (x, y, z).")
    try:
        volume = np.asarray(image.dataobj).reshape(shape)
    except CONTENT_ERRORS as error:
        raise SourceDataError(
            f"{path} is truncated or corrupt: {error}. Its contents must be whole; copy or download it again."
        ) from error
    return volume, np.asarray(image.affine, dtype=np.float64)


def _open_image(path: Path) -> Nifti1Image:
    """The file as nibabel sees it; reads the header only."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    if not path.is_file():
        link = " (a link to contents that are not here; fetch them, with `datalad get` for instance)"
        hint = link if path.is_symlink() else ". Check the folder, or download the file"
        raise SourceDataError(f"{path} is missing: a NIfTI file is needed{hint}.")
    header_errors: tuple[type[Exception], ...] = (*CONTENT_ERRORS, ImageFileError, HeaderDataError)
    try:
        image = nibabel.load(path)
    except header_errors as error:
        raise SourceDataError(
            f"{path} cannot be read as NIfTI: {error}. A whole .nii or .nii.gz file is needed; copy or download it "
            "again."
        ) from error
    if not isinstance(image, nibabel.Nifti1Image):
        raise SourceDataError(
            f"{path} is a file of type {type(image).__name__}; a NIfTI file (.nii or .nii.gz) is needed. Convert it."
        )
    return image


def _tr_s(image: Nifti1Image) -> float | None:
    """Seconds between volumes, or None where the header does not say."""
    unit_s = SECONDS_PER_TIME_UNIT.get(int(image.header["xyzt_units"]) & TIME_UNIT_BITS)
    step = np.float32(image.header["pixdim"][4])
    if unit_s is None or not np.isfinite(step) or step <= 0:
        return None
    return float(str(step)) * unit_s  # the shortest decimal: 2.2, not 2.200000047683716


def _open_stream(path: Path) -> IO[bytes]:
    """The decompressed bytes; like nibabel, goes by the name."""
    return igzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _skip(stream: IO[bytes], n_bytes: int) -> None:
    while n_bytes > 0:
        block = stream.read(min(n_bytes, READ_BYTES))
        if not block:
            return  # the first volume will be found missing
        n_bytes -= len(block)


def _scaled(stored: NDArray[Any], header: NiftiHeader) -> NDArray[Any]:
    """Values of stored numbers, in float64 if they are scaled."""
    if header.slope == 1.0 and header.inter == 0.0:
        return stored
    return stored.astype(np.float64) * header.slope + header.inter


def _check_mask(mask: NDArray[np.bool_], shape: tuple[int, ...], path: Path) -> None:
    if mask.dtype != np.bool_:
        raise SourceDataError(
            f"The mask has dtype {mask.dtype}; bool is needed. Say which values are inside: mask > 0."
        )
    if mask.shape != shape:
        raise SourceDataError(
            f"The mask has shape {mask.shape} and the volumes of {path} have {shape}; they must be on one grid. "
            "Use a mask of the same space and resolution, or resample it."
        )
    if not mask.any():
        raise SourceDataError(
            "The mask has no voxel inside; at least one is needed. Check the ROI's name and labels."
        )


def _check_finite(values: NDArray[np.float32], path: Path, tr: int) -> None:
    n_bad = values.size - int(np.isfinite(values).sum())
    if n_bad:
        raise SourceDataError(
            f"{path}: volume {tr} (from 0) is NaN or infinite in {n_bad} of the mask's {values.size} voxels; finite "
            "values are needed. Repair the run, leave it out, or take these voxels out of the mask."
        )


def _truncated(path: Path, header: NiftiHeader, *, n_whole: int) -> SourceDataError:
    return SourceDataError(
        f"{path} is truncated: it ends after {n_whole} whole volumes and its header says {header.shape[3]}. "
        "Copy or download it again."
    )
