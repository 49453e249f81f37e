"""Single-trial betas are decoded like BOLD, at their only lag; anything else is refused before a decoder is trained."""

import numpy as np
import pytest

import tempgen
from tempgen.data.betas import make_betas_store
from tempgen.data.deconvolution import HrfLibrary, VoxelHrf
from tempgen.errors import ConfigError
from tempgen.workflow import Places, evaluate_decoders, train_decoders
from tests.workflow.conftest import changed, silent


@pytest.fixture
def early_late(rotating, tmp_path):
    """An analysis of the early and late betas of a rotating code, and their store."""
    analysis, _ = rotating
    store = tempgen.open_store(Places(analysis).store)
    hrf = VoxelHrf.given(HrfLibrary.canonical(), np.zeros(store.sizes["voxel"], dtype=int), duration_s=9.0)
    out = make_betas_store(store, tmp_path / "betas", hrf=hrf, basis="early-late", say=silent)
    return analysis.model_copy(update={"folder": tmp_path}), tempgen.open_store(out)


def at(analysis, deltas, **window):
    return changed(
        analysis,
        window={"start_tr": 0, **window},
        training={"deltas": deltas},
        evaluation={"deltas": deltas, "metrics": ("pixcorr", "identification")},
    )


@pytest.mark.parametrize(
    ("deltas", "window"), [((0, 2), {"n_tr": 1}), ((-1, 0), {"n_tr": 2}), ((0,), {"n_tr": 6})]
)
def test_lags_without_betas_are_refused_before_anything_is_trained(early_late, deltas, window):
    analysis, store = early_late
    with pytest.raises(ConfigError, match="window.start_tr: 0, window.n_tr: 2"):
        train_decoders(at(analysis, deltas, **window), [0], store=store, say=silent)
    assert not (Places(analysis).folder / "decoders").exists()


def test_early_and_late_betas_are_decoded_together_and_each_by_itself(early_late):
    analysis, store = early_late
    together, apart = at(analysis, (0,), n_tr=2), at(analysis, (0, 1), n_tr=1)
    scores = []
    for name, one in (("together", together), ("apart", apart)):
        one = one.model_copy(update={"folder": analysis.folder / name})
        train_decoders(one, one.fitted_deltas, store=store, say=silent)
        scores.append(evaluate_decoders(one, store=store, say=silent)["identification"])
    identified = [each.sel(target="current").mean("trial") for each in scores]
    assert float(identified[0].sel(train_delta=0, test_delta=0)) > 0.6
    matrix = identified[1]
    assert matrix.shape == (2, 2)
    assert float(matrix.sel(train_delta=0, test_delta=0)) > 0.55
    assert float(matrix.sel(train_delta=1, test_delta=1)) > 0.55
