"""Conditions are read by a grammar of their own: what is not listed is refused, never run."""

import numpy as np
import pandas as pd
import pytest

from tempgen.config import validate
from tempgen.config.expression import check_condition, evaluate_condition
from tempgen.config.inputs import InputsConfig
from tempgen.config.split import SplitConfig
from tempgen.errors import ConfigError

RNG = np.random.default_rng(0)
COLUMNS = {
    "session": RNG.integers(1, 5, 60),
    "run": RNG.integers(0, 12, 60),
    "late": RNG.random(60) > 0.5,
    "first": RNG.random(60) > 0.3,
    "label": RNG.choice(np.array(["face", "house", "cat"], dtype=object), 60),
    "x_mm": RNG.normal(size=60),
}


@pytest.mark.parametrize(
    "text",
    [
        "session <= 2",
        "session <= 2 and not late",
        "late or first and session == 1",
        "1 <= session < 3",
        "run % 2 == 0",
        "run // 3 + 1 != session - 1",
        "session in (1, 3)",
        "session not in [1, 3]",
        "label == 'face'",
        "label in ('face', 'cat') and x_mm > -0.5",
        "late",
        "late == (session > 2)",
        "x_mm * 2 < -x_mm",
    ],
)
def test_condition_chooses_what_pandas_chooses(text):
    chosen = evaluate_condition(text, COLUMNS, key="the key")
    expected = pd.DataFrame(COLUMNS).eval(text)
    assert 0 < expected.sum() < 60
    np.testing.assert_array_equal(chosen, expected)


def test_conditions_in_brackets_combine_as_in_pandas():
    chosen = evaluate_condition("(session <= 2) & ~late | (run == 3)", COLUMNS, key="the key")
    expected = (COLUMNS["session"] <= 2) & ~COLUMNS["late"] | (COLUMNS["run"] == 3)
    np.testing.assert_array_equal(chosen, expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sesion <= 2", "no column sesion. Columns: session, run, late"),
        ("session <=", "cannot be read"),
        ("", "cannot be read"),
        ("session <= 2; run", "cannot be read"),
        ("run = 2", "cannot be read"),
        ("__import__('os').system('true')", "not understood"),
        ("run.max() == 3", "not understood"),
        ("run[0] == 3", "not understood"),
        ("[r for r in run]", "not understood"),
        ("(lambda: True)()", "not understood"),
        ("run ** 1000 > 3", "not understood"),
        ("f'{run}' == 'a'", "not understood"),
        ("run is None", "not understood|use =="),
        ("run in session", "in needs values"),
        ("run in ()", "in needs values"),
        ("session", "gives int"),
        ("session + run", "gives int"),
        ("True", "the same for all"),
        ("1 < 2", "the same for all"),
        ("session and late", "'session' is no condition"),
        ("session <= 2 & run == 1", "is no condition"),
        ("label == 3", "text and numbers"),
        ("session in ('face', 'cat')", "text and numbers"),
        ("late + 1 == 2", "'late' is no number"),
        ("run % 0 == 1", "divides by zero"),
        ("not " * 3000 + "late", "at most"),
        ("(" * 900 + "late" + ")" * 900, "cannot be read"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_reason(text, reason):
    with pytest.raises(ConfigError, match=f"(?s)^the key is .*(?:{reason})"):
        evaluate_condition(text, COLUMNS, key="the key")


def test_condition_is_checked_before_there_are_values():
    check_condition("anything < 3", key="the key")
    with pytest.raises(ConfigError, match="no column anything. Columns: run."):
        check_condition("anything < 3", key="the key", columns=("run",))


@pytest.mark.parametrize("key", ["train_where", "test_where"])
def test_analysis_file_that_names_no_column_of_trials_is_refused_when_read(key):
    with pytest.raises(ConfigError, match=rf"split.{key} is 'sesion == 1'.*after_blank"):
        validate(SplitConfig, {key: "sesion == 1"}, origin="the test")


@pytest.mark.parametrize(
    ("model", "content", "unused"),
    [
        (SplitConfig, {"kind": "interleaved", "n_test_runs": 3}, "n_test_runs"),
        (InputsConfig, {"kind": "motion", "voxels_where": "streams == 5"}, "voxels_where"),
    ],
)
def test_key_that_would_not_be_used_is_refused(model, content, unused):
    with pytest.raises(ConfigError, match=f"{unused} would not be used"):
        validate(model, content, origin="the test")


def test_recipes_of_analyses_without_conditions_are_those_of_before():
    assert set(SplitConfig().recipe()) == {
        *("kind", "test_fraction", "n_test_runs", "fold", "image_disjoint", "seed")
    }
    assert SplitConfig(train_where="run < 3").recipe()["train_where"] == "run < 3"
    assert InputsConfig().recipe() == {}
    assert InputsConfig(kind="motion").recipe() == {"kind": "motion"}
