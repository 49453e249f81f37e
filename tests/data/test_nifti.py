"""Reading NIfTI files as streams, against nibabel and nilearn, and refusing what is broken."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tempgen.data.nifti import read_header, read_masked_run, read_volume_3d
from tempgen.errors import SourceDataError

SHAPE = (5, 6, 4, 9)
AFFINE = np.diag([1.8, 1.8, 1.8, 1.0])
HAXBY = Path(__file__).parents[3] / "shared" / "real" / "haxby2001_pymvpa"


def write_run(
    path, *, dtype="int16", byte_order="<", tr=4 / 3, time_unit="sec", image_type=nibabel.Nifti1Image
):
    """A run of random numbers."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 100, SHAPE) if dtype.startswith("u") else rng.normal(0, 30, SHAPE)
    header = image_type.header_class(endianness=byte_order)
    header.set_data_dtype(dtype)
    image = image_type(values.astype(dtype), AFFINE, header)
    image.header.set_xyzt_units("mm", time_unit)
    image.header.set_zooms((1.8, 1.8, 1.8, tr))
    nibabel.save(image, path)
    return path


def set_scaling(path, *, slope, inter, image_type=nibabel.Nifti1Image):
    """Write a slope and an intercept over those of an uncompressed file."""
    with path.open("r+b") as stream:
        header = image_type.header_class.from_fileobj(stream)
        header["scl_slope"], header["scl_inter"] = slope, inter
        stream.seek(0)
        stream.write(header.binaryblock)


def some_mask():
    return np.random.default_rng(1).random(SHAPE[:3]) > 0.6


def expected(path, mask):
    return nibabel.load(path).get_fdata()[mask].T


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
)
def test_every_real_type_and_byte_order_is_read_as_nibabel_reads_it(tmp_path, name, byte_order, dtype):
    path = write_run(tmp_path / name, dtype=dtype, byte_order=byte_order)
    series = read_masked_run(path, some_mask())
    assert read_header(path).dtype == np.dtype(dtype).newbyteorder(byte_order)
    assert series.dtype == np.float32
    np.testing.assert_allclose(series, expected(path, some_mask()), rtol=1e-6)


