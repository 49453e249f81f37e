"""Reconstructions of saved decoders at many lags, whichever kind they are of: images, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tempgen.config.sampling import SamplingConfig
from tempgen.decoders.lags import decoder_kind, load_decoder, predict_lags
from tempgen.errors import DecoderError

if TYPE_CHECKING:
    from tempgen.models.backbone import Backbone

Cell = tuple[int, int]
Progress = Callable[[int], Any]


class Windows(Protocol):
    """BOLD of the trials to decode."""

    def volume(self, offset_tr: int) -> NDArray[np.float32]:
        """The volume ``offset_tr`` TRs after each trial's onset, shape (n_trials, n_voxels)."""
        ...

    def windows(self, delta: int) -> NDArray[np.float32]:
        """Windows shifted by ``delta`` TRs, shape (n_trials, n_tr, n_voxels)."""
        ...


def reconstruct_lags(
    folders: Mapping[int, Path],
    windows: Windows,
    *,
    cells: Collection[Cell],
    start_tr: int,
    image_ids: Sequence[int] | NDArray[np.int64],
    repetitions: Sequence[int] | NDArray[np.int64],
    sampling: SamplingConfig | None = None,
    backbone: Backbone | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Images that saved decoders make of windows at test lags, one cell after the other.

    Parameters
    ----------
    folders : mapping of int to Path
        Train lag -> folder of its decoder, all of one kind. Decoders with networks are loaded one at a time.
    windows : object with ``volume(offset_tr)`` and ``windows(delta)``
        Of the trials to decode.
    cells : collection of (train_delta, test_delta)
        What to compute.
    start_tr : int
        First volume of the unshifted window, as in training.
    image_ids, repetitions : sequence of int, shape (n_trials,)
        Key the initial noise of diffusion: the same at every lag.
    sampling : SamplingConfig, optional
        How tokens become images; a decoder's own unless given.
    backbone : Backbone, optional
        Of diffusion; in memory once for all lags.
    device : str, optional
        Torch device of ridge; None: NumPy.
    progress : callable, optional
        Called with the number of images that were made since it was called last.

    Yields
    ------
    (int, int, array of float32, shape (n_trials, height, width, 3))
        Train lag, test lag and images in [0, 1], at the decoder's own size.

    Raises
    ------
    DecoderError
        If a folder holds no decoder, decoders are of several kinds or of labels, or the backbone is another or missing.
    """
    cells = sorted(cells)
    used = {train: folders[train] for train, _ in cells}
    kinds = {decoder_kind(folder) for folder in used.values()}
    if len(kinds) != 1:
        raise DecoderError(
            f"Decoders of one kind are needed, got {sorted(kinds)}: train them in one analysis."
        )
    noise = {"image_ids": np.asarray(image_ids), "repetitions": np.asarray(repetitions)}
    if kinds == {"dynadiff"}:
        yield from _dynadiff(
            used, windows, cells, noise, sampling=sampling, backbone=backbone, progress=progress
        )
        return
    decoders = {delta: load_decoder(folder) for delta, folder in used.items()}
    meaning = next(iter(decoders.values())).target_
    predictions = predict_lags(
        decoders,
        windows.volume,
        test_deltas=sorted({test for _, test in cells}),
        start_tr=start_tr,
        cells=cells,
        device=device,
    )
    for train, test, predicted in predictions:
        if meaning.kind == "tokens":
            images = _of_tokens(
                meaning, predicted, noise, sampling=sampling, backbone=backbone, progress=progress
            )
        else:
            images = meaning.reconstruct(predicted)
            if progress is not None:
                progress(len(images))
        yield train, test, images


def _dynadiff(
    folders: Mapping[int, Path],
    windows: Windows,
    cells: Sequence[Cell],
    noise: Mapping[str, NDArray[np.int64]],
    *,
    sampling: SamplingConfig | None,
    backbone: Backbone | None,
    progress: Progress | None,
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    from tempgen.decoders.dynadiff import DynadiffDecoder

    n_trials = len(noise["image_ids"])
    for train, folder in sorted(folders.items()):
        decoder = DynadiffDecoder.from_pretrained(folder, backbone)
        backbone = decoder.backbone
        decoder.sampling = sampling or decoder.sampling
        tests = [test for row, test in cells if row == train]
        n_together = max(1, decoder.sampling.batch_size // max(1, n_trials))  # lags that fill a batch
        for first in range(0, len(tests), n_together):
            some = tests[first : first + n_together]
            tokens = np.concatenate([decoder.predict(windows.windows(test)) for test in some])
            images = decoder.reconstruct_tokens(
                tokens,
                **{name: np.tile(values, len(some)) for name, values in noise.items()},
                progress=_increments(progress),
            )
            for test, part in zip(some, np.split(images, len(some)), strict=True):
                yield train, test, part


def _of_tokens(
    meaning: Any,
    predicted: NDArray[np.float32],
    noise: Mapping[str, NDArray[np.int64]],
    *,
    sampling: SamplingConfig | None,
    backbone: Backbone | None,
    progress: Progress | None,
) -> NDArray[np.float32]:
    """Images of a ridge's tokens through the backbone as it is, without an adapter."""
    from tempgen.decoders.dynadiff import hold_no_adapter, images_of_tokens

    if backbone is None:
        raise DecoderError(
            "A ridge to tokens makes images by a backbone: load it with load_backbone and give it."
        )
    meaning.check_backbone(backbone.spec)
    hold_no_adapter(backbone)
    return images_of_tokens(
        backbone,
        predicted.reshape(len(predicted), meaning.n_tokens, meaning.token_dim),
        config=sampling or SamplingConfig(),
        image_ids=noise["image_ids"],
        repetitions=noise["repetitions"],
        progress=_increments(progress),
    )


def _increments(progress: Progress | None) -> Progress | None:
    """Calls with numbers so far become calls with numbers since the last."""
    if progress is None:
        return None
    done = 0

    def call(n_done: int) -> None:
        nonlocal done
        progress(n_done - done)
        done = n_done

    return call
