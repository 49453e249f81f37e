"""A trained Dynadiff decoder: windows of BOLD in, tokens and images out; a folder on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from tempgen.config.dynadiff import DynadiffConfig
from tempgen.config.sampling import SamplingConfig
from tempgen.decoders.dynadiff.folder import DecoderFolder, read_folder, write_folder
from tempgen.decoders.dynadiff.module import DynadiffModule
from tempgen.decoders.dynadiff.sampling import images_of_tokens
from tempgen.decoders.dynadiff.slot import adapter_slot
from tempgen.decoders.dynadiff.stream import window_stream
from tempgen.errors import DecoderError
from tempgen.models.backbone import Backbone, load_backbone
from tempgen.models.brain_module import BrainModule


class DynadiffDecoder:
    """Brain module and adapter of one lag on a backbone that it shares with others.

    Decoders of one backbone take turns with its adapter: each puts its own weights there before it samples.

    Parameters
    ----------
    backbone : Backbone
    brain_module : BrainModule
    config : DynadiffConfig
    subject : str
        Whose windows are decoded.
    adapter : mapping of name to Tensor
    null_embedding : Tensor, shape (n_tokens, token_dim)
        Tokens of no condition.

    Attributes
    ----------
    sampling : SamplingConfig
        How tokens become images; another may be set at any time.
    n_tr, n_voxels : int
        Shape of a window.
    provenance : dict
        How the decoder was made, as far as it was said when it was saved.

    Raises
    ------
    DecoderError
        If the backbone has an adapter of another configuration, or the brain module has no layer for the subject.
    """

    def __init__(
        self,
        backbone: Backbone,
        brain_module: BrainModule,
        *,
        config: DynadiffConfig,
        subject: str,
        adapter: Mapping[str, Tensor],
        null_embedding: Tensor,
    ) -> None:
        if subject not in brain_module.n_voxels:
            raise DecoderError(
                f"the brain module has no layer for subject {subject!r}, but for {', '.join(brain_module.n_voxels)}"
            )
        self.backbone, self.config, self.subject = backbone, config, subject
        self.brain_module = brain_module.to(backbone.device).eval().requires_grad_(False)
        self.adapter = dict(adapter)
        self.null_embedding = null_embedding.detach().to(backbone.device, torch.float32)
        self.sampling: SamplingConfig = config.sampling
        self.n_tr, self.n_voxels = brain_module.n_tr, brain_module.n_voxels[subject]
        self.provenance: dict[str, Any] = {}
        self._slot = adapter_slot(backbone, config.adapter)

    @classmethod
    def from_module(cls, module: DynadiffModule) -> Self:
        """The decoder of a finished training, which then lets go of the backbone's adapter.

        The brain module is taken over, the adapter copied.

        Raises
        ------
        DecoderError
            If the module gave the adapter free before.
        """
        if not module.slot.is_trained_by(module):
            raise DecoderError(
                "this module has given the backbone's adapter free: its weights are in the decoder that was made of it"
            )
        adapter = module.slot.copy()
        module.release()
        return cls(
            module.backbone,
            module.brain_module,
            config=module.config,
            subject=module.subject,
            adapter=adapter,
            null_embedding=module.null_embedding,
        )

    @torch.no_grad()
    def predict(self, windows: ArrayLike) -> NDArray[np.float32]:
        """Conditioning tokens of windows: (n, n_tr, n_voxels) -> (n, n_tokens, token_dim).

        Raises
        ------
        DecoderError
            If windows have another width or voxel count than the decoder's, or values that are not finite.
        """
        bold = _finite(windows)
        if bold.shape[1:] != (self.n_tr, self.n_voxels):
            raise DecoderError(
                f"windows have {bold.shape[1]} TRs of {bold.shape[2]} voxels, this decoder was trained on {self.n_tr} TRs "
                f"of the {self.n_voxels} voxels of subject {self.subject}: decode its own subject, in windows of its width"
            )
        spec, size = self.backbone.spec, self.sampling.batch_size
        tokens = np.empty((len(bold), spec.n_tokens, spec.token_dim), dtype=np.float32)
        for start in range(0, len(bold), size):
            some = torch.from_numpy(bold[start : start + size]).to(self.backbone.device)
            tokens[start : start + size] = self.brain_module(some, self.subject).float().cpu().numpy()
        return tokens

    def reconstruct(
        self,
        windows: ArrayLike,
        *,
        image_ids: Sequence[int] | NDArray[np.int64] | None = None,
        repetitions: Sequence[int] | NDArray[np.int64] | None = None,
        progress: Callable[[int], Any] | None = None,
    ) -> NDArray[np.float32]:
        """Images that windows say were seen.

        Parameters
        ----------
        windows : array, shape (n, n_tr, n_voxels)
            Of any lags together.
        image_ids, repetitions : sequence of int, length n, optional
            Key the initial noise, which depends on nothing else but ``sampling.seed``: same image, same noise at each lag.
            Without them the n windows are images 0 .. n - 1, and repetition 0.
        progress : callable, optional
            Called with the number of images done, after each batch.

        Returns
        -------
        array of float32, shape (n, image_size, image_size, 3)
            In [0, 1].

        Raises
        ------
        DecoderError
            As `predict`; or if the backbone's adapter is being trained.
        """
        return self.reconstruct_tokens(
            self.predict(windows), image_ids=image_ids, repetitions=repetitions, progress=progress
        )

    def reconstruct_tokens(
        self,
        tokens: NDArray[np.float32],
        *,
        image_ids: Sequence[int] | NDArray[np.int64] | None = None,
        repetitions: Sequence[int] | NDArray[np.int64] | None = None,
        progress: Callable[[int], Any] | None = None,
    ) -> NDArray[np.float32]:
        """Images of tokens (n, n_tokens, token_dim) that `predict` gave; else as `reconstruct`."""
        self._slot.hold(self.adapter)
        return images_of_tokens(
            self.backbone,
            tokens,
            config=self.sampling,
            image_ids=image_ids,
            repetitions=repetitions,
            null_tokens=self.null_embedding,
            progress=progress,
        )

    def reconstruct_stream(
        self, volumes: Iterable[ArrayLike], *, image_id: int = 0, repetition: int = 0
    ) -> Iterator[NDArray[np.float32]]:
        """Images of a running recording: one volume per TR in, the image of the window that ends with it out.

        Parameters
        ----------
        volumes : iterable of array, shape (n_voxels,)
            Preprocessed as the training's were. Read one at a time, when the next image is asked for.
        image_id, repetition : int
            Key the initial noise, the same for all images of the stream.

        Yields
        ------
        array of float32, shape (image_size, image_size, 3)
            From the ``n_tr``-th volume on, one a volume.

        Raises
        ------
        DecoderError
            If a volume has another number of voxels, or values that are not finite; it names the volume.
        """
        for window in window_stream(volumes, n_tr=self.n_tr, n_voxels=self.n_voxels):
            yield self.reconstruct(window[None], image_ids=[image_id], repetitions=[repetition])[0]

    def save_pretrained(self, folder: Path | str, *, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write config.json, model.safetensors and a model card; the folder appears whole or not at all.

        Parameters
        ----------
        folder : Path or str
            An older decoder there stays until the new one is whole.
        provenance : mapping, optional
            How the decoder was made: plain values, shown in the card. A mapping ``metrics`` becomes its table.
        """
        self.provenance = dict(self.provenance if provenance is None else provenance)
        write_folder(
            Path(folder),
            DecoderFolder(
                config=self.config,
                subject=self.subject,
                n_voxels=self.brain_module.n_voxels,
                n_tr=self.n_tr,
                backbone=self.backbone.spec,
                brain_module=self.brain_module.state_dict(),
                adapter=self.adapter,
                null_embedding=self.null_embedding,
                provenance=self.provenance,
            ),
        )
        return Path(folder)

    @classmethod
    def from_pretrained(
        cls,
        folder: Path | str,
        backbone: Backbone | None = None,
        *,
        device: torch.device | str | None = None,
    ) -> Self:
        """Load what :meth:`save_pretrained` wrote.

        Parameters
        ----------
        folder : Path or str
        backbone : Backbone, optional
            One in memory that other decoders use as well; without it the decoder loads its own, to ``device``.

        Raises
        ------
        DecoderError
            If the folder or a file is missing, another format wrote it, tensors do not fit, or the backbone is another.
        """
        stored = read_folder(Path(folder))
        if backbone is None:
            where = stored.config.backbone_folder or stored.config.backbone
            backbone = load_backbone(where, device=device, parts=("vae", "unet"))
        stored.check_backbone(backbone.spec)
        decoder = cls(
            backbone,
            stored.new_brain_module(),
            config=stored.config,
            subject=stored.subject,
            adapter={name: tensor.to(backbone.device) for name, tensor in stored.adapter.items()},
            null_embedding=stored.null_embedding,
        )
        decoder._slot.hold(decoder.adapter)  # so that an adapter that does not fit is refused now
        decoder.provenance = stored.provenance
        return decoder


def _finite(windows: ArrayLike) -> NDArray[np.float32]:
    bold = np.ascontiguousarray(windows, dtype=np.float32)
    if bold.ndim != 3:
        raise DecoderError(f"windows have shape {bold.shape}; needed is (n_trials, n_tr, n_voxels)")
    if not np.isfinite(bold).all():
        trial = int(np.argwhere(~np.isfinite(bold))[0, 0])
        raise DecoderError(
            f"the windows have {int(np.count_nonzero(~np.isfinite(bold)))} values that are not finite, the first in trial "
            f"{trial}: leave out trials whose windows reach beyond their run, and voxels that were not measured"
        )
    return bold
