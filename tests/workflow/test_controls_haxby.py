"""Controls of a real recording: Haxby et al. 2001, subject 1, eight categories in blocks of one session."""

import pytest

from tempgen.config import validate
from tempgen.config.analysis import Analysis
from tempgen.config.controls import ControlsConfig
from tempgen.workflow.controls import run_controls
from tests.haxby import HAXBY, convert_haxby, haxby_mask
from tests.workflow.conftest import silent

pytestmark = pytest.mark.skipif(not HAXBY.is_dir(), reason="the Haxby recording is not on this machine")


@pytest.fixture(scope="module")
def bids(tmp_path_factory):
    return convert_haxby(HAXBY, tmp_path_factory.mktemp("haxby") / "bids")


def haxby(bids, folder):
    """Half of the runs test; windows of one volume, the General one 10 s after the labelled onset, in the plateau."""
    content = {
        "name": "haxby",
        "folder": folder,
        "data": {
            "source": "bids",
            "path": bids,
            "subject": "01",
            "bids": {"mask": haxby_mask(bids)},
            # drift regression is acausal: on 22.5 s blocks it carries them into the volumes before their onset
            "preprocess": {"drift": "none"},
        },
        "window": {"start_tr": 0, "n_tr": 1},
        "split": {"n_test_runs": 6},
        "training": {"deltas": "0..12", "general_delta": 4},
        "evaluation": {"matrix": True, "n_permutations": 200},
    }
    return validate(Analysis, content, origin="the test")


@pytest.fixture(scope="module")
def found(bids, tmp_path_factory):
    analysis = haxby(bids, tmp_path_factory.mktemp("controls"))
    verdicts = run_controls(analysis, ControlsConfig(n_draws=1000), say=silent)
    print("\n".join(verdicts["statement"].values))  # shown where a test fails
    return verdicts


def word(found, name):
    return str(found["verdict"].sel(control=name).item())


def test_no_control_of_the_recording_fails(found):
    assert found.attrs["data_kind"] == "real"
    assert found.attrs["metric"] == "accuracy"
    assert not (found["verdict"] == "failed").any()


def test_plateau_of_a_block_generalizes_between_volumes(found):
    assert word(found, "no_overlap") == "passed"
    overlap = found.sel(control="no_overlap")
    assert overlap["statistic"] > 0.5 * overlap["reference"]


def test_category_is_decoded_and_not_from_permuted_labels(found):
    assert word(found, "permuted_labels:test") == "passed"
    retrained = found.sel(control="permuted_labels")
    assert retrained["reference"] > 0.3
    assert abs(retrained["statistic"]) < 0.1


def test_what_the_recording_lacks_is_not_decided(found):
    for name, reason in (
        ("repetition", "labels, which recur by design"),
        ("motion", "without motion parameters"),
        ("rois", "no atlas"),
    ):
        assert word(found, name) == "not decided"
        assert reason in str(found["statement"].sel(control=name).item())
