"""Studies: several analyses in one file."""

from pathlib import Path

import pytest
import yaml

from tempgen.config import load_analysis
from tempgen.config.files import is_study, read_mapping
from tempgen.config.study import load_study
from tempgen.errors import ConfigError

ANALYSES = Path(__file__).parents[2] / "analyses"
CALIBRATIONS = "validate"  # read by commands of their own


def written(folder: Path, **content: object) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def study_files() -> list[Path]:
    return [path for path in sorted(ANALYSES.glob("*.yaml")) if is_study(read_mapping(path))]


@pytest.mark.parametrize("path", sorted(ANALYSES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_packaged_file_loads_and_says_what_it_is_and_what_it_costs(path):
    head = "".join(line for line in path.read_text().splitlines(keepends=True) if line.startswith("#"))
    if path.stem.startswith(CALIBRATIONS):
        return
    if not is_study(read_mapping(path)):
        assert load_analysis(path).name.startswith(path.stem)
        return
    study = load_study(path)
    assert study.name == path.stem
    assert f"tempgen run analyses/{path.name}" in head
    assert any(word in head for word in ("measured", "computed", "minutes", "not run")), "what it costs"
    assert f"notebooks/{study.notebook}.ipynb" in head
    assert (ANALYSES.parent / "notebooks" / f"{study.notebook}.ipynb").is_file()


@pytest.mark.parametrize("path", study_files(), ids=lambda path: path.stem)
def test_every_study_has_a_small_twin_of_simulated_subjects_that_shows_the_same_notebook(path):
    small = path if path.stem.endswith("-small") else path.with_name(f"{path.stem}-small.yaml")
    twin = load_study(small)
    assert {member.analysis.data.source for member in twin.members()} == {"simulated"}
    assert twin.notebook == load_study(path).notebook
    assert "SIMULATED" in small.read_text()


def test_variants_and_subjects_make_a_grid_of_analyses_with_folders_of_their_own(tmp_path):
    path = written(
        tmp_path,
        name="grid",
        subjects=[1, 5],
        base={"window": {"t0_s": 3.0}, "training": {"deltas": "0..2"}},
        variants={"1 TR": {"window.n_tr": 1}, "late": {"window": {"start_tr": 4}}},
    )
    members = load_study(path).members()
    assert [(one.variant, one.subject) for one in members] == [
        ("1 TR", "1"),
        ("1 TR", "5"),
        ("late", "1"),
        ("late", "5"),
    ]
    assert [one.analysis.data.subject for one in members] == ["1", "5", "1", "5"]
    assert [one.analysis.window.n_tr for one in members] == [1, 1, 6, 6]
    assert members[2].analysis.window.start_tr == 4  # which replaces the base's t0_s
    assert members[0].analysis.training.deltas == (0, 1, 2)
    assert members[0].analysis.output_folder == Path("outputs/grid/1-TR/subject-1")


def test_variants_with_the_same_data_section_share_a_recording_and_others_have_their_own(tmp_path):
    changes = {"a": None, "b": {"window.n_tr": 2}, "c": {"data.preprocess.drift": "none"}}
    members = load_study(written(tmp_path, name="s", subjects=[1, 2], variants=changes)).members()
    places = {(one.variant, one.subject): one.recording.name for one in members}
    assert places["a", "1"] == places["b", "1"] == "subject-1"
    assert places["a", "2"] == places["b", "2"] == "subject-2"
    assert places["c", "1"] == "c-subject-1"


def test_a_signal_estimated_on_other_training_runs_has_a_store_of_its_own(tmp_path):
    deconvolved = {"signal.kind": "deconvolved"}
    changes = {
        "bold": None,
        "other fold": {"split.fold": 1},
        "deconvolved": deconvolved,
        "wide": {**deconvolved, "window.n_tr": 8},
        "deconvolved, other fold": {**deconvolved, "split.fold": 1},
        "canonical": {**deconvolved, "signal.hrf": "canonical"},
    }
    members = load_study(written(tmp_path, name="s", variants=changes)).members()
    assert [one.recording.name for one in members] == [
        *["subject-1"] * 4,
        "deconvolved-other-fold-subject-1",
        "canonical-subject-1",
    ]


def test_variants_that_differ_in_the_evaluation_alone_train_once(tmp_path):
    betas = {"signal": {"kind": "betas"}, "window": {"start_tr": 0, "n_tr": 1}}
    averaged = {"evaluation.repetitions": "average"}
    changes = {
        "single": None,
        "averaged": averaged,
        "betas": betas,
        "betas averaged": {**betas, **averaged},
        "later": {"evaluation.deltas": "0..3"},  # leaves fewer training trials
        "small": {"decoder.target_size": 4},
    }
    base = {"training": {"deltas": 0}, "evaluation": {"deltas": 0}}
    members = load_study(written(tmp_path, name="s", subjects=[1, 2], base=base, variants=changes)).members()
    trained_in = {(one.variant, one.subject): one.trained_in.relative_to("outputs/s") for one in members}
    assert [str(trained_in[variant, "2"]) for variant in changes] == [
        *["single/subject-2"] * 2,
        *["betas/subject-2"] * 2,
        "later/subject-2",
        "small/subject-2",
    ]
    assert len({one.recording for one in members}) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"variants": {"short": {"window": {"n_trs": 1}}}},
            r"variant 'short'.*\n.*window\.n_trs: unknown key; did you mean n_tr",
        ),
        ({"variants": {"short": {"window.n_tr": 0}}}, "variant 'short'"),
        ({"variants": {"a": {"data.subject": 2}}}, r"variant 'a' sets data\.subject"),
        ({"variants": {"a": {"folder": "x"}}}, "variant 'a' sets folder"),
        ({"variants": {"a": None}, "basis": {}}, "basis: unknown key; did you mean base"),
        ({"variants": {"a b": None, "a-b": None}}, "differ in blanks or signs alone"),
        ({"variants": {"../a": None}}, "names a folder"),
        ({"variants": {"a": None}, "reference": "b"}, "reference is 'b'; the variants are a"),
        ({"subjects": [1, 1]}, "names one twice"),
        ({"subjects": [1], "base": {"data": {"subject": 2}}}, r"base\.data\.subject would not be used"),
        ({"subjects": [1], "base": {"name": "x"}}, "the study's own"),
    ],
)
def test_what_is_wrong_with_a_study_is_said_with_the_variants_name(tmp_path, content, message):
    with pytest.raises(ConfigError, match=message):
        load_study(written(tmp_path, **content))


def test_an_override_holds_for_all_analyses_unless_a_variant_sets_it_itself(tmp_path):
    path = written(tmp_path, subjects=[1, 2], variants={"a": None, "b": {"window.n_tr": 2}})
    study = load_study(path, {"split.seed": 3, "subjects": "2", "folder": str(tmp_path / "out")})
    assert [(one.subject, one.analysis.split.seed) for one in study.members()] == [("2", 3), ("2", 3)]
    assert study.output_folder == tmp_path / "out"
    with pytest.raises(ConfigError, match="variant 'b' sets it itself"):
        load_study(path, {"window.n_tr": 4})


def test_a_study_is_no_single_analysis_and_the_other_way_round(tmp_path):
    with pytest.raises(ConfigError, match="tempgen run"):
        load_analysis(written(tmp_path, subjects=[1, 2]))
    with pytest.raises(ConfigError, match="describes one analysis"):
        load_study(written(tmp_path, name="one"))
