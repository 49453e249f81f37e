"""A real recording: voxels that tell the categories apart lie in both ventral temporal cortices, not in the middle."""

import numpy as np
import pytest

from tempgen.config import validate
from tempgen.config.analysis import Analysis
from tempgen.data.quality import describe_quality, store_quality
from tempgen.workflow import prepare_recording
from tests.haxby import HAXBY, convert_haxby, haxby_mask
from tests.workflow.conftest import silent

pytestmark = pytest.mark.skipif(not HAXBY.is_dir(), reason="the Haxby recording is not on this machine")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("haxby_quality")
    bids = convert_haxby(HAXBY, folder / "bids")
    data = {"source": "bids", "path": bids, "subject": "01", "bids": {"mask": haxby_mask(bids)}}
    content = {"folder": folder / "out", "data": data | {"preprocess": {"drift": "linear"}}}
    analysis = validate(Analysis, content | {"split": {"n_test_runs": 1}}, origin="the test")
    return prepare_recording(analysis, say=silent)


def test_voxels_that_repeat_themselves_lie_on_both_sides(store):
    quality = store_quality(store, response_s=(5.0, 22.5))
    best = quality.isel(voxel=np.argsort(-quality["noise_ceiling"].values)[:20])
    middle = float(quality["i"].median())
    assert int((best["i"] < middle - 5).sum()) >= 4
    assert int((best["i"] > middle + 5).sum()) >= 4
    assert float(best["noise_ceiling"].min()) > 4 * float(quality["noise_ceiling"].mean())
    assert "96 trials, 8 a run" in describe_quality(quality)
    assert 20 < float(quality["tsnr"].median()) < 300


def test_permuted_categories_leave_no_noise_ceiling(store):
    order = np.random.default_rng(0).permutation(store.sizes["trial"])
    permuted = store.assign(trial_image_id=store["trial_image_id"].isel(trial=order))
    own, chance = (store_quality(each, response_s=(5.0, 22.5)) for each in (store, permuted))
    assert float(chance["noise_ceiling"].quantile(0.99)) < 0.5 * float(own["noise_ceiling"].quantile(0.99))
    assert float(chance["reliability"].mean()) < 0.5 * float(own["reliability"].mean())
