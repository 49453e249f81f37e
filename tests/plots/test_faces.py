"""Faces are blurred where OpenCV is there, and nothing else is touched; without it images stay as they are, with a word."""

import numpy as np
import pytest
import xarray as xr

from tempgen.plots import faces
from tempgen.plots.faces import blur_faces, with_blurred_faces


@pytest.fixture
def found(monkeypatch):
    """A detector that finds a face in images whose corner is bright, instead of OpenCV's."""
    place = (slice(4, 12), slice(6, 14))
    monkeypatch.setattr(faces, "can_blur_faces", lambda: True)
    monkeypatch.setattr(faces, "_faces", lambda image: [place] if image[0, 0, 0] > image.max() / 2 else [])
    return place


def pictures(dtype):
    images = np.random.default_rng(0).random((2, 3, 20, 20, 3))
    images[..., 0, 0, 0] = 0
    images[1, 2, 0, 0, 0] = 1
    return (images * 255).astype(np.uint8) if dtype == np.uint8 else images.astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_face_is_blurred_and_nothing_else(found, dtype):
    images = pictures(dtype)
    before = images.copy()
    blurred = blur_faces(images)
    np.testing.assert_array_equal(images, before)
    assert blurred.dtype == dtype
    assert blurred.shape == images.shape
    changed = (blurred != images).any(axis=-1)
    assert changed[1, 2][found].mean() > 0.9
    changed[1, 2][found] = False
    assert not changed.any()
    face = (1, 2, *found)
    assert blurred[face].std() < 0.3 * images[face].std()


def test_images_of_lags_have_seen_and_reconstructed_faces_blurred(found):
    shown = pictures(np.uint8)
    dims = ("test_delta", "trial", "row", "column", "rgb")
    images = xr.Dataset({"reconstruction": (dims, shown), "seen": (("target", *dims[1:]), shown[::-1])})
    blurred = with_blurred_faces(images)
    assert (blurred["reconstruction"] != images["reconstruction"]).any()
    assert (blurred["seen"] != images["seen"]).any()
    assert blurred["seen"].dims == images["seen"].dims


def test_without_opencv_images_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(faces, "find_spec", lambda name: None)
    images = pictures(np.uint8)
    assert blur_faces(images) is images
    shown = xr.Dataset({"seen": (("target", "trial", "row", "column", "rgb"), images)})
    with pytest.warns(UserWarning, match="faces are not blurred"):
        xr.testing.assert_identical(with_blurred_faces(shown), shown)


def test_cascade_finds_the_face_of_a_portrait():
    pytest.importorskip("cv2")
    portrait = pytest.importorskip("skimage.data").astronaut()[::2, ::2]  # 256 x 256, comes with scikit-image
    ((rows, columns),) = faces._faces(portrait)
    assert rows.start < 55 < rows.stop  # the nose
    assert columns.start < 112 < columns.stop
    small = portrait[::2, ::2]
    blurred = blur_faces(np.stack([small, np.zeros_like(small)]))
    assert (blurred[0] != small).any(axis=-1).mean() < 0.2
    assert (blurred[0] != small).any()
    assert not blurred[1].any()
