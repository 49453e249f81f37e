"""What an analysis scores its test trials with, known (and refused) before anything is trained."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempgen.config.decoder import makes_images_by_diffusion
from tempgen.data.store import has_images, label_names_of, read_seen_images, trials_of
from tempgen.decoders import area_average
from tempgen.errors import ConfigError
from tempgen.generalization.evaluate import ImageScorer, LabelScorer, Scorer
from tempgen.metrics import IMAGE_METRICS, SCENE_METRICS, ImageSuite, Metric, label_metrics
from tempgen.metrics.category import packaged_classifier
from tempgen.workflow.backbones import check_installed
from tempgen.workflow.trial_sets import TrialSets


def check_scoring(sets: TrialSets) -> None:
    """Refuse, before training, what the evaluation could not do afterwards.

    Raises
    ------
    ConfigError
        If a metric does not exist for these data, images are to be larger than the store's, or what the decoder needs is
        not installed.
    """
    metrics = chosen_metrics(sets)
    if makes_images_by_diffusion(sets.analysis.decoder):
        check_installed()
    if any(metric.name in SCENE_METRICS for metric in metrics):
        check_installed(("torch",))
        packaged_classifier()
    if not has_images(sets.store):
        return
    side = min(sets.store.sizes["row"], sets.store.sizes["column"])
    sizes = {"evaluation.image_size": sets.analysis.evaluation.image_size}
    if sets.analysis.decoder.kind == "ridge" and sets.predicts == "pixels":
        sizes["decoder.target_size"] = sets.analysis.decoder.target_size
    for key, size in sizes.items():
        if size is not None and size > side:
            raise ConfigError(
                f"{key} is {size}, the store's images have {side} pixels a side: choose at most {side}."
            )


def chosen_metrics(sets: TrialSets) -> list[Metric]:
    """The metrics that the analysis names, else all that fit its data.

    Raises
    ------
    ConfigError
        If one does not exist for these data.
    """
    if sets.predicts == "labels":
        known = dict(label_metrics(len(label_names_of(sets.store))))
        usual = tuple(known)
    else:
        scenes = sets.store.attrs["data_kind"] == "simulated"  # whose images are scenes
        known = {**IMAGE_METRICS, **(SCENE_METRICS if scenes else {})}
        usual = tuple(IMAGE_METRICS)
    names = sets.analysis.evaluation.metrics or usual
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f"evaluation.metrics names {unknown}; for these data there are: {', '.join(known)}."
        )
    return [known[name] for name in names]


def scored_size(sets: TrialSets) -> int:
    """Pixels a side at which reconstructions are compared, and kept."""
    return int(sets.analysis.evaluation.image_size or sets.store.sizes["row"])


def shown_images(sets: TrialSets) -> pd.DataFrame:
    """Table of all test trials with the image of each and of its neighbours.

    Where the split keeps images apart, a neighbour that shows a trained image counts as none: its score would say
    what the decoder has learned, not what it sees.
    """
    trials = trials_of(sets.store)
    table = trials[sets.split.test].copy()
    if sets.split.image_disjoint:
        trained = trials["image_id"][sets.split.train]
        for column in ("previous_image", "next_image"):
            table[column] = table[column].mask(table[column].isin(trained), -1)
    return table


def images_of(shown: pd.DataFrame) -> NDArray[np.int64]:
    """Distinct images that trials or their neighbours show, ascending."""
    targets = shown[["previous_image", "image_id", "next_image"]].to_numpy()
    return np.unique(targets[targets >= 0])


def scorer_of(sets: TrialSets, shown: pd.DataFrame) -> Scorer:
    """Scorer of the analysis' predictions; images are identified among all that ``shown`` names."""
    metrics = chosen_metrics(sets)
    if sets.predicts == "labels":
        return LabelScorer(metrics[0])
    image_ids = images_of(shown)
    seen = area_average(read_seen_images(sets.store, image_ids), scored_size(sets))
    return ImageScorer(
        suite=ImageSuite(seen, [metric.name for metric in metrics]), image_ids=image_ids, metrics=metrics
    )
