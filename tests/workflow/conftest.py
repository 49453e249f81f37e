"""Small analyses of simulated subjects, run once for all tests of this folder."""

import pytest

from tempgen.config import validate
from tempgen.config.analysis import Analysis
from tempgen.workflow import run_analysis


def silent(_: str) -> None:
    pass


def analysis_of(folder, **sections) -> Analysis:
    """An analysis of one simulated subject; sections override the small defaults. Scored on pixels unless told."""
    evaluation = {"suite": "pixels", **sections.pop("evaluation", {"deltas": "-4..6", "matrix": True})}
    content = {
        "name": "small",
        "folder": folder,
        "data": {
            "simulate": {
                "n_sessions": 1,
                "n_voxels": 150,
                "image_size": 16,
                "snr": 1.0,
                **sections.pop("simulate", {}),
            }
        },
        "split": {"n_test_runs": 3},
        "decoder": {"target_size": 4, "alphas": [0.1, 1.0, 10.0]},
        "training": {"deltas": "-1..6"},
        "evaluation": evaluation,
    }
    return validate(Analysis, {**content, **sections}, origin="the test")


def changed(analysis, **sections):
    """The same folder with another analysis."""
    return analysis.model_copy(
        update={name: getattr(analysis, name).model_copy(update=values) for name, values in sections.items()}
    )


@pytest.fixture(scope="session")
def run_small(tmp_path_factory):
    """Run a small analysis with changed sections; returns (analysis, results)."""

    def run(name: str, **sections):
        analysis = analysis_of(tmp_path_factory.mktemp(name) / "out", **sections)
        return analysis, run_analysis(analysis, say=silent, with_figures=False)

    return run


@pytest.fixture(scope="session")
def rotating(run_small):
    return run_small("rotating", simulate={"code": "rotating"})
