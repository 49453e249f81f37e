"""Windows of a running recording: a buffer of the latest volumes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.errors import DecoderError


def window_stream(volumes: Iterable[ArrayLike], *, n_tr: int, n_voxels: int) -> Iterator[NDArray[np.float32]]:
    """The window that ends with each volume, from the ``n_tr``-th volume on.

    Parameters
    ----------
    volumes : iterable of array, shape (n_voxels,)
        One per TR, read one at a time.

    Yields
    ------
    array of float32, shape (n_tr, n_voxels)
        A new array each time.

    Raises
    ------
    DecoderError
        If a volume has another shape, or values that are not finite.

    Examples
    --------
    >>> for window in window_stream(np.eye(3), n_tr=2, n_voxels=3):
    ...     print(window.argmax(axis=1))
    [0 1]
    [1 2]
    """
    latest: deque[NDArray[np.float32]] = deque(maxlen=n_tr)
    for number, volume in enumerate(volumes):
        bold = np.array(volume, dtype=np.float32)  # a copy: a scanner's buffer may be written again
        if bold.shape != (n_voxels,):
            raise DecoderError(
                f"volume {number} of the stream has shape {bold.shape}; needed is ({n_voxels},), the decoder's voxels"
            )
        if not np.isfinite(bold).all():
            raise DecoderError(
                f"volume {number} of the stream has {int(np.count_nonzero(~np.isfinite(bold)))} values that are not finite: "
                "preprocess it as the training was, and start a new stream"
            )
        latest.append(bold)
        if len(latest) == n_tr:
            yield np.stack(latest)
