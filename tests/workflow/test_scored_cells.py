"""Cells of an unfinished evaluation: kept where it is known what they are of, never removed without a word."""

import numpy as np
import pytest

from tempgen.errors import ConfigError
from tempgen.metrics import ImageScores
from tempgen.workflow.scored_cells import ScoredCells

RECIPE = {"store": "f00", "split": {"seed": 0}}
SCORES = ImageScores({"pixcorr": np.zeros((1, 3))}, {"pixcorr": 0.0}, baseline={}, null={})


@pytest.fixture
def begun(tmp_path):
    cells = ScoredCells.begin(tmp_path / "results.zarr", RECIPE)
    cells.write((0, 1), SCORES)
    return cells


@pytest.mark.parametrize("damage", [b"", b'{"store": "f', b"[1]", b"\xff\xfe", None])
def test_cells_of_a_damaged_plan_are_refused_by_name_and_removed_only_if_asked(begun, tmp_path, damage):
    plan = begun.files.folder / "plan.json"
    whole = plan.read_bytes()
    plan.unlink() if damage is None else plan.write_bytes(damage)
    with pytest.raises(
        ConfigError, match=r"1 scored cells, but .*plan\.json.*(.|\n)*tempgen evaluate --overwrite"
    ):
        ScoredCells.begin(tmp_path / "results.zarr", RECIPE)
    assert begun.read((0, 1)) is not None

    plan.write_bytes(whole)
    assert ScoredCells.begin(tmp_path / "results.zarr", RECIPE).read((0, 1)) is not None
    plan.write_bytes(b"")
    again = ScoredCells.begin(tmp_path / "results.zarr", RECIPE, overwrite=True)
    assert again.read((0, 1)) is None
    assert again.files.plan() == RECIPE


def test_a_damaged_plan_without_cells_is_written_again(begun, tmp_path):
    begun.files.path((0, 1)).unlink()
    (begun.files.folder / "plan.json").write_bytes(b"{")
    assert ScoredCells.begin(tmp_path / "results.zarr", RECIPE).files.plan() == RECIPE


def test_cells_of_another_recipe_make_room_only_if_asked(begun, tmp_path):
    other = {**RECIPE, "split": {"seed": 1}}
    with pytest.raises(ConfigError, match=r"split\.seed: 0 -> 1"):
        ScoredCells.begin(tmp_path / "results.zarr", other)
    assert begun.read((0, 1)) is not None
    assert ScoredCells.begin(tmp_path / "results.zarr", other, overwrite=True).read((0, 1)) is None
