"""Resizing against torch, and against what must not change."""

import numpy as np
import pytest

from tempgen.errors import MetricError
from tempgen.metrics.resizing import resize_images


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize(("shape", "size"), [((40, 56), 16), ((40, 56), 23), ((12, 31), 50), ((33, 17), 32)])
def test_resizing_equals_torchs_bilinear_interpolation(shape, size, antialias):
    torch = pytest.importorskip("torch")
    images = np.random.default_rng(0).random((3, *shape, 3)).astype(np.float32)
    pixels = torch.from_numpy(images).movedim(-1, 1)
    expected = torch.nn.functional.interpolate(pixels, (size, size), mode="bilinear", antialias=antialias)
    resized = resize_images(images, size, antialias=antialias)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, expected.movedim(1, -1).numpy(), atol=1e-5)


def test_with_antialiasing_it_equals_pillow():
    from PIL import Image

    images = np.random.default_rng(0).random((1, 50, 70, 3)).astype(np.float32)
    for colour in range(3):
        channel = Image.fromarray(images[0, :, :, colour]).resize((24, 24), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(resize_images(images, 24)[0, :, :, colour], np.asarray(channel), atol=1e-5)


def test_images_of_the_right_size_come_back_untouched():
    images = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
    assert resize_images(images, 16) is images


def test_values_stay_within_their_range():
    images = (np.random.default_rng(0).random((2, 37, 37, 3)) > 0.5).astype(np.float32)
    for size in (16, 90):
        resized = resize_images(images, size)
        assert resized.min() >= 0
        assert resized.max() <= 1 + 1e-6


def test_no_pixels_are_refused():
    with pytest.raises(MetricError, match="at least 1"):
        resize_images(np.zeros((1, 4, 4, 3), np.float32), 0)
