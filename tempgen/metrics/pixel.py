"""PixCorr and SSIM: how much of an image's pixels and of its local structure a reconstruction keeps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.checks import NO_IMAGE, check_images, check_target_image
from tempgen.metrics.correlation import standardize_rows

__all__ = ["SsimMoments", "pixcorr", "ssim", "ssim_from_moments", "ssim_moments"]

_BLOCK_VALUES = (
    2**17
)  # values worked on at once: 0.5 MB for each array of float32, so that they stay in the cache
_STRIP = 16  # windows along a side that one product filters: small enough for BLAS to stay on one thread, where it is fastest

# Wang et al. 2004, section III-B: Gaussian window of 11 x 11 pixels with sigma 1.5, K1 = 0.01, K2 = 0.03
SSIM_SIGMA = 1.5
SSIM_RADIUS = 5  # int(3.5 * sigma + 0.5), where scikit-image truncates its window
_C1 = np.float32(0.01**2)  # (K1 * data range)^2
_C2 = np.float32(0.03**2)  # (K2 * data range)^2
_GREY = np.array([0.2125, 0.7154, 0.0721], dtype=np.float32)  # ITU-R BT.709 as in skimage.color.rgb2gray
_OFFSET = np.float32(0.5)  # second moments about mid-grey lose fewer digits than about black


def pixcorr(*, seen: NDArray[Any], reconstructed: NDArray[Any]) -> NDArray[np.float32]:
    """Pearson correlation between the pixels of each reconstruction and of its seen image.

    Parameters
    ----------
    seen, reconstructed : array of float, shape (n, height, width, 3)
        RGB in [0, 1]. The three colours form one vector.

    Returns
    -------
    array of float32, shape (n,)
        From -1 to 1; 0 if one of the two images is of one colour throughout its channels (no linear relation). Chance is not 0:
        images have structure in common, see `shuffled_chance`.

    Raises
    ------
    MetricError
        If shapes differ, images are not RGB, or values are not finite floats in [0, 1].

    Source
    ------
    Ozcelik and VanRullen 2023 (Brain-Diffuser), doi:10.1038/s41598-023-42891-8.

    Examples
    --------
    >>> image = np.linspace(0, 1, 48).reshape(1, 4, 4, 3)
    >>> pixcorr(seen=image, reconstructed=1 - image).round(3)
    array([-1.], dtype=float32)
    """
    seen, reconstructed = _check_pair(seen=seen, reconstructed=reconstructed)
    scores = np.empty(len(seen), dtype=np.float32)
    for block in _blocks(len(seen), values_each=seen[0].size):
        rows = [standardize_rows(images[block].reshape(-1, seen[0].size)) for images in (seen, reconstructed)]
        scores[block] = (rows[0] * rows[1]).sum(axis=1)
    return scores


def ssim(*, seen: NDArray[Any], reconstructed: NDArray[Any]) -> NDArray[np.float32]:
    """Structural similarity of each reconstruction and its seen image, both in grey.

    Equal to ``skimage.metrics.structural_similarity(..., gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1)`` of ``rgb2gray`` images. To score a reconstruction against several
    images, use `ssim_moments` and `ssim_from_moments`.

    Parameters
    ----------
    seen, reconstructed : array of float, shape (n, height, width, 3)
        RGB in [0, 1], at least 11 pixels a side.

    Returns
    -------
    array of float32, shape (n,)
        At most 1, for equal images. Chance is not 0, see `shuffled_chance`.

    Raises
    ------
    MetricError
        If shapes differ, images are smaller than the window or not RGB, or values are not finite floats in [0, 1].

    Source
    ------
    Wang et al. 2004, doi:10.1109/TIP.2003.819861; settings of Brain-Diffuser.

    Examples
    --------
    >>> image = np.linspace(0, 1, 768).reshape(1, 16, 16, 3)
    >>> ssim(seen=image, reconstructed=image)
    array([1.], dtype=float32)
    """
    seen, reconstructed = _check_pair(seen=seen, reconstructed=reconstructed)
    _check_window(seen.shape)
    scores = np.empty(len(seen), dtype=np.float32)
    for block in _blocks(len(seen), values_each=seen[0, :, :, 0].size):
        moments = _moments_of_block(reconstructed[block])
        scores[block] = _ssim_of_block(_moments_of_block(seen[block]), moments)
    return scores


@dataclass(frozen=True)
class SsimMoments:
    """What SSIM needs of one image alone, filtered once and reused for every image it is compared with.

    Attributes
    ----------
    grey : array of float32, shape (n, height, width)
        Grey values minus 0.5.
    mean, variance : array of float32, shape (n, height - 10, width - 10)
        Under each Gaussian window that lies inside the image; the mean is that of ``grey``.
    """

    grey: NDArray[np.float32]
    mean: NDArray[np.float32]
    variance: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.grey)

    def __getitem__(self, chosen: slice | NDArray[np.intp]) -> SsimMoments:
        """Moments of some of the images."""
        return SsimMoments(self.grey[chosen], self.mean[chosen], self.variance[chosen])


def ssim_moments(images: NDArray[Any]) -> SsimMoments:
    """Filter images once, for `ssim_from_moments`.

    Parameters
    ----------
    images : array of float, shape (n, height, width, 3)
        RGB in [0, 1], at least 11 pixels a side.

    Returns
    -------
    SsimMoments
        About as large as the images.

    Raises
    ------
    MetricError
        If images are smaller than the window or not RGB, or values are not finite floats in [0, 1].
    """
    images = check_images(images, name="images")
    _check_window(images.shape)
    n_images, height, width, _ = images.shape
    inside = (n_images, height - 2 * SSIM_RADIUS, width - 2 * SSIM_RADIUS)
    grey = np.empty((n_images, height, width), dtype=np.float32)
    mean, variance = np.empty(inside, dtype=np.float32), np.empty(inside, dtype=np.float32)
    for block in _blocks(n_images, values_each=height * width):
        moments = _moments_of_block(images[block])
        grey[block], mean[block], variance[block] = moments.grey, moments.mean, moments.variance
    return SsimMoments(grey, mean, variance)


def ssim_from_moments(
    *, seen: SsimMoments, seen_image: NDArray[Any], reconstructed: SsimMoments
) -> NDArray[np.float32]:
    """Structural similarity of each reconstruction and one image of a pool; one filter a pair.

    Parameters
    ----------
    seen : SsimMoments of n_images
        The pool of distinct seen images.
    seen_image : array of int, shape (n_trials,)
        Position in the pool of the image to compare with; -1 for none.
    reconstructed : SsimMoments of n_trials

    Returns
    -------
    array of float32, shape (n_trials,)
        As `ssim`; NaN where there is no image to compare with.

    Raises
    ------
    MetricError
        If image sizes differ or an index lies outside the pool.
    """
    if seen.grey.shape[1:] != reconstructed.grey.shape[1:]:
        raise MetricError(
            f"Seen images are {seen.grey.shape[1:]} pixels, reconstructions {reconstructed.grey.shape[1:]}; "
            "resize one of them first."
        )
    seen_image = check_target_image(seen_image, n_trials=len(reconstructed), n_images=len(seen))
    scores = np.full(len(reconstructed), np.nan, dtype=np.float32)
    for block in _blocks(len(reconstructed), values_each=reconstructed.grey[0].size):
        trials = np.arange(len(reconstructed))[block]
        trials = trials[seen_image[trials] != NO_IMAGE]
        scores[trials] = _ssim_of_block(seen[seen_image[trials]], reconstructed[trials])
    return scores


def _moments_of_block(images: NDArray[np.float32]) -> SsimMoments:
    grey = images @ _GREY - _OFFSET
    mean = _filter_windows(grey)
    variance = _filter_windows(grey * grey) - mean * mean
    return SsimMoments(grey, mean, variance)


def _ssim_of_block(seen: SsimMoments, reconstructed: SsimMoments) -> NDArray[np.float32]:
    covariance = _filter_windows(seen.grey * reconstructed.grey) - seen.mean * reconstructed.mean
    seen_mean, reconstructed_mean = seen.mean + _OFFSET, reconstructed.mean + _OFFSET
    luminance = (2 * seen_mean * reconstructed_mean + _C1) / (seen_mean**2 + reconstructed_mean**2 + _C1)
    structure = (2 * covariance + _C2) / (seen.variance + reconstructed.variance + _C2)
    luminance *= structure
    scores: NDArray[np.float32] = luminance.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
    return scores


def _filter_windows(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gaussian-weighted means under all windows inside the images, G X G^T, (n, h, w) -> (n, h - 10, w - 10).

    G is banded, 11 weights a row, and is applied in strips of rows: the cost per pixel does not grow with the image.
    """
    n_images, height, width = images.shape
    margin = 2 * SSIM_RADIUS
    across = np.empty((n_images, height, width - margin), dtype=np.float32)
    for strip in _strips(width - margin):
        windows = window_matrix(strip.stop - strip.start + margin)
        np.matmul(images[:, :, strip.start : strip.stop + margin], windows.T, out=across[:, :, strip])
    filtered = np.empty((n_images, height - margin, width - margin), dtype=np.float32)
    for strip in _strips(height - margin):
        windows = window_matrix(strip.stop - strip.start + margin)
        np.matmul(windows, across[:, strip.start : strip.stop + margin], out=filtered[:, strip])
    return filtered


