from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from tempgen.config import Analysis, commented_yaml, differences, fingerprint, load_analysis, write_analysis
from tempgen.config.decoder import DECODER_KINDS, RidgeConfig, sampling_recipe, training_recipe
from tempgen.config.dynadiff import DynadiffConfig
from tempgen.config.evaluation import EvaluationConfig
from tempgen.config.files import is_study, parse_assignments, read_mapping
from tempgen.errors import ConfigError
from tempgen.windows import DEFAULT_DELTAS

REPOSITORY = Path(__file__).parents[2]


def written(folder: Path, **content: object) -> Path:
    path = folder / "analysis.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def leaves(model: type[BaseModel], prefix: str = ""):
    for name, field in model.model_fields.items():
        if name == "decoder":  # a choice
            for kind, section in DECODER_KINDS.items():
                yield from leaves(section, f"{prefix}{name}.{kind}.")
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def test_every_default_names_its_source():
    unsourced = [name for name, field in leaves(Analysis) if "Source:" not in (field.description or "")]
    assert unsourced == []


def test_unknown_key_is_refused_with_the_nearest_known_one(tmp_path):
    with pytest.raises(ConfigError, match=r"split\.test_fracton: unknown key; did you mean test_fraction"):
        load_analysis(written(tmp_path, split={"test_fracton": 0.1}))


def test_all_problems_are_listed_at_once(tmp_path):
    with pytest.raises(ConfigError, match=r"2 problem\(s\)") as refused:
        load_analysis(written(tmp_path, window={"n_tr": 0}, nonsense=1))
    assert "window.n_tr" in str(refused.value)
    assert "nonsense" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "unused"),
    [
        ({"data": {"source": "nsd", "path": "nsd", "simulate": {"snr": 1.0}}}, "simulate"),
        ({"data": {"source": "nsd", "path": "nsd", "bids": {"task": "x"}}}, "bids"),
        ({"data": {"source": "bids", "path": "b", "roi": "V1"}}, "roi"),
        ({"data": {"preprocess": {"drift": "linear", "drift_cutoff_s": 100.0}}}, "drift_cutoff_s"),
        ({"data": {"source": "bids", "path": "b", "bids": {"resample_tr_s": 1.0}}}, "resample_tr_s"),
        ({"data": {"source": "bids", "path": "b", "bids": {"space": "T1w"}}}, "space"),
        ({"decoder": {"target": "labels", "target_size": 8}}, "target_size"),
        ({"decoder": {"target": "tokens", "target_size": 8}}, "target_size"),
        ({"decoder": {"backbone": "versatile-diffusion"}}, "backbone"),
        ({"decoder": {"sampling": {"n_steps": 10}}}, "sampling"),
        ({"decoder": {"kind": "dynadiff", "adapter": {"kind": "full", "rank": 8}}}, "rank"),
        ({"window": {"start_tr": 2, "t0_s": 4.0}}, "t0_s"),
        ({"window": {"duration_s": 7.8, "n_tr": 5}}, "n_tr"),
        ({"split": {"n_test_runs": 4, "test_fraction": 0.1}}, "test_fraction"),
        ({"split": {"kind": "nsd-standard", "seed": 1}}, "seed"),
    ],
)
def test_key_that_would_not_be_used_is_refused(tmp_path, content, unused):
    with pytest.raises(ConfigError, match=f"{unused} would not be used"):
        load_analysis(written(tmp_path, **content))


def test_key_left_at_its_default_is_no_conflict(tmp_path):
    path = write_analysis(tmp_path / "all_keys.yaml", source="simulated", data=None, name="mine")
    assert load_analysis(path, {"split.n_test_runs": 4, "window.start_tr": 0}).split.n_test_runs == 4


@pytest.mark.parametrize(
    ("text", "label"), [("data.subject=01", "01"), ("data.subject=2", "2"), ("data.subject=ab", "ab")]
)
def test_subject_labels_keep_their_zeros(tmp_path, text, label):
    path = write_analysis(tmp_path / "bids.yaml", source="bids", data=Path("bids"), name="mine")
    assert load_analysis(path, parse_assignments([text])).data.subject == label


@pytest.mark.parametrize(("text", "label"), [("01", "01"), ("010", "010"), ("7", "7"), ("'01'", "01")])
def test_labels_in_a_file_are_no_octal_numbers(tmp_path, text, label):
    path = tmp_path / "bids.yaml"
    path.write_text(f"data: {{source: bids, path: bids, subject: {text}}}\n")
    assert load_analysis(path).data.subject == label


