"""Plans beside what analyses turned out to take."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from tempgen.config import validate
from tempgen.config.adapters import AdapterConfig
from tempgen.config.analysis import Analysis
from tempgen.data.store import open_store
from tempgen.errors import ConfigError
from tempgen.workflow.places import Places
from tempgen.workflow.planning import get_device, plan_analysis

DEVICE = get_device("h200")
ROOT = Path(__file__).parents[2]


def planned(**content):
    return plan_analysis(validate(Analysis, content, origin="the test"), DEVICE)


def test_plan_of_a_simulated_subject_is_what_came_out(rotating):
    analysis, results = rotating
    before = plan_analysis(analysis.model_copy(update={"folder": analysis.folder / "elsewhere"}), DEVICE)
    after = plan_analysis(analysis, DEVICE)
    assert before.size.origin == "the simulation's design"
    assert after.size.origin == "the prepared store"
    for plan in (before, after):
        assert plan.split.counts["n_train"] == results.attrs["n_train"]
        assert plan.split.counts["n_test"] == results.attrs["n_test"] == results.sizes["trial"]
        assert plan.n_cells == int(results["pixcorr"].sel(target="current").notnull().any("trial").sum())
    assert before.split.fingerprint == after.split.fingerprint
    store = open_store(Places(analysis).store)
    assert before.size.store_bytes == after.size.store_bytes == store["bold"].nbytes + store["image"].nbytes


def test_planned_decoders_are_as_large_as_saved_ones(rotating):
    analysis, _ = rotating
    plan = plan_analysis(analysis, DEVICE)
    folder = Places(analysis).decoder(0)
    with safe_open(next(folder.glob("*.safetensors")), framework="np") as file:
        n_saved = sum(np.prod(file.get_slice(name).get_shape()) for name in ("coef", "intercept"))
    assert plan.decoder.n_parameters == n_saved
    on_disk = sum(path.stat().st_size for path in folder.iterdir())
    assert plan.decoder.disk_bytes == pytest.approx(on_disk, rel=0.05)


def test_nsd_is_planned_without_its_files_and_says_so(tmp_path):
    plan = planned(
        data={"source": "nsd", "path": tmp_path / "nsd", "subject": "1"}, split={"n_test_runs": 45}
    )
    assert "is not there" in plan.size.origin
    assert (plan.size.n_runs, len(plan.size.trials), plan.size.n_images) == (480, 30_000, 10_000)
    assert plan.size.store_bytes == 4 * 480 * 225 * 15_724 + 3 * 10_000 * 224**2
    assert 15_000 < plan.split.counts["n_train"] < 27_500
    assert plan.decoder.memory_bytes > 20e9
    assert "NOT measured" in plan.describe()


@pytest.mark.parametrize(
    ("content", "n_train", "gib"),
    [
        ({"split": {"n_test_runs": 45}}, 21_678, 29),
        (
            {"split": {"kind": "nsd-standard"}, "training": {"deltas": "0"}, "evaluation": {"deltas": "0"}},
            27_000,
            36,
        ),
    ],
)
def test_memory_that_the_page_on_nsd_names_is_what_is_planned(tmp_path, content, n_train, gib):
    plan = planned(data={"source": "nsd", "path": tmp_path / "nsd"}, **content)
    assert plan.split.counts["n_train"] == n_train
    assert round(plan.decoder.memory_bytes / 2**30) == gib
    page = " ".join((ROOT / "docs/howto/nsd.md").read_text(encoding="utf-8").split())
    assert re.search(rf"{gib} GiB.*{n_train:,}|{n_train:,}.*{gib} GiB", page)


def test_dynadiff_at_the_papers_size_takes_what_was_counted(tmp_path):
    plan = planned(
        data={"source": "nsd", "path": tmp_path / "nsd"},
        decoder={"kind": "dynadiff", "backbone": "versatile-diffusion"},
    )
    n_adapter, n_unet, n_tokens = 397_824, 859_520_964, 257 * 768
    n_trained = 345_393_223 + n_adapter + n_tokens  # tokens of dropped conditions are learned
    assert plan.decoder.n_parameters == n_trained
    assert plan.decoder.disk_bytes == 4 * n_trained
    n_copies = 4  # weights, gradients, two moments; of the frozen UNet one
    assert plan.decoder.memory_bytes == 4 * (n_copies * n_trained + n_unet)
    training = next(task for task in plan.tasks if task.name == "train one lag")
    assert training.n_tasks == 16
    assert training.flop == pytest.approx(60_000 * 320 * 1.71e12, rel=0.01)
    assert "activations come on top" in plan.describe()


def test_dynadiff_on_the_packaged_backbone_is_counted_on_it():
    pytest.importorskip("torch")
    decoder = {"kind": "dynadiff", "optimization": {"n_steps": 10, "batch_size": 4}}
    one, two = (
        planned(decoder=decoder),
        planned(decoder=decoder | {"optimization": {"n_steps": 20, "batch_size": 4}}),
    )
    assert 0 < one.tasks[0].flop == pytest.approx(two.tasks[0].flop / 2)
    assert 1e7 < one.tasks[0].flop / 40 < 1e11  # a sample, through a UNet of 64 x 64 pixels


@pytest.mark.parametrize(
    "adapter", [{"kind": "cross-attention-lora", "rank": 2, "alpha": 2}, {"kind": "cross-attention-full"}]
)
def test_weights_of_the_adapter_are_planned_as_they_are_trained(adapter):
    pytest.importorskip("torch")
    from tempgen.models.adapters import add_adapter
    from tempgen.models.backbone import load_backbone

    decoder = {"kind": "dynadiff", "adapter": adapter}
    cost = planned(decoder=decoder).decoder
    without = planned(decoder=decoder | {"adapter": {"kind": "none"}}).decoder
    unet = load_backbone("scenes").unet
    add_adapter(unet, AdapterConfig(**adapter))
    n_adapter = sum(parameter.numel() for parameter in unet.parameters() if parameter.requires_grad)
    assert n_adapter == cost.n_parameters - without.n_parameters > 0
    assert cost.disk_bytes - without.disk_bytes == 4 * n_adapter
    n_frozen_before = 0 if "rank" in adapter else n_adapter
    assert cost.memory_bytes - without.memory_bytes == 4 * (4 * n_adapter - n_frozen_before)


def test_a_task_that_does_not_fit_the_device_is_said(tmp_path):
    content = {"data": {"source": "nsd", "path": tmp_path / "nsd"}}
    small = replace(DEVICE, name="laptop", memory_gb=8)
    plan = plan_analysis(validate(Analysis, content, origin="the test"), small)
    assert any("laptop has 8 GB" in caution for caution in plan.cautions())
    assert not planned(**content).cautions()


def test_what_is_not_known_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="planned from its headers and events"):
        planned(data={"source": "bids", "path": tmp_path / "bids", "subject": "01"})
    with pytest.raises(ConfigError, match="there are cpu, a100"):
        get_device("abacus")
