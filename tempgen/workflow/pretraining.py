"""`tempgen pretrain-scenes`: train the embedded backbone, check it, write its card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.training.scenes import STAGES, pretrain_scenes
from tempgen.training.scenes.pretrain import held_out_scenes, training_scenes
from tempgen.workflow.processes import is_main_process


def make_scenes_backbone(
    config: ScenesPretraining,
    folder: Path,
    *,
    stages: tuple[str, ...] = STAGES,
    say: Callable[[str], Any] = print,
    overwrite: bool = False,
) -> Path | None:
    """Train the stages and, once all are done, measure the backbone and write its model card.

    Parameters
    ----------
    folder : Path
        Gets ``scenes`` and ``scene_classifier``, as the package has them under ``tempgen/models/weights``.

    Returns
    -------
    Path or None
        The backbone's folder, None while stages are missing.

    Raises
    ------
    ConfigError
        If a stage is unknown, or one that it needs is missing.
    """
    made = pretrain_scenes(config, folder, stages=stages, say=say, overwrite=overwrite)
    if made is None or not is_main_process():
        return made
    from tempgen.workflow.scenes_card import write_card
    from tempgen.workflow.scenes_check import check_scenes

    checked = check_scenes(
        made,
        folder / "scene_classifier",
        pictures=training_scenes(config, folder),
        held_out=held_out_scenes(config, folder),
        subject=folder / "check",
        say=say,
    )
    for samples in checked:
        if samples.scores:
            listed = ", ".join(f"{name} {value:.3f}" for name, value in samples.scores.items())
            say(f"{samples.name}: {listed}")
    say(str(write_card(made, checked, config)))
    return made