def test_override_of_one_alternative_replaces_the_other(tmp_path):
    path = written(tmp_path, split={"test_fraction": 0.2}, window={"n_tr": 4})
    analysis = load_analysis(path, {"split.n_test_runs": 2, "window.duration_s": 8.0})
    assert analysis.split.n_test_runs == 2
    assert analysis.window.on_grid(2.0).n_tr == 4


def test_assignment_that_cannot_be_read_is_refused():
    with pytest.raises(ConfigError, match=r"SECTION\.KEY=VALUE"):
        parse_assignments(["split.seed"])
    with pytest.raises(ConfigError, match="quote it"):
        parse_assignments(["training.deltas=[1"])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"decoder": {"alphas": [1.0, -1.0]}}, "greater than 0"),
        ({"decoder": {"alphas": []}}, "at least 1 item"),
        ({"decoder": {"kind": "mindeye"}}, "there are ridge, dynadiff"),
        (
            {"decoder": {"kind": "dynadiff", "optimization": {"n_steps": 0}}},
            r"decoder\.optimization\.n_steps: ",
        ),
        ({"evaluation": {"keep_reconstructions": "some"}}, "write none, all, or of how many trials"),
        ({"evaluation": {"keep_reconstructions": 0}}, "at least 1"),
        ({"evaluation": {"keep_reconstructions": 9, "max_trials": 8}}, "max_trials lets only 8"),
        ({"data": {"preprocess": {"confounds": ["trans_x"]}}}, "no column names"),
        ({"data": {"source": "nsd"}}, "path is needed"),
        ({"data": {"subject": "sub-01"}}, "give its number"),
    ],
)
def test_value_that_cannot_work_is_refused_at_once(tmp_path, content, complaint):
    with pytest.raises(ConfigError, match=complaint):
        load_analysis(written(tmp_path, **content))


BETAS = {"training": {"deltas": 0}, "window": {"start_tr": 0, "n_tr": 1}}
EARLY_LATE = {"kind": "betas", "basis": "early-late"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"window": {"start_tr": 0}}, r"volumes 0\.\.5 were asked for"),
        ({"window": {"n_tr": 1}}, "t0_s: 3 was asked for"),
        ({"window": {"start_tr": 1, "n_tr": 1}}, "volumes 1 were"),
        ({"training": {"deltas": "-1..1"}}, r"volumes -1\.\.1 were"),
        ({"evaluation": {"deltas": "0..3"}}, r"volumes 0\.\.3 were"),
        ({"signal": EARLY_LATE, "window": {"start_tr": 0, "n_tr": 3}}, "window.n_tr: 2"),
    ],
)
def test_windows_without_betas_are_refused_before_anything_is_estimated(tmp_path, content, complaint):
    content = {"signal": {"kind": "betas"}, **BETAS, **content}
    with pytest.raises(ConfigError, match=rf"signal\.kind is betas.*{complaint}"):
        load_analysis(written(tmp_path, **content))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"window": {"t0_s": 0.0, "n_tr": 1}},
        {"signal": EARLY_LATE, "window": {"start_tr": 0, "n_tr": 2}},
        {"signal": EARLY_LATE, "training": {"deltas": "0..1"}},  # each by itself
        {"inputs": {"kind": "motion"}, "window": {"n_tr": 6}},
    ],
)
def test_windows_of_betas_are_read(tmp_path, content):
    content = {"signal": {"kind": "betas"}, **BETAS, **content}
    assert load_analysis(written(tmp_path, **content)).signal.kind == "betas"


def test_overrides_win_over_the_file(tmp_path):
    path = written(tmp_path, split={"seed": 1}, training={"deltas": "0..2"})
    analysis = load_analysis(path, {"split.seed": 5, "training.deltas": "-2..13"})
    assert analysis.split.seed == 5
    assert analysis.training.deltas == DEFAULT_DELTAS


def test_file_of_the_current_folder_is_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_analysis().name == "demo"
    (tmp_path / "tempgen.yaml").write_text("name: mine\n")
    assert load_analysis().name == "mine"


def test_missing_file_says_how_to_write_one(tmp_path):
    with pytest.raises(ConfigError, match="tempgen init"):
        load_analysis(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "\x00"])
def test_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "analysis.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_analysis(path)


@pytest.mark.parametrize("source", ["simulated", "nsd", "bids"])
def test_commented_file_reads_back_as_the_defaults_it_shows(tmp_path, source):
    data = None if source == "simulated" else Path("recording")
    path = write_analysis(tmp_path / "new.yaml", source=source, data=data, name="mine")
    analysis = load_analysis(path)
    assert (analysis.name, analysis.data.source, analysis.data.path) == ("mine", source, data)
    defaults = Analysis.model_validate({"name": "mine", "data": {"source": source, "path": data}})
    assert differences(defaults.model_dump(mode="json"), analysis.model_dump(mode="json")) == []