@pytest.mark.parametrize("image_type", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize(("slope", "inter"), [(0.25, 0.0), (2.0, -1000.0), (1.0, 3.5)])
def test_slope_and_intercept_are_applied(tmp_path, image_type, slope, inter):
    path = write_run(tmp_path / "run.nii", image_type=image_type)
    stored = expected(path, some_mask())
    set_scaling(path, slope=slope, inter=inter, image_type=image_type)
    header = read_header(path)
    assert (header.slope, header.inter) == (slope, inter)
    np.testing.assert_allclose(read_masked_run(path, some_mask()), slope * stored + inter, rtol=1e-6)
    np.testing.assert_allclose(read_masked_run(path, some_mask()), expected(path, some_mask()), rtol=1e-6)


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_a_slope_of_zero_or_nan_says_not_scaled(tmp_path, slope):
    path = write_run(tmp_path / "run.nii")
    stored = expected(path, some_mask())
    set_scaling(path, slope=slope, inter=7.0)
    assert (read_header(path).slope, read_header(path).inter) == (1.0, 0.0)
    np.testing.assert_array_equal(read_masked_run(path, some_mask()), stored)


def test_voxels_come_in_the_order_of_nonzero_and_of_nilearn(tmp_path):
    from nilearn.maskers import NiftiMasker

    volume = np.arange(np.prod(SHAPE[:3]), dtype=np.int16).reshape(SHAPE[:3])
    path = tmp_path / "run.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.stack([volume, volume + 1], axis=-1), AFFINE), path)
    mask = some_mask()
    series = read_masked_run(path, mask)
    np.testing.assert_array_equal(series[0], volume[np.nonzero(mask)])
    masker = NiftiMasker(nibabel.Nifti1Image(mask.astype(np.int16), AFFINE), standardize=None, reports=False)
    np.testing.assert_array_equal(series, masker.fit_transform(path))


def test_trailing_volumes_are_dropped(tmp_path):
    path = write_run(tmp_path / "run.nii.gz")
    np.testing.assert_array_equal(read_masked_run(path, some_mask(), n_tr=7), expected(path, some_mask())[:7])


def test_a_gzip_file_of_several_members_is_read_whole(tmp_path):
    plain = write_run(tmp_path / "run.nii").read_bytes()
    path = tmp_path / "members.nii.gz"
    path.write_bytes(gzip.compress(plain[:1000]) + gzip.compress(plain[1000:]))
    np.testing.assert_array_equal(read_masked_run(path, some_mask()), expected(path, some_mask()))


@pytest.mark.parametrize(
    ("tr", "time_unit", "tr_s"),
    [
        (2.2, "sec", 2.2),
        (2200.0, "msec", 2.2),
        (2.2e6, "usec", 2.2),
        (2.2, "unknown", None),
        (2.2, "hz", None),
        (0, "sec", None),
    ],
)
def test_the_tr_is_given_in_seconds_or_not_at_all(tmp_path, tr, time_unit, tr_s):
    header = read_header(write_run(tmp_path / "run.nii.gz", tr=tr, time_unit=time_unit))
    assert header.tr_s == (None if tr_s is None else pytest.approx(tr_s, rel=1e-12))


def test_the_header_gives_shape_and_affine(tmp_path):
    header = read_header(write_run(tmp_path / "run.nii.gz"))
    assert header.shape == SHAPE
    np.testing.assert_array_equal(header.affine, AFFINE.astype(np.float32))


def test_a_missing_run_is_refused(tmp_path):
    with pytest.raises(SourceDataError, match=r"run\.nii\.gz is missing"):
        read_masked_run(tmp_path / "run.nii.gz", some_mask())


def test_a_link_to_contents_not_yet_fetched_says_so(tmp_path):
    path = tmp_path / "run.nii.gz"
    path.symlink_to(tmp_path / "annex")
    with pytest.raises(SourceDataError, match="datalad get"):
        read_header(path)


@pytest.mark.parametrize("contents", [b"", b"no image", gzip.compress(b"no image" * 100, mtime=0)])
def test_a_file_that_is_not_nifti_is_refused(tmp_path, contents):
    path = tmp_path / "run.nii.gz"
    path.write_bytes(contents)
    with pytest.raises(SourceDataError, match=r"cannot be read as NIfTI.*\.nii\.gz file is needed"):
        read_header(path)


def test_another_image_format_is_refused(tmp_path):
    path = tmp_path / "run.mgz"
    nibabel.save(nibabel.MGHImage(np.zeros(SHAPE, dtype=np.float32), AFFINE), path)
    with pytest.raises(SourceDataError, match="MGHImage"):
        read_header(path)


@pytest.mark.parametrize("shape", [(5, 6, 4), (5, 6, 4, 0), (5, 6, 4, 1, 3)])
def test_a_run_without_four_dimensions_is_refused(tmp_path, shape):
    path = tmp_path / "run.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, dtype=np.int16), AFFINE), path)
    with pytest.raises(SourceDataError, match="four dimensions"):
        read_header(path)


def test_complex_values_are_refused(tmp_path):
    path = tmp_path / "run.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros(SHAPE, dtype=np.complex64), AFFINE), path)
    with pytest.raises(SourceDataError, match=r"complex64.*one real number"):
        read_header(path)


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.999])
def test_a_truncated_gzip_file_is_refused_even_where_its_volumes_are_not_needed(tmp_path, kept):
    path = write_run(tmp_path / "run.nii.gz", dtype="float32")
    contents = path.read_bytes()
    path.write_bytes(contents[: int(len(contents) * kept)])
    with pytest.raises(SourceDataError, match=r"truncated or corrupt.*download it again"):
        read_masked_run(path, some_mask(), n_tr=1)


def test_a_gzip_file_that_lost_only_its_checksum_is_refused(tmp_path):
    path = write_run(tmp_path / "run.nii.gz")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(SourceDataError, match="truncated or corrupt"):
        read_masked_run(path, some_mask())


def test_any_damaged_byte_of_the_compressed_volumes_is_noticed(tmp_path):
    path = write_run(tmp_path / "run.nii.gz", dtype="float32")
    contents = path.read_bytes()
    for position in np.random.default_rng(0).integers(800, len(contents), 50):
        damaged = bytearray(contents)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(SourceDataError, match="truncated or corrupt"):
            read_masked_run(path, some_mask())


