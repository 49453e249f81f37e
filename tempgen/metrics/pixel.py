"""PixCorr and SSIM: how much of an image's pixels and of its local structure a reconstruction keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.blocks import blocks_of, for_each_block
from tempgen.metrics.checks import check_image_array, check_images
from tempgen.metrics.correlation import correlate_pairs
from tempgen.metrics.gaussian import SSIM_RADIUS, filter_windows

__all__ = ["SsimMoments", "pixcorr", "ssim", "ssim_moments", "ssim_of_moments"]

# Wang et al. 2004, section III-B: K1 = 0.01, K2 = 0.03
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

    def score(block: slice) -> None:  # checked here, while in the cache
        some, theirs = (
            check_images(images[block], name=name).reshape(-1, seen[0].size)
            for images, name in ((seen, "seen"), (reconstructed, "reconstructed"))
        )
        scores[block] = correlate_pairs(some, theirs)

    for_each_block(score, blocks_of(len(seen), values_each=seen[0].size))
    return scores


def ssim(*, seen: NDArray[Any], reconstructed: NDArray[Any]) -> NDArray[np.float32]:
    """Structural similarity of each reconstruction and its seen image, both in grey.

    Equal to ``skimage.metrics.structural_similarity(..., gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1)`` of ``rgb2gray`` images. To score a reconstruction against several
    images, use `ssim_moments` and `ssim_of_moments`.

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

    def score(block: slice) -> None:
        some = check_images(seen[block], name="seen")
        theirs = check_images(reconstructed[block], name="reconstructed")
        scores[block] = _ssim_of_block(_moments_of_block(some), _moments_of_block(theirs))

    for_each_block(score, blocks_of(len(seen), values_each=seen[0, :, :, 0].size))
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
    """Filter images once, for `ssim_of_moments`.

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

    def keep(block: slice) -> None:
        moments = _moments_of_block(images[block])
        grey[block], mean[block], variance[block] = moments.grey, moments.mean, moments.variance

    for_each_block(keep, blocks_of(n_images, values_each=height * width))
    return SsimMoments(grey, mean, variance)


def ssim_of_moments(seen: SsimMoments, reconstructed: SsimMoments) -> NDArray[np.float32]:
    """SSIM of images that belong together, from what `ssim_moments` made of them.

    Parameters
    ----------
    seen, reconstructed : SsimMoments of n images
        In either order: SSIM is symmetric.

    Returns
    -------
    array of float32, shape (n,)
        As `ssim`.

    Raises
    ------
    MetricError
        If numbers or sizes of images differ.
    """
    if seen.grey.shape != reconstructed.grey.shape:
        raise MetricError(
            f"Seen images have shape {seen.grey.shape} in grey, reconstructions {reconstructed.grey.shape}; needed is one "
            "seen image for each reconstruction, resized to its size."
        )
    scores = np.empty(len(seen), dtype=np.float32)

    def score(block: slice) -> None:
        scores[block] = _ssim_of_block(seen[block], reconstructed[block])

    for_each_block(score, blocks_of(len(seen), values_each=seen.grey[0].size))
    return scores


def _moments_of_block(images: NDArray[np.float32]) -> SsimMoments:
    grey = images @ _GREY
    grey -= _OFFSET
    mean = filter_windows(grey)
    variance = filter_windows(grey * grey)
    variance -= mean * mean
    return SsimMoments(grey, mean, variance)


def _ssim_of_block(seen: SsimMoments, reconstructed: SsimMoments) -> NDArray[np.float32]:
    similarity = filter_windows(seen.grey * reconstructed.grey)
    similarity -= seen.mean * reconstructed.mean  # the covariance
    similarity *= 2
    similarity += _C2
    seen_mean, reconstructed_mean = seen.mean + _OFFSET, reconstructed.mean + _OFFSET
    luminance = seen_mean * reconstructed_mean
    luminance *= 2
    luminance += _C1
    similarity *= luminance
    spread = seen.variance + reconstructed.variance
    spread += _C2
    seen_mean *= seen_mean
    reconstructed_mean *= reconstructed_mean
    seen_mean += reconstructed_mean
    seen_mean += _C1
    spread *= seen_mean
    similarity /= spread
    scores: NDArray[np.float32] = similarity.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
    return scores


def _check_pair(*, seen: NDArray[Any], reconstructed: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Shapes alone: values are checked block by block."""
    seen, reconstructed = (
        check_image_array(images, name=name)
        for images, name in ((seen, "seen"), (reconstructed, "reconstructed"))
    )
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
