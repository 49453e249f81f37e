"""The separability test of a store: features, test, file, and what it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from tempgen.config import Analysis
from tempgen.config.separability import NAMED_FEATURES, SeparabilityConfig
from tempgen.data.store import open_store
from tempgen.errors import ConfigError, ResultsError
from tempgen.files import whole_file
from tempgen.generalization.separability import separability_test
from tempgen.workflow.encoding_features import encoding_features
from tempgen.workflow.places import Places, is_done

__all__ = ["describe_separability", "open_separability", "run_separability"]

Say = Callable[[str], None]


def run_separability(
    source: Analysis | Path,
    config: SeparabilityConfig | None = None,
    *,
    out: Path | None = None,
    say: Say = print,
    overwrite: bool = False,
) -> xr.Dataset:
    """Test the separability of a store, unless it is done, and write the result as netCDF.

    Parameters
    ----------
    source : Analysis or Path
        An analysis whose store is prepared, or a store.
    config : SeparabilityConfig, optional
        The defaults unless given.
    out : Path, optional
        The file; for an analysis ``separability.nc`` in its folder unless given.
    say : callable
        Gets what would be printed.
    overwrite : bool
        Replace a result that was made otherwise.

    Returns
    -------
    Dataset
        See :func:`tempgen.generalization.separability.separability_test`.

    Raises
    ------
    ConfigError
        If ``out`` is needed or was made otherwise, or features and runs do not fit the test.
    StoreError
        If there is no store.
    """
    config = config or SeparabilityConfig()
    places = Places(source) if isinstance(source, Analysis) else None
    path = out or (places.folder / "separability.nc" if places else None)
    if path is None:
        raise ConfigError("A store has no folder of results: say with --out where to write the result.")
    store = open_store(places.store if places else Path(str(source)))
    recipe: dict[str, Any] = {
        "store": store.attrs["fingerprint"],
        "separability": config.model_dump(mode="json"),
        **_feature_file(config),
    }
    if path.is_file():
        result = open_separability(path)
        made_with = json.loads(str(result.attrs["recipe"]))
        if is_done(made_with, recipe, what=path, overwrite=overwrite, remake="tempgen separability"):
            say(f"{path} is there")
            say(describe_separability(result))
            return result
    features = encoding_features(
        store,
        config,
        dataset=places.dataset if places else None,
        encoded=places.encoded if places else None,
    )
    say(
        f"separability: {store.sizes['voxel']:,} voxels, {store.sizes['run']} runs, {features.shape[1]} features ({config.features}) "
        f"x {config.n_lags} lags, {config.n_bootstrap} surrogates"
    )
    result = separability_test(
        store,
        features,
        lags=range(config.n_lags),
        n_folds=config.n_folds,
        n_bootstrap=config.n_bootstrap,
        alpha=config.alpha,
        negligible=config.negligible,
        least_r2=config.least_r2,
        seed=config.seed,
        progress=True,
    ).assign_attrs(feature_source=config.features, recipe=json.dumps(recipe))
    with whole_file(path) as temporary:
        result.to_netcdf(temporary, engine="h5netcdf")
    say(f"wrote {path}")
    say(describe_separability(result))
    return result


def _feature_file(config: SeparabilityConfig) -> dict[str, str]:
    """What a file of features holds; its name in the recipe does not say that."""
    path = Path(config.features)
    if config.features in NAMED_FEATURES or not path.is_file():
        return {}
    return {"features_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def open_separability(path: Path | str) -> xr.Dataset:
    """Read a result into memory.

    Raises
    ------
    ResultsError
        If the file is missing or no result of the separability test.
    """
    try:
        result = xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise ResultsError(
            f"{path} cannot be read ({error}): make it with 'tempgen separability'."
        ) from error
    if "mean_gain_null" not in result or "recipe" not in result.attrs:
        raise ResultsError(f"{path} is no result of 'tempgen separability'.")
    return result


def describe_separability(result: xr.Dataset) -> str:
    """The verdicts by region, and what they do not say, for the terminal."""
    attrs = result.attrs
    lines = [
        f"{attrs.get('data_kind', 'unknown')} data, subject {attrs.get('subject', 'unknown')}, signal {result['signal'].item()}; "
        f"{attrs['n_bootstrap']} surrogates, alpha {attrs['alpha']:g}",
        f"{'region':<14}{'voxels':>7}{'R2 rank 1':>11}{'gain':>10}{'p':>8}  verdict",
    ]
    for roi in result["roi"].values:
        one = result.sel(roi=roi)
        lines.append(
            f"{roi!s:<14}{int(one['n_responsive']):>7}{float(one['mean_r2_rank1']):>11.4f}{float(one['mean_gain']):>10.5f}"
            f"{float(one['p_mean_gain']):>8.3f}  {one['verdict'].item()}: {one['reason'].item()}"
        )
    share = float((result["p_corrected"] <= attrs["alpha"]).mean())
    lines.append(f"voxels whose responses are not separable, corrected over the map: {share:.1%}")
    lines.append(
        "Dynamic means: no time course times a tuning explains the responses. A code that turns does that; so do adaptation, "
        "repetition effects and responses that are not linear in the features. Static: these features show no turn."
    )
    return "\n".join(lines)