@pytest.mark.parametrize("kind", DECODER_KINDS)
def test_commented_file_shows_every_key_that_applies(kind):
    text = commented_yaml(Analysis.model_validate({"decoder": {"kind": kind}}))
    left_out = ["data.bids", *(f"decoder.{other}." for other in DECODER_KINDS if other != kind)]
    left_out += ["decoder.ridge.sampling."]  # keys of target: tokens
    wanted = [name for name, _ in leaves(Analysis) if not name.startswith(tuple(left_out))]
    assert len(wanted) > 50
    assert [name for name in wanted if f"{name.split('.')[-1]}:" not in text] == []


@pytest.mark.parametrize("kind", DECODER_KINDS)
def test_file_of_each_decoder_reads_back_as_its_defaults(tmp_path, kind):
    path = write_analysis(tmp_path / "new.yaml", source="simulated", data=None, name="mine", decoder=kind)
    assert load_analysis(path).decoder == DECODER_KINDS[kind]()


def test_key_of_another_kind_of_decoder_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"decoder\.alphas: unknown key; it is one of decoder\.kind: ridge"):
        load_analysis(written(tmp_path, decoder={"kind": "dynadiff", "alphas": [1.0]}))
    with pytest.raises(ConfigError, match=r"decoder\.sampling\.n_step: unknown key; did you mean n_steps"):
        load_analysis(written(tmp_path, decoder={"kind": "dynadiff", "sampling": {"n_step": 3}}))


def test_override_of_the_kind_replaces_the_files_decoder(tmp_path):
    path = written(tmp_path, decoder={"target_size": 8, "alphas": [1.0]})
    assert load_analysis(path, {"decoder.kind": "dynadiff"}).decoder == DynadiffConfig()
    assert load_analysis(path, {"decoder.kind": "ridge"}).decoder.target_size == 8
    path = written(tmp_path, decoder={"kind": "dynadiff", "offset_noise": 0.0})
    overrides = {"decoder.kind": "dynadiff", "decoder.optimization.n_steps": 5}
    changed = load_analysis(path, overrides).decoder
    assert (changed.offset_noise, changed.optimization.n_steps) == (0.0, 5)


def test_sampling_that_chooses_the_weights_is_a_reason_to_train_again():
    one = DynadiffConfig(monitor="pixel_correlation")
    other = one.model_copy(update={"sampling": one.sampling.model_copy(update={"n_steps": 7})})
    faster = one.model_copy(update={"sampling": one.sampling.model_copy(update={"batch_size": 7})})
    assert training_recipe(one) != training_recipe(other)
    assert training_recipe(one) == training_recipe(faster)


def test_sampling_is_no_reason_to_train_again():
    one = DynadiffConfig()
    other = one.model_copy(update={"sampling": one.sampling.model_copy(update={"n_steps": 7})})
    assert training_recipe(one) == training_recipe(other)
    assert sampling_recipe(one) != sampling_recipe(other)
    assert sampling_recipe(RidgeConfig()) == {}
    assert "backbone" not in training_recipe(RidgeConfig())


def test_number_of_kept_trials_or_a_word_is_read():
    for keep in ("none", "all", 12):
        assert EvaluationConfig(keep_reconstructions=keep).keep_reconstructions == keep


def test_init_does_not_replace_a_file(tmp_path):
    path = written(tmp_path, name="precious")
    with pytest.raises(ConfigError, match="left as it is"):
        write_analysis(path, source="simulated", data=None, name="new")
    assert "precious" in path.read_text()


@pytest.mark.parametrize(
    "path",
    # plans of calibrations (validate*.yaml) and studies have tests of their own
    sorted(
        path
        for path in (REPOSITORY / "analyses").glob("*.yaml")
        if not path.stem.startswith("validate") and not is_study(read_mapping(path))
    ),
    ids=lambda path: path.stem,
)
def test_analyses_of_the_repository_are_valid(path):
    assert load_analysis(path).output_folder.parts[0] == "outputs"


def test_fingerprint_changes_with_any_value():
    one = Analysis()
    assert fingerprint(one) == fingerprint(Analysis())
    assert fingerprint(one) != fingerprint(one.model_copy(update={"name": "other"}))


def test_differences_name_the_leaf():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}) == ["a.b: 1 -> 3"]