@pytest.mark.parametrize("compress", [gzip.compress, bytes])
def test_fewer_volumes_than_the_header_says_are_refused(tmp_path, compress):
    contents = write_run(tmp_path / "whole.nii").read_bytes()
    path = tmp_path / ("run.nii.gz" if compress is gzip.compress else "run.nii")
    path.write_bytes(compress(contents[: 352 + 6 * 2 * 120 + 10]))  # six volumes of 120 int16, and a bit
    with pytest.raises(SourceDataError, match="after 6 whole volumes and its header says 9"):
        read_masked_run(path, some_mask(), n_tr=5)


@pytest.mark.parametrize("n_tr", [0, 10])
def test_more_volumes_than_there_are_cannot_be_kept(tmp_path, n_tr):
    with pytest.raises(SourceDataError, match=f"has 9 volumes; {n_tr} are needed"):
        read_masked_run(write_run(tmp_path / "run.nii.gz"), some_mask(), n_tr=n_tr)


def test_a_mask_of_another_shape_is_refused(tmp_path):
    with pytest.raises(SourceDataError, match=r"shape \(6, 5, 4\).*\(5, 6, 4\).*one grid"):
        read_masked_run(write_run(tmp_path / "run.nii.gz"), np.ones((6, 5, 4), dtype=bool))


def test_an_empty_mask_is_refused(tmp_path):
    with pytest.raises(SourceDataError, match="no voxel inside"):
        read_masked_run(write_run(tmp_path / "run.nii.gz"), np.zeros(SHAPE[:3], dtype=bool))


def test_a_mask_of_labels_is_refused(tmp_path):
    with pytest.raises(SourceDataError, match="mask > 0"):
        read_masked_run(write_run(tmp_path / "run.nii.gz"), np.ones(SHAPE[:3], dtype=np.int16))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_the_first_volume_that_is_not_finite_in_float32_is_named(tmp_path, value):
    values = np.ones(SHAPE)
    values[2, 3, 1, 4:] = value
    path = tmp_path / "run.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), path)
    mask = np.zeros(SHAPE[:3], dtype=bool)
    mask[2, 3] = True
    with pytest.raises(
        SourceDataError, match=r"volume 4 \(from 0\) is NaN or infinite in 1 of the mask's 4 voxels"
    ):
        read_masked_run(path, mask)
    mask[2, 3, 1] = False  # what lies outside the mask does not matter
    np.testing.assert_array_equal(read_masked_run(path, mask), 1)


def test_a_mask_or_atlas_keeps_its_integers(tmp_path):
    labels = np.random.default_rng(0).integers(-1, 8, SHAPE[:3]).astype(np.int16)
    for name, stored in {"a.nii.gz": labels, "b.nii": labels[..., None]}.items():
        nibabel.save(nibabel.Nifti1Image(stored, AFFINE), tmp_path / name)
        volume, affine = read_volume_3d(tmp_path / name)
        assert volume.dtype == np.int16
        np.testing.assert_array_equal(volume, labels)
        np.testing.assert_array_equal(affine, AFFINE.astype(np.float32))


def test_a_series_is_no_mask(tmp_path):
    with pytest.raises(SourceDataError, match="one volume"):
        read_volume_3d(write_run(tmp_path / "run.nii.gz"))


def test_a_truncated_atlas_is_refused(tmp_path):
    path = tmp_path / "roi.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.random.default_rng(0).random((20, 20, 20)), AFFINE), path)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(SourceDataError, match="truncated or corrupt"):
        read_volume_3d(path)
    with pytest.raises(SourceDataError, match="missing"):
        read_volume_3d(tmp_path / "lh.roi.nii.gz")


@pytest.mark.skipif(
    not HAXBY.is_dir(), reason="the real recording lies beside the repository on some machines only"
)
def test_a_real_run_is_read_as_nibabel_reads_it():
    path = HAXBY / "sub001" / "BOLD" / "task001_run001" / "bold_1slice.nii.gz"
    labels, _ = read_volume_3d(HAXBY / "mask_1slice.nii.gz")
    assert read_header(path).tr_s == 2.5
    np.testing.assert_array_equal(read_masked_run(path, labels > 0), expected(path, labels > 0))