def _strips(n_pixels: int) -> list[slice]:
    return [slice(first, min(first + _STRIP, n_pixels)) for first in range(0, n_pixels, _STRIP)]


@lru_cache(maxsize=8)
def window_matrix(n_pixels: int) -> NDArray[np.float32]:
    """Gaussian windows along one side of an image, one a row.

    Parameters
    ----------
    n_pixels : int
        Length of the side, at least 11.

    Returns
    -------
    array of float32, shape (n_pixels - 10, n_pixels)
        Rows sum to 1. Not writeable: it is shared.
    """
    weights = np.exp(-0.5 * (np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1) / SSIM_SIGMA) ** 2)
    weights /= weights.sum()
    matrix = np.zeros((n_pixels - 2 * SSIM_RADIUS, n_pixels), dtype=np.float32)
    for row in range(len(matrix)):
        matrix[row, row : row + len(weights)] = weights
    matrix.flags.writeable = False
    return matrix


def _check_pair(
    *, seen: NDArray[Any], reconstructed: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    seen, reconstructed = check_images(seen, name="seen"), check_images(reconstructed, name="reconstructed")
    if seen.shape != reconstructed.shape:
        raise MetricError(
            f"Seen images have shape {seen.shape}, reconstructions {reconstructed.shape}; "
            "needed is one seen image for each reconstruction, of its size."
        )
    return seen, reconstructed


def _check_window(shape: tuple[int, ...]) -> None:
    width = 2 * SSIM_RADIUS + 1
    if min(shape[1:3]) < width:
        raise MetricError(
            f"Images are {shape[1]} x {shape[2]} pixels, but SSIM's window is {width} x {width}; "
            "reconstruct larger images or leave SSIM out."
        )


def _blocks(n_images: int, *, values_each: int) -> list[slice]:
    size = max(1, _BLOCK_VALUES // values_each)
    return [slice(first, first + size) for first in range(0, n_images, size)]
