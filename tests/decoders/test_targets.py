"""Images to targets and back, against scikit-image and known answers."""

import numpy as np
import pytest
from skimage.transform import downscale_local_mean, resize

from tempgen.decoders.resizing import area_average, upsample_images
from tempgen.decoders.targets import TargetSpec, one_hot, pixel_targets
from tempgen.errors import DecoderError


def _images(height, width, n_images=5):
    return np.random.default_rng(0).integers(0, 256, (n_images, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width", "size"), [(64, 64, 16), (60, 40, 20), (16, 16, 16), (32, 48, 1)])
def test_areas_are_averaged_as_scikit_image_does(height, width, size):
    images = _images(height, width)
    expected = [
        downscale_local_mean(image / 255, (height // size, width // size, 1))
        for image in images.astype(float)
    ]
    np.testing.assert_allclose(area_average(images, size), expected, atol=1e-6)


@pytest.mark.parametrize(("height", "size"), [(425, 64), (5, 3), (7, 2)])
def test_pixels_split_between_areas_count_by_their_share(height, size):
    images = _images(height, height, n_images=2)
    repeated = images.repeat(size, axis=1).repeat(size, axis=2) if height < 50 else None
    averaged = area_average(images, size)
    np.testing.assert_allclose(averaged.mean(axis=(1, 2)), images.mean(axis=(1, 2)) / 255, atol=1e-5)
    if repeated is not None:
        np.testing.assert_allclose(averaged, area_average(repeated, size), atol=1e-6)


def test_floats_give_the_targets_of_the_same_bytes_and_many_images_those_of_few():
    images = _images(32, 32, n_images=150)
    targets = pixel_targets(images, 8)
    assert targets.shape == (150, 8 * 8 * 3)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets, pixel_targets(images / 255, 8), atol=1e-6)
    np.testing.assert_allclose(targets[140:], pixel_targets(images[140:], 8), atol=1e-6)


def test_upsampling_is_bilinear_as_in_scikit_image():
    images = np.random.default_rng(0).random((3, 8, 8, 3)).astype(np.float32)
    expected = [resize(image, (64, 64), order=1, mode="edge", anti_aliasing=False) for image in images]
    np.testing.assert_allclose(upsample_images(images, 64), expected, atol=1e-5)


def test_flat_images_survive_the_way_to_targets_and_back():
    images = np.full((2, 60, 60, 3), (10, 100, 250), dtype=np.uint8)
    spec = TargetSpec("pixels", size=7, image_size=60)
    np.testing.assert_allclose(spec.reconstruct(pixel_targets(images, 7)), images / 255, atol=1e-6)


def test_reconstructions_are_clipped():
    spec = TargetSpec("pixels", size=1, image_size=2)
    np.testing.assert_array_equal(spec.reconstruct([[-1, 0.5, 2]])[0, 0, 0], [0, 0.5, 1])


def test_the_largest_output_is_the_label():
    spec = TargetSpec("labels", names=("boat", "fish"))
    np.testing.assert_array_equal(spec.predict_label([[0.2, 0.1], [-1, 3]]), [0, 1])


@pytest.mark.parametrize(
    "spec",
    [
        TargetSpec("pixels", size=16, image_size=64),
        TargetSpec("labels", names=("boat", "fish")),
        TargetSpec("features"),
        TargetSpec("features", names=("hue",)),
    ],
)
def test_a_target_survives_its_way_through_a_dictionary(spec):
    assert TargetSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "voxels"},
        {"kind": "pixels", "size": 16},
        {"kind": "pixels", "size": 16, "image_size": 64, "names": ["boat"]},
        {"kind": "labels"},
        {"kind": "labels", "names": ["boat"], "colour": 1},
        {"size": 16},
    ],
)
def test_targets_that_lack_something_are_refused(values):
    with pytest.raises(DecoderError):
        TargetSpec.from_dict(values)


def test_unusable_images_labels_and_predictions_are_refused():
    with pytest.raises(DecoderError, match=r"\(n_images, height, width, 3\)"):
        pixel_targets(np.zeros((4, 8, 8)), 2)
    with pytest.raises(DecoderError, match="size=9"):
        pixel_targets(_images(8, 8), 9)
    with pytest.raises(DecoderError, match="range from 0 to 255"):
        pixel_targets(np.array([0.0, 255.0] * 6).reshape(1, 2, 2, 3), 2)
    with pytest.raises(DecoderError, match="from 0 to 2"):
        one_hot([0, 3], 3)
    with pytest.raises(DecoderError, match=r"\(n_trials, 12\)"):
        TargetSpec("pixels", size=2, image_size=4).reconstruct(np.zeros((5, 3)))
    with pytest.raises(DecoderError, match="not labels"):
        TargetSpec("features").predict_label(np.zeros((5, 3)))
