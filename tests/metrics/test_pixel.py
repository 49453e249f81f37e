"""PixCorr and SSIM against scikit-image, NumPy and known answers."""

import numpy as np
import pytest
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from tempgen.errors import MetricError
from tempgen.metrics import pixcorr, ssim, ssim_moments, ssim_of_moments


def _smooth_images(n_images, shape, seed=0):
    """Images with structure at several scales, as photographs have, and flat and saturated regions."""
    rng = np.random.default_rng(seed)
    height, width = shape
    coarse = rng.random((n_images, -(-height // 8), -(-width // 8), 3))
    images = np.kron(coarse, np.ones((1, 8, 8, 1)))[:, :height, :width]
    images = (
        images * 1.6 - 0.3 + 0.1 * rng.standard_normal(images.shape) * (rng.random((n_images, 1, 1, 1)) > 0.5)
    )
    return np.clip(images, 0, 1).astype(np.float32)


def _skimage_ssim(seen, reconstructed):
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    return np.array(
        [
            structural_similarity(rgb2gray(one.astype(float)), rgb2gray(other.astype(float)), **settings)
            for one, other in zip(seen, reconstructed, strict=True)
        ]
    )


@pytest.mark.parametrize("shape", [(11, 11), (16, 27), (64, 64), (101, 64)])
def test_ssim_equals_scikit_image_on_images_of_any_size(shape):
    seen = _smooth_images(12, shape)
    reconstructed = np.clip(0.6 * seen + 0.4 * _smooth_images(12, shape, seed=1), 0, 1)
    ours = ssim(seen=seen, reconstructed=reconstructed)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, _skimage_ssim(seen, reconstructed), atol=1e-5)


def test_ssim_equals_scikit_image_on_flat_and_on_saturated_images():
    levels = np.array([0.0, 0.1, 0.5, 0.9, 1.0], dtype=np.float32)
    flat = np.broadcast_to(levels[:, None, None, None], (5, 20, 20, 3)).copy()
    almost_flat = np.clip(flat + 1e-3 * np.random.default_rng(0).standard_normal(flat.shape), 0, 1).astype(
        np.float32
    )
    for other in (flat[::-1].copy(), almost_flat, _smooth_images(5, (20, 20))):
        np.testing.assert_allclose(
            ssim(seen=flat, reconstructed=other), _skimage_ssim(flat, other), atol=1e-4
        )


def test_ssim_of_an_image_with_itself_is_one_and_of_its_negative_is_below_zero():
    images = _smooth_images(6, (32, 32))
    np.testing.assert_allclose(ssim(seen=images, reconstructed=images), 1, atol=1e-6)
    assert (ssim(seen=images, reconstructed=1 - images) < 0).all()


def test_filtering_the_pool_once_gives_the_same_ssim_for_any_target():
    pool = _smooth_images(9, (24, 24))
    reconstructed = _smooth_images(50, (24, 24), seed=2)
    seen_image = np.random.default_rng(0).integers(9, size=50)
    once = ssim_of_moments(ssim_moments(pool)[seen_image], ssim_moments(reconstructed))
    np.testing.assert_array_equal(once, ssim(seen=pool[seen_image], reconstructed=reconstructed))


def test_scores_do_not_depend_on_how_many_images_are_scored_together():
    seen, reconstructed = _smooth_images(400, (24, 24)), _smooth_images(400, (24, 24), seed=3)
    for metric in (pixcorr, ssim):
        together = metric(seen=seen, reconstructed=reconstructed)
        alone = [metric(seen=seen[[k]], reconstructed=reconstructed[[k]])[0] for k in (0, 199, 399)]
        np.testing.assert_allclose(together[[0, 199, 399]], alone, atol=1e-6)


def test_pixcorr_equals_numpy_over_all_pixels_and_colours():
    seen, reconstructed = _smooth_images(20, (30, 40)), _smooth_images(20, (30, 40), seed=4)
    expected = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(seen, reconstructed, strict=True)]
    np.testing.assert_allclose(pixcorr(seen=seen, reconstructed=reconstructed), expected, atol=1e-6)


@pytest.mark.parametrize("contrast", [1e-1, 1e-3])
def test_pixcorr_of_large_images_of_little_contrast_equals_numpy_in_float64(contrast):
    rng = np.random.default_rng(0)
    seen = (0.9 + contrast * (rng.random((4, 101, 90, 3)) - 0.5)).astype(np.float32)
    reconstructed = (0.3 * seen + 0.2 * contrast * rng.random(seen.shape)).astype(np.float32)
    pairs = zip(seen.astype(float), reconstructed.astype(float), strict=True)
    expected = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in pairs]
    np.testing.assert_allclose(pixcorr(seen=seen, reconstructed=reconstructed), expected, atol=1e-6)


def test_pixcorr_ignores_brightness_and_contrast():
    images = _smooth_images(5, (16, 16))
    np.testing.assert_allclose(pixcorr(seen=images, reconstructed=0.3 * images + 0.5), 1, atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.1, 1 / 3, 1.0])
def test_pixcorr_of_a_constant_image_is_zero_not_nan(level):
    images = _smooth_images(4, (16, 16))
    constant = np.full_like(images, level)
    np.testing.assert_array_equal(pixcorr(seen=images, reconstructed=constant), 0)
    np.testing.assert_array_equal(pixcorr(seen=constant, reconstructed=constant), 0)


@pytest.mark.parametrize("metric", [pixcorr, ssim])
@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda images: (255 * images).astype(np.uint8), "uint8.*divide bytes by 255"),
        (lambda images: images * 255, "ranges from .* Clip"),
        (lambda images: images - 0.5, r"needed is \[0, 1\]"),
        (lambda images: np.where(images > 0.5, np.nan, images), "not finite"),
        (lambda images: np.concatenate([images, images[..., :1]], axis=-1), "no alpha"),
        (lambda images: images[..., 0], "one image|no alpha"),
        (lambda images: images[0], "one image"),
        (lambda images: images[:0], "no pixels"),
        (lambda images: images[:-1], "one seen image for each"),
        (lambda images: images[:, :-1], "of its size"),
    ],
)
def test_images_that_cannot_be_compared_are_refused_with_what_to_do(metric, spoil, complaint):
    images = _smooth_images(4, (16, 16))
    with pytest.raises(MetricError, match=complaint):
        metric(seen=images, reconstructed=spoil(images))


def test_ssim_refuses_images_smaller_than_its_window():
    images = _smooth_images(2, (10, 30))
    with pytest.raises(MetricError, match=r"10 x 30 pixels.*11 x 11"):
        ssim(seen=images, reconstructed=images)
    with pytest.raises(MetricError, match="11 x 11"):
        ssim_moments(images)


def test_seen_and_reconstructed_cannot_be_swapped_by_position():
    images = _smooth_images(2, (16, 16))
    with pytest.raises(TypeError):
        ssim(images, images)


def test_ssim_of_moments_refuses_images_of_another_size_or_number():
    small, large = ssim_moments(_smooth_images(2, (16, 16))), ssim_moments(_smooth_images(2, (20, 16)))
    with pytest.raises(MetricError, match="resize"):
        ssim_of_moments(small, large)
    with pytest.raises(MetricError, match="one seen image for each reconstruction"):
        ssim_of_moments(small[:1], small)
