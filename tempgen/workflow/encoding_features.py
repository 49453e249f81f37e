"""Features of images for encoding models: made of the images, of a backbone's tokens, of a simulator's truth, or read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempgen.config.separability import NAMED_FEATURES, SeparabilityConfig
from tempgen.data.store import has_images, read_seen_images
from tempgen.decoders import pixel_targets
from tempgen.errors import ConfigError
from tempgen.generalization.separability.design import as_features, values_of_images

__all__ = ["encoding_features", "principal_components", "read_features"]

PIXELS_SIZE = 8
"""Pixels a side that ``pixels`` looks at. Source: that of the simulator's early voxels."""
IMAGES_AT_ONCE = 512


def encoding_features(
    store: xr.Dataset, config: SeparabilityConfig, *, dataset: Path | None = None, encoded: Path | None = None
) -> pd.DataFrame:
    """Features of the images of a store, no more columns than ``config.n_components``.

    Principal components know the images that are shown and nothing of BOLD: they can be those of all runs.

    Parameters
    ----------
    store : Dataset
    config : SeparabilityConfig
    dataset : Path, optional
        Root of the recording, for ``truth``.
    encoded : Path, optional
        Folder that keeps what a backbone makes of images, for ``tokens``.

    Returns
    -------
    DataFrame, shape (n_images, n_features)
        By ``image_id``.

    Raises
    ------
    ConfigError
        If the store has no images, the dataset no truth, a file is not as described, or an image lacks features.
    """
    shown = np.unique(store["trial_image_id"].values)
    name = config.features
    if name not in NAMED_FEATURES:
        table = of_shown_images(read_features(Path(name), shown), shown)
    elif name == "truth":
        table = of_shown_images(_truth(store, dataset), shown)
    elif not has_images(store):
        raise ConfigError(
            f"features are {name}, this store has labels and no images: give a file of features."
        )
    elif name == "pixels":
        table = pd.DataFrame(_pixels(store, shown), index=shown)
    else:
        table = pd.DataFrame(_tokens(store, shown, config.backbone, encoded), index=shown)
    return principal_components(table, config.n_components) if table.shape[1] > config.n_components else table


def of_shown_images(table: pd.DataFrame, shown: NDArray[np.int64]) -> pd.DataFrame:
    """Rows of the images that are shown, ascending by ``image_id``.

    Raises
    ------
    ConfigError
        If one has no features, two rows or values that are not finite.
    """
    values = values_of_images(as_features(table), shown)
    return pd.DataFrame(values, index=pd.Index(shown, name=table.index.name), columns=table.columns)


def principal_components(table: pd.DataFrame, n_components: int) -> pd.DataFrame:
    """First principal components over the rows, columns centred and not scaled.

    Raises
    ------
    ConfigError
        If there are fewer rows than components.
    """
    if len(table) <= n_components:
        raise ConfigError(f"{len(table)} images have no {n_components} principal components: ask for fewer.")
    values = table.to_numpy(dtype=np.float64)
    values = values - values.mean(axis=0)
    if values.shape[1] <= len(values):
        _, axes = np.linalg.eigh(values.T @ values)
        scores = values @ axes[:, : -n_components - 1 : -1]
    else:
        squares, axes = np.linalg.eigh(values @ values.T)
        scores = (axes * np.sqrt(squares.clip(min=0)))[:, : -n_components - 1 : -1]
    return pd.DataFrame(
        scores, index=table.index, columns=[f"component_{k + 1}" for k in range(n_components)]
    )


def read_features(path: Path, image_ids: NDArray[np.int64]) -> pd.DataFrame:
    """Features from a file, by image_id.

    Parameters
    ----------
    path : Path
        ``.csv`` with a column ``image_id``; ``.npz`` with ``image_id`` and ``values``; or ``.npy`` whose rows are ``image_ids``.
    image_ids : array of int, shape (n_images,)
        Images of the store, ascending.

    Raises
    ------
    ConfigError
        If there is no such file, or it is not as described.
    """
    if not path.is_file():
        raise ConfigError(
            f"There are no features {path}: give a file, or one of {', '.join(NAMED_FEATURES)}."
        )
    try:
        if path.suffix == ".csv":
            return pd.read_csv(path).set_index("image_id").astype(np.float64)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return _table(file["values"], file["image_id"], path)
        if path.suffix == ".npy":
            return _table(np.load(path, allow_pickle=False), image_ids, path)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"{path} cannot be read as features ({error}): see 'tempgen separability --help'."
        ) from error
    raise ConfigError(f"{path} is no .csv, .npz or .npy: write the features as one of these.")


def _table(values: NDArray[np.float64], image_ids: NDArray[np.int64], path: Path) -> pd.DataFrame:
    if values.ndim != 2 or len(values) != len(image_ids):
        raise ConfigError(
            f"{path} has values of shape {values.shape}; ({len(image_ids)}, n_features), one row an image, are needed."
        )
    return pd.DataFrame(values, index=image_ids)


def _pixels(store: xr.Dataset, image_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.concatenate(
        [pixel_targets(read_seen_images(store, some), PIXELS_SIZE) for some in _batches(image_ids)]
    )


def _tokens(
    store: xr.Dataset, image_ids: NDArray[np.int64], backbone: str, encoded: Path | None
) -> NDArray[np.float32]:
    from tempgen.workflow.backbones import check_installed

    check_installed(("torch", "diffusers", "transformers"))
    from tempgen.decoders.dynadiff import encode_images
    from tempgen.models.backbone import load_backbone

    images = encode_images(
        load_backbone(backbone, parts=("vae", "image_encoder")),
        image_ids,
        lambda ids: read_seen_images(store, ids),
        folder=encoded,
        source=str(store.attrs["fingerprint"]),
        with_tokens=True,
    )
    tokens: NDArray[np.float32] = images.tokens_of(images.rows(image_ids)).flatten(1).numpy()
    return tokens


def _truth(store: xr.Dataset, dataset: Path | None) -> pd.DataFrame:
    from tempgen.data.simulate import open_truth

    if store.attrs.get("data_kind") != "simulated" or dataset is None:
        raise ConfigError(
            "features are truth, which only the analysis (-a) of a simulated subject has: take pixels, tokens or a file."
        )
    truth = open_truth(dataset, int(store.attrs["subject"]))["image_feature"]
    return pd.DataFrame(truth.values, index=truth["image_id"].values, columns=list(truth["feature"].values))


def _batches(image_ids: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [image_ids[first : first + IMAGES_AT_ONCE] for first in range(0, len(image_ids), IMAGES_AT_ONCE)]
