"""Ridge as an estimator and as a folder: scikit-learn's manners, Hugging Face's files.

The numbers come from :mod:`tempgen.decoders.ridge_solver`; this module gives one fitted lag a name, a place on disk and
a meaning for its outputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from tempgen._version import __version__
from tempgen.config.sampling import SamplingConfig
from tempgen.decoders.model_card import model_card
from tempgen.decoders.ridge_fit import RidgeFit
from tempgen.decoders.ridge_prediction import predict_ridge_lags
from tempgen.decoders.ridge_solver import fit_ridge_lags
from tempgen.decoders.targets import TargetSpec
from tempgen.errors import DecoderError
from tempgen.files import whole_folder

if TYPE_CHECKING:
    from tempgen.models.backbone import Backbone

DECODER_FORMAT = 1
"""Changes when an older decoder folder can no longer be read."""
WEIGHTS = "model.safetensors"


class RidgeDecoder(RegressorMixin, BaseEstimator):
    """Ridge regression from windows of BOLD, its penalty chosen on held-out training runs.

    Parameters
    ----------
    alphas : sequence of float
        Penalties, in units of the mean squared norm of a centred training window.
    n_folds : int
        Folds of held-out runs; 1 holds out a fifth of the runs once.
    alpha_per_target : bool
        Choose the penalty for each output (of tokens: each principal component) instead of one for all.
    device : str or None
        None: NumPy; else torch on that device.

    Attributes
    ----------
    coef_ : array of float32, shape (n_tr, n_voxels, n_targets)
    intercept_ : array of float32, shape (n_targets,)
    alpha_ : array of float64, shape (n_targets,)
    cv_error_ : array of float64, shape (n_alphas, n_targets)
    target_ : TargetSpec
        What the outputs mean; unnamed features unless it was given or loaded.
    """

    def __init__(
        self,
        alphas: Sequence[float] = (0.1, 1.0, 10.0),
        n_folds: int = 3,
        alpha_per_target: bool = False,
        device: str | None = None,
    ) -> None:
        self.alphas = alphas
        self.n_folds = n_folds
        self.alpha_per_target = alpha_per_target
        self.device = device

    def fit(self, X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Fit on windows of one lag.

        Parameters
        ----------
        X : array, shape (n_trials, n_tr, n_voxels)
            BOLD windows.
        y : array, shape (n_trials, n_targets)
            What to predict.
        groups : array, shape (n_trials,), optional
            Run of each trial: whole runs are held out to choose the penalty. May be left out with a single alpha.

        Raises
        ------
        DecoderError
            If shapes do not match, values are not finite, or there are too few runs.
        """
        windows = _windows(X)
        ((_, fit),) = fit_ridge_lags(
            lambda offset: windows[:, offset],
            y,
            deltas=[0],
            start_tr=0,
            n_tr=windows.shape[1],
            alphas=self.alphas,
            groups=groups,
            n_folds=self.n_folds,
            alpha_per_target=self.alpha_per_target,
            device=self.device,
        )
        return self._take(fit)

    @classmethod
    def from_fit(cls, fit: RidgeFit, *, target: TargetSpec | None = None, **params: Any) -> Self:
        """A decoder from one lag of :func:`~tempgen.decoders.ridge_solver.fit_ridge_lags`."""
        return cls(**params)._take(fit, target)

    def _take(self, fit: RidgeFit, target: TargetSpec | None = None) -> Self:
        self.fit_ = fit
        self.coef_, self.intercept_ = fit.coef, fit.intercept
        self.alpha_, self.cv_error_ = fit.alpha, fit.cv_error
        self.n_tr_in_, self.n_voxels_in_, self.n_targets_ = fit.coef.shape
        self.target_ = target or TargetSpec("features")
        return self

    def _check_fitted(self) -> None:
        if not hasattr(self, "fit_"):
            raise DecoderError("This decoder is not fitted: call fit, or load one with from_pretrained.")

    def predict(self, X: ArrayLike) -> NDArray[np.float32]:
        """Predicted targets: (n_trials, n_tr, n_voxels) -> (n_trials, n_targets).

        Raises
        ------
        DecoderError
            If the decoder is not fitted, or was fitted on other windows.
        """
        self._check_fitted()
        windows = _windows(X)
        if windows.shape[1:] != (self.n_tr_in_, self.n_voxels_in_):
            raise DecoderError(
                f"Windows have {windows.shape[1]} TRs of {windows.shape[2]} voxels, this decoder was fitted on "
                f"{self.n_tr_in_} TRs of {self.n_voxels_in_} voxels."
            )
        cells = predict_ridge_lags(
            lambda offset: windows[:, offset],
            {0: self.fit_},
            test_deltas=[0],
            start_tr=0,
            device=self.device,
        )
        ((_, _, predictions),) = cells
        return predictions

    def reconstruct(
        self,
        X: ArrayLike,
        *,
        backbone: Backbone | None = None,
        sampling: SamplingConfig | None = None,
        image_ids: Sequence[int] | None = None,
        repetitions: Sequence[int] | None = None,
    ) -> NDArray[np.float32]:
        """Images of a decoder of pixels or tokens: (n_trials, n_tr, n_voxels) -> (n_trials, size, size, 3) in [0, 1].

        Parameters
        ----------
        X : array, shape (n_trials, n_tr, n_voxels)
        backbone, sampling, image_ids, repetitions : optional
            Tokens only: the diffusion backbone that makes images of them (loaded by its name unless given), how, and the
            keys of the initial noise, as in :meth:`tempgen.decoders.dynadiff.DynadiffDecoder.reconstruct`.

        Raises
        ------
        DecoderError
            If the outputs are labels or features, the windows are of another shape, or the backbone is another.
        """
        if self.target_.kind != "tokens":
            return self.target_.reconstruct(self.predict(X))
        # torch and diffusers are loaded only where tokens become images
        from tempgen.decoders.dynadiff import hold_no_adapter, images_of_tokens
        from tempgen.models.backbone import load_backbone

        backbone = load_backbone(self.target_.backbone) if backbone is None else backbone
        self.target_.check_backbone(backbone.spec)
        hold_no_adapter(backbone)
        tokens = self.predict(X)
        return images_of_tokens(
            backbone,
            tokens.reshape(len(tokens), self.target_.n_tokens, self.target_.token_dim),
            config=sampling or SamplingConfig(),
            image_ids=image_ids,
            repetitions=repetitions,
        )

    def predict_label(self, X: ArrayLike) -> NDArray[np.int64]:
        """Index of the most likely label: (n_trials, n_tr, n_voxels) -> (n_trials,)."""
        return self.target_.predict_label(self.predict(X))

    def save_pretrained(self, folder: Path | str, *, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write config.json, model.safetensors and a model card; the folder appears whole or not at all.

        Parameters
        ----------
        folder : Path or str
            An older decoder there stays until the new one is whole.
        provenance : mapping, optional
            How the decoder was made: plain values, shown in the card.

        Raises
        ------
        DecoderError
            If the decoder is not fitted.
        """
        self._check_fitted()
        from safetensors import SafetensorError
        from safetensors.numpy import save_file

        config = {
            "kind": "ridge",
            "format": DECODER_FORMAT,
            "tempgen_version": __version__,
            "params": {**self.get_params(), "alphas": list(self.alphas)},
            "shape": {"n_tr": self.n_tr_in_, "n_voxels": self.n_voxels_in_, "n_targets": self.n_targets_},
            "alpha_scale": self.fit_.alpha_scale,
            "target": self.target_.to_dict(),
            "provenance": dict(provenance or {}),
        }
        try:
            with whole_folder(Path(folder)) as temporary:
                save_file(self._tensors(), temporary / WEIGHTS, metadata={"format": "np"})
                (temporary / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
                (temporary / "README.md").write_text(model_card(config), encoding="utf-8")
        except SafetensorError as error:  # so the weights' writer names a full disk
            raise DecoderError(
                f"could not save the decoder to {folder} ({error}): what was there is as it was. Make room there."
            ) from error
        return Path(folder)

    def _tensors(self) -> dict[str, NDArray[Any]]:
        named = {
            "coef": self.coef_,
            "intercept": self.intercept_,
            "alpha": self.alpha_,
            "cv_error": self.cv_error_,
        }
        return {name: np.ascontiguousarray(tensor) for name, tensor in named.items()}

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> Self:
        """Load what :meth:`save_pretrained` wrote.

        Raises
        ------
        DecoderError
            If the folder or a file is missing, another format wrote it, or tensors do not fit the configuration.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        folder = Path(folder)
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / WEIGHTS)
        except (OSError, json.JSONDecodeError, SafetensorError) as error:
            raise DecoderError(f"{folder} is no ridge decoder: {error}. Train it again.") from error
        if config.get("format") != DECODER_FORMAT or config.get("kind") != "ridge":
            raise DecoderError(
                f"{folder} holds a {config.get('kind')} decoder of format {config.get('format')}; "
                f"this version reads ridge of format {DECODER_FORMAT}. Train it again."
            )
        n_tr, n_voxels, n_targets = (config["shape"][name] for name in ("n_tr", "n_voxels", "n_targets"))
        found = {name: tensor.shape for name, tensor in tensors.items()}
        needed = {
            "coef": (n_tr, n_voxels, n_targets),
            "intercept": (n_targets,),
            "alpha": (n_targets,),
            "cv_error": (*found.get("cv_error", ())[:1], n_targets),
        }
        if found != needed:
            raise DecoderError(
                f"{folder / WEIGHTS} holds {found}, config.json says {needed}. Train it again."
            )
        fit = RidgeFit(**tensors, alpha_scale=float(config["alpha_scale"]))
        params = {**config["params"], "alphas": tuple(config["params"]["alphas"])}
        return cls.from_fit(fit, target=TargetSpec.from_dict(config["target"]), **params)


def _windows(X: ArrayLike) -> NDArray[np.float32]:
    windows = np.asarray(X, dtype=np.float32)
    if windows.ndim != 3:
        raise DecoderError(f"Windows have shape {windows.shape}; needed is (n_trials, n_tr, n_voxels).")
    return windows
