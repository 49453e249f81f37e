"""The README.md of a saved decoder: what it is, what it was trained on, how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def model_card(config: Mapping[str, Any]) -> str:
    """Markdown from a decoder's config.json.

    Parameters
    ----------
    config : mapping
        With ``kind``, ``tempgen_version``, ``shape``, ``target``, ``params`` and ``provenance``.
    """
    provenance = {key: value for key, value in config["provenance"].items() if key != "recipe"}
    kind = provenance.get("data_kind", "unstated")
    lines = [
        "---",
        "library_name: tempgen",
        f"tags: [fmri, image-decoding, {config['kind']}]",
        "---",
        f"# {config['kind'].capitalize()} decoder from BOLD windows",
        "",
        f"Trained by tempgen {config['tempgen_version']} on **{kind}** data"
        + (f" at train lag {provenance['train_delta']} TRs." if "train_delta" in provenance else "."),
        "",
        f"- input: {config['shape']['n_tr']} TRs x {config['shape']['n_voxels']} voxels",
        f"- output: {config['shape']['n_targets']} values, {config['target']}",
        f"- settings: {config['params']}",
        *(f"- {key.removeprefix('note_').replace('_', ' ')}: {value}" for key, value in provenance.items()),
        "",
        "```python",
        "from tempgen.decoders import load_decoder",
        "",
        'decoder = load_decoder("this/folder")',
        "predictions = decoder.predict(windows)  # (n_trials, n_tr, n_voxels) -> (n_trials, n_targets)",
        "```",
    ]
    return "\n".join(lines) + "\n"
