"""How a result or a store of reconstructions was made; numbers and text only, so that netCDF keeps them."""

from __future__ import annotations

from typing import Any

from tempgen.data.store import trials_of
from tempgen.workflow.trial_sets import TrialSets


def attributes_of(sets: TrialSets, *, n_evaluated: int) -> dict[str, Any]:
    """Attributes that say from what and by which decoders something was made.

    Parameters
    ----------
    n_evaluated : int
        Test trials that were decoded.
    """
    attrs, trials = sets.store.attrs, trials_of(sets.store)
    gaps = trials.groupby("run")["onset_s"].diff().dropna()
    return {
        "title": f"tempgen: {sets.analysis.name}",
        "subject": attrs["subject"],
        "data_kind": attrs["data_kind"],
        **{key: value for key, value in attrs.items() if key.startswith("note_")},
        "decoder": sets.analysis.decoder.kind,
        "decoder_target": sets.predicts,
        **_diffusion(sets),
        "signal": attrs.get("signal", "bold"),
        **{key: attrs[key] for key in ("hrf_standard_error_s",) if key in attrs},
        "general_delta": sets.analysis.training.general_delta,
        "tr_s": sets.window.tr_s,
        **({"native_tr_s": attrs["native_tr_s"]} if "native_tr_s" in attrs else {}),  # older stores lack it
        "start_tr": sets.window.start_tr,
        "n_tr": sets.window.n_tr,
        "window": sets.window.describe(),
        "stimulus_duration_s": float(trials["duration_s"][sets.split.test].median()),
        "soa_s": float(gaps.median()) if len(gaps) else float("nan"),
        "split": sets.split.kind,
        "split_fingerprint": sets.split.fingerprint,
        "image_disjoint": int(sets.split.image_disjoint),
        **sets.split.counts,
        "n_evaluated": n_evaluated,
        "repetitions": sets.analysis.evaluation.repetitions,
        "analysis": sets.analysis.model_dump_json(),
    }


_START = {"none": "scratch", "scratch": "scratch", "ridge": "ridge to the true tokens", "general": "General"}


def _diffusion(sets: TrialSets) -> dict[str, Any]:
    """Of decoders that sample: the backbone, where their training started and how images were sampled."""
    config = sets.analysis.decoder
    if sets.predicts not in ("tokens", "images"):
        return {}
    sampling = config.sampling
    starts = {}
    if config.kind == "dynadiff":
        starts["warm_start"] = (
            f"General from {_START[config.warm_start]}, Specialized from {_START[config.specialized_from]}"
        )
    return {
        "backbone": config.backbone,
        **starts,
        "sampling": f"{sampling.scheduler}, {sampling.n_steps} steps, guidance {sampling.guidance:g}, seed {sampling.seed}",
    }
