"""`tempgen pretrain-scenes`: train the embedded backbone and its judges, check them, write their cards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.training.scenes import STAGES, pretrain_scenes
from tempgen.training.scenes.pretrain import JUDGES
from tempgen.training.scenes.run import held_out_masks, held_out_scenes, stage_report, training_scenes
from tempgen.workflow.processes import is_main_process


def make_scenes_backbone(
    config: ScenesPretraining,
    folder: Path,
    *,
    stages: tuple[str, ...] = STAGES,
    say: Callable[[str], Any] = print,
    overwrite: bool = False,
) -> Path | None:
    """Train the stages, measure what is done and write its model card.

    Parameters
    ----------
    folder : Path
        Gets ``scenes``, ``scene_classifier`` and ``scene_segmenter``, as the package has them under
        ``tempgen/models/weights``; the second and the third as soon as their stage is done.

    Returns
    -------
    Path or None
        The backbone's folder, None while stages that it needs are missing.

    Raises
    ------
    ConfigError
        If a stage is unknown, or one that it needs is missing.
    """
    made = pretrain_scenes(config, folder, stages=stages, say=say, overwrite=overwrite)
    if not is_main_process():
        return made
    for stage in JUDGES:
        if stage in stages:
            say(str(_card_of_judge(stage, config, folder)))
    if made is None:
        return None
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


def _card_of_judge(stage: str, config: ScenesPretraining, folder: Path) -> Path:
    """Measure a judge whose stage is done, and write its card."""
    from tempgen.workflow import judges_card

    judge, report = folder / JUDGES[stage], stage_report(folder, stage)
    held_out = held_out_scenes(config, folder)
    if stage == "classifier":
        checked = judges_card.check_classifier(judge, held_out)
        return judges_card.write_classifier_card(judge, checked, config, report)
    masks = torch.from_numpy(held_out_masks(config, folder))
    checked = judges_card.check_segmenter(judge, held_out, masks)
    return judges_card.write_segmenter_card(judge, checked, config, report)
