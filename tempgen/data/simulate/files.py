"""Write NSD's kinds of files: whole or not at all, and the same bytes for the same content (no dates, no random names inside)."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempgen.data.nsd_layout import TR_S
from tempgen.data.simulate.anatomy import Anatomy
from tempgen.data.simulate.experiment import N_NSD_IMAGES, N_REPETITIONS, N_SUBJECTS, Experiment
from tempgen.files import whole_file

_MAT_HEADER = "MATLAB 5.0 MAT-file, written by tempgen.data.simulate"
_MAT_HEADER_BYTES = 116
"""Text at the start of a .mat file, where others write a date. Source: MATLAB MAT-file format, level 5."""

_GZIP_LEVEL = 1
"""Noise hardly shrinks: higher levels take longer for nothing."""


def write_nifti(path: Path, values: NDArray[np.int16], anatomy: Anatomy) -> None:
    """Write a volume or a series of volumes as NSD does: int16, diagonal affine, scl_slope 0 (values as they are).

    Parameters
    ----------
    values : array of int16, shape (x, y, z) or (x, y, z, n_volumes)
        A series gets NSD's TR into its header.
    """
    import nibabel as nib

    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(values.shape)
    header.set_qform(anatomy.affine, code="scanner")
    header.set_sform(anatomy.affine, code="scanner")
    header.set_xyzt_units("mm", "sec")
    if values.ndim == 4:
        header.set_zooms((*header.get_zooms()[:3], TR_S))
    header["vox_offset"] = header.single_vox_offset
    header["magic"] = header.single_magic
    header["scl_slope"], header["scl_inter"] = 0, 0
    no_extension = bytes(4)
    with (
        whole_file(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=raw, mtime=0) as compressed,
    ):
        compressed.write(header.binaryblock + no_extension)
        compressed.write(values.astype("<i2", copy=False).tobytes(order="F"))


def write_table(path: Path, rows: NDArray[np.generic], *, number_format: str) -> None:
    """Write numbers as tab-separated text without a header, as NSD's designs and motion parameters are."""
    text = io.StringIO()
    np.savetxt(text, rows, fmt=number_format, delimiter="\t")
    with whole_file(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="ascii")


def write_experiment_design(path: Path, experiment: Experiment) -> None:
    """Write nsd_expdesign.mat: masterordering, subjectim, sharedix, basiccnt and stimpattern, all counted from 1."""
    from scipy.io import savemat

    variables = {
        "masterordering": experiment.ordering[None].astype(np.uint16),
        "subjectim": experiment.subject_images.astype(np.int32),
        "sharedix": experiment.shared_images[None].astype(np.int32),
        "basiccnt": experiment.repetitions_per_session.astype(np.uint16),
        "stimpattern": experiment.stimulus_slots.astype(np.uint8),
    }
    content = io.BytesIO()
    savemat(content, variables, format="5", do_compression=True)
    content.seek(0)
    content.write(_MAT_HEADER.encode("ascii").ljust(_MAT_HEADER_BYTES))
    with whole_file(path) as temporary:
        temporary.write_bytes(content.getvalue())


def write_stimulus_table(path: Path, experiment: Experiment) -> None:
    """Write nsd_stim_info_merged.csv: 73,000 rows, 41 columns; what concerns COCO, where NSD's images are from, is empty of meaning."""
    subjects = range(1, N_SUBJECTS + 1)
    columns = [
        *("", "cocoId", "cocoSplit", "cropBox", "loss", "nsdId", "flagged", "BOLD5000", "shared1000"),
        *(f"subject{subject}" for subject in subjects),
        *(f"subject{subject}_rep{repetition}" for subject in subjects for repetition in range(N_REPETITIONS)),
    ]
    trials = 1 + np.argsort(experiment.ordering, kind="stable").reshape(-1, N_REPETITIONS)  # 0: not shown
    shown_in: dict[int, NDArray[np.int64]] = {}
    for subject, images in enumerate(experiment.subject_images.tolist()):
        for image, of_image in zip(images, trials, strict=True):
            shown_in.setdefault(image, np.zeros((N_SUBJECTS, N_REPETITIONS), dtype=np.int64))[subject] = (
                of_image
            )
    never = _seen_fields(np.zeros((N_SUBJECTS, N_REPETITIONS), dtype=np.int64))
    seen = {image: _seen_fields(of_image) for image, of_image in shown_in.items()}
    shared = set(experiment.shared_images.tolist())
    lines = [
        f'{image - 1},0,simulated,"(0, 0, 0, 0)",0.0,{image - 1},False,False,{image in shared},{seen.get(image, never)}'
        for image in range(1, N_NSD_IMAGES + 1)
    ]
    with whole_file(path) as temporary:
        temporary.write_text("\n".join([",".join(columns), *lines]) + "\n", encoding="ascii")


def _seen_fields(trials: NDArray[np.int64]) -> str:
    """Whether each subject saw an image, then in which trials; shape (8, 3)."""
    return ",".join(map(str, [*trials.any(axis=1).astype(int).tolist(), *trials.ravel().tolist()]))
