"""What an analysis scores its test trials with, known (and refused) before anything is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempgen.config.decoder import makes_images_by_diffusion
from tempgen.data.store import has_images, label_names_of, read_seen_images, trials_of
from tempgen.decoders import area_average
from tempgen.errors import ConfigError, MetricError
from tempgen.generalization.scorers import ImageScorer, LabelScorer, Scorer
from tempgen.metrics import ImageSuite, Metric, Suite, label_metrics
from tempgen.metrics.feature_cache import FeatureCache
from tempgen.workflow.backbones import check_installed
from tempgen.workflow.suites import (
    check_networks,
    check_pixels,
    chosen_suite,
    default_suite,
    device_of_networks,
    suite_attrs,
    suite_recipe,
)
from tempgen.workflow.trial_sets import TrialSets


def check_scoring(sets: TrialSets) -> None:
    """Refuse, before training, what the evaluation could not do afterwards; no network is opened.

    Raises
    ------
    ConfigError
        If a suite or metric does not exist for these data, images are to be larger than the store's or are too small for a
        metric, or what the decoder or the suite needs is not installed.
    """
    config = sets.analysis.evaluation
    if makes_images_by_diffusion(sets.analysis.decoder):
        check_installed()
    if sets.predicts == "labels":
        chosen_label_metric(sets)
    if not has_images(sets.store):
        return
    side = min(sets.store.sizes["row"], sets.store.sizes["column"])
    sizes = {"evaluation.image_size": config.image_size}
    if sets.analysis.decoder.kind == "ridge" and sets.predicts == "pixels":
        sizes["decoder.target_size"] = sets.analysis.decoder.target_size
    for key, size in sizes.items():
        if size is not None and size > side:
            raise ConfigError(
                f"{key} is {size}, the store's images have {side} pixels a side: choose at most {side}."
            )
    suite = suite_of(sets)
    if config.image_size is not None and config.image_size < min(suite.image_size or 0, side):
        raise ConfigError(
            f"evaluation.image_size is {config.image_size}, and the suite {suite.name!r} compares images at {suite.image_size} "
            "pixels a side: enlarged ones would be blurred. Leave evaluation.image_size out, or choose another suite."
        )
    try:
        check_pixels(suite, image_size=scored_size(sets))
    except MetricError as error:
        raise ConfigError(f"The analysis could not be scored (evaluation.suite): {error}") from error


def check_scoring_networks(sets: TrialSets) -> None:
    """Open, before training, the networks of the suite, so that a missing file is no surprise afterwards.

    Raises
    ------
    ConfigError
        If one cannot be opened.
    """
    if sets.predicts == "labels":
        return
    suite = suite_of(sets)
    try:
        check_networks(suite, device=networks_device(sets, suite))
    except MetricError as error:
        raise ConfigError(f"The analysis could not be scored (evaluation.suite): {error}") from error


def suite_of(sets: TrialSets) -> Suite:
    """The suite that the analysis names, else that of its kind of data, with the metrics that it names.

    Raises
    ------
    ConfigError
        If the suite or a metric does not exist, or torch is missing.
    """
    config = sets.analysis.evaluation
    try:
        return chosen_suite(
            config.suite or default_suite(str(sets.store.attrs["data_kind"])),
            metrics=config.metrics,
            identification=config.identification,
            segmentation=config.segmentation,
        )
    except MetricError as error:
        key = "evaluation.suite" if config.metrics is None else "evaluation.metrics"
        raise ConfigError(f"{key}: {error}") from error


def chosen_label_metric(sets: TrialSets) -> Metric:
    """The metric of decoders that name labels.

    Raises
    ------
    ConfigError
        If the analysis names others, or a suite, which compares images.
    """
    config = sets.analysis.evaluation
    defaults = type(config)()
    unused = [key for key in _OF_IMAGES if getattr(config, key) != getattr(defaults, key)]
    if unused:
        raise ConfigError(
            f"{', '.join(f'evaluation.{key}' for key in unused)} would not be used: this store has labels and no images. "
            "Remove it."
        )
    known = label_metrics(len(label_names_of(sets.store)))
    unknown = [name for name in config.metrics or () if name not in known]
    if unknown:
        raise ConfigError(
            f"evaluation.metrics names {unknown}; for these data there are: {', '.join(known)}."
        )
    return next(iter(known.values()))


_OF_IMAGES = ("repetitions", "suite", "identification", "segmentation", "device", "feature_cache")


def networks_device(sets: TrialSets, suite: Suite) -> str | None:
    """Where the suite's networks run: evaluation.device, else training.device, else a GPU where there is one."""
    analysis = sets.analysis
    return device_of_networks(suite, analysis.evaluation.device, analysis.training.device)


def scoring_recipe(sets: TrialSets) -> dict[str, Any]:
    """What determines the scores of predictions, as plain values."""
    if sets.predicts == "labels":
        return {"metrics": [chosen_label_metric(sets).name]}
    return suite_recipe(suite_of(sets))


def scoring_attrs(sets: TrialSets) -> dict[str, str | int]:
    """What a result says of the suite that made it; nothing where labels were decoded."""
    if sets.predicts == "labels":
        return {}
    return suite_attrs(suite_of(sets), image_size=scored_size(sets))


def scored_size(sets: TrialSets) -> int:
    """Pixels a side at which reconstructions are kept, and come to the suite."""
    return int(sets.analysis.evaluation.image_size or sets.store.sizes["row"])


def shown_images(sets: TrialSets) -> pd.DataFrame:
    """Table of all test trials with the image of each and of its neighbours.

    Where the split keeps images apart, a neighbour that shows a trained image counts as none: its score would say
    what the decoder has learned, not what it sees. An average over presentations has no neighbours; its row says in
    ``n_repetitions`` over how many.
    """
    trials = trials_of(sets.store)
    table = trials[sets.split.test].copy()
    if sets.split.image_disjoint:
        trained = trials["image_id"][sets.split.train]
        for column in ("previous_image", "next_image"):
            table[column] = table[column].mask(table[column].isin(trained), -1)
    if sets.analysis.evaluation.repetitions == "average":
        n_presentations = table.groupby("image_id")["image_id"].transform("size")
        table = table.assign(previous_image=-1, next_image=-1, n_repetitions=n_presentations)
    return table


def images_of(shown: pd.DataFrame) -> NDArray[np.int64]:
    """Distinct images that trials or their neighbours show, ascending."""
    targets = shown[["previous_image", "image_id", "next_image"]].to_numpy()
    return np.unique(targets[targets >= 0])


def scorer_of(sets: TrialSets, shown: pd.DataFrame) -> Scorer:
    """Scorer of the analysis' predictions; images are identified among all that ``shown`` names.

    Raises
    ------
    MetricError
        If a network of the suite cannot be opened.
    """
    if sets.predicts == "labels":
        return LabelScorer(chosen_label_metric(sets))
    suite, folder = suite_of(sets), sets.analysis.evaluation.feature_cache
    image_ids = images_of(shown)
    seen = area_average(read_seen_images(sets.store, image_ids), scored_size(sets))
    images = ImageSuite(
        seen,
        suite,
        device=networks_device(sets, suite),
        cache=None if folder is None else FeatureCache(folder),
    )
    return ImageScorer(suite=images, image_ids=image_ids)
