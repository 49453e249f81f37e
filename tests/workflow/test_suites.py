"""What determines scores beside the images."""

from tempgen.workflow.suites import chosen_suite, suite_recipe


def test_recipe_changes_with_the_weights_in_a_folder_of_ones_own(tmp_path):
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        (tmp_path / name).write_bytes(b"{}")
    suite = chosen_suite("paper", metrics=["miou", "pixcorr"], segmentation=str(tmp_path))
    before = suite_recipe(suite)
    assert suite_recipe(suite) == before
    (tmp_path / "model.safetensors").write_bytes(b"trained further")
    after = suite_recipe(suite)
    assert before["metrics"]["miou"]["weights"] != after["metrics"]["miou"]["weights"]
    assert before["metrics"]["pixcorr"] == after["metrics"]["pixcorr"]


def test_pinned_networks_are_named_by_the_suite_alone():
    recipe = suite_recipe(chosen_suite("paper", metrics=["miou"]))
    assert "weights" not in recipe["metrics"]["miou"]
