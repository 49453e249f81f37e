"""What an analysis scores its test trials with, known (and refused) before anything is trained."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tempgen.data.store import has_images, read_seen_images, trials_of
from tempgen.decoders import TargetSpec, area_average
from tempgen.errors import ConfigError
from tempgen.generalization.evaluate import LabelScorer, PixelScorer, Scorer
from tempgen.metrics import IMAGE_METRICS, ImageSuite, Metric, label_metrics
from tempgen.workflow.trial_sets import TrialSets


def check_scoring(sets: TrialSets) -> None:
    """Refuse, before training, what the evaluation could not do afterwards.

    Raises
    ------
    ConfigError
        If a metric does not exist for these data, or images are to be larger than the store's.
    """
    chosen_metrics(sets)
    if not has_images(sets.store):
        return
    side = min(sets.store.sizes["row"], sets.store.sizes["column"])
    sizes = {
        "decoder.target_size": sets.analysis.decoder.target_size,
        "evaluation.image_size": sets.analysis.evaluation.image_size,
    }
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
    spec = sets.target_spec
    known = dict(IMAGE_METRICS) if spec.kind == "pixels" else dict(label_metrics(len(spec.names)))
    names = sets.analysis.evaluation.metrics or tuple(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f"evaluation.metrics names {unknown}; for these data there are: {', '.join(known)}."
        )
    return [known[name] for name in names]


def shown_images(sets: TrialSets) -> pd.DataFrame:
    """Table of the test trials with the image of each and of its neighbours.

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


def scorer_of(sets: TrialSets, shown: pd.DataFrame) -> Scorer:
    """Scorer of the analysis' predictions; images are identified among all that ``shown`` names."""
    metrics = chosen_metrics(sets)
    spec = sets.target_spec
    if spec.kind == "labels":
        return LabelScorer(metrics[0])
    targets = shown[["previous_image", "image_id", "next_image"]].to_numpy()
    image_ids = np.unique(targets[targets >= 0])
    size = sets.analysis.evaluation.image_size or sets.store.sizes["row"]
    seen = area_average(read_seen_images(sets.store, image_ids), size)
    return PixelScorer(
        suite=ImageSuite(seen, [metric.name for metric in metrics]),
        image_ids=image_ids,
        reconstruct=TargetSpec(kind="pixels", size=spec.size, image_size=size).reconstruct,
        metrics=metrics,
    )
