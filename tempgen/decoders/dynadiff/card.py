"""The model card of a Dynadiff decoder: data, split, window, training, metrics, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def dynadiff_card(config: Mapping[str, Any]) -> str:
    """Markdown from a decoder's config.json.

    Parameters
    ----------
    config : mapping
        With ``tempgen_version``, ``subject``, ``shape``, ``backbone``, ``params`` and ``provenance``. A mapping
        ``metrics`` of the provenance becomes a table; with ``imported_from``, others trained the weights.
    """
    provenance = {key: value for key, value in config["provenance"].items() if key != "recipe"}
    metrics = provenance.pop("metrics", None) or {}
    params, backbone, shape = config["params"], config["backbone"], config["shape"]
    voxels = ", ".join(f"{n} of subject {name}" for name, n in shape["n_voxels"].items())
    imported = "imported_from" in provenance
    lines = [
        "---",
        "library_name: tempgen",
        "tags: [fmri, image-decoding, dynadiff]",
        "---",
        "# Dynadiff decoder from BOLD windows",
        "",
        _imported(config) if imported else _trained(config),
        "",
        "## Model",
        f"- input: {shape['n_tr']} TRs x voxels ({voxels})",
        f"- output: {backbone['n_tokens']} x {backbone['token_dim']} tokens, by them images of "
        f"{backbone['image_size']} x {backbone['image_size']} px",
        f"- backbone: {backbone['name']}, revision {backbone['revision']} (frozen, not in this folder)",
        f"- brain module: {params['brain_module']}",
        f"- adapter: {params['adapter']}",
        "",
        "## Data",
        *(
            f"- {key.removeprefix('note_').replace('_', ' ')}: {value}"
            for key, value in {"subject": config["subject"], **provenance}.items()
        ),
        "",
        "## Training",
        *(["- not by tempgen, and not known here: see the paper"] if imported else _training(params)),
        f"- sampling: {params['sampling']}",
        "",
        *_table(metrics),
        "## Use",
        "```python",
        "from tempgen.decoders import load_decoder",
        "",
        'decoder = load_decoder("this/folder")',
        "images = decoder.reconstruct(windows)  # (n_trials, n_tr, n_voxels) -> (n_trials, height, width, 3) in [0, 1]",
        "```",
    ]
    return "\n".join(lines) + "\n"


def _trained(config: Mapping[str, Any]) -> str:
    provenance = config["provenance"]
    at_lag = f" at train lag {provenance['train_delta']} TRs" if "train_delta" in provenance else ""
    return (
        f"Brain module and adapter of a latent diffusion model, trained by tempgen {config['tempgen_version']} on "
        f"**{provenance.get('data_kind', 'unstated')}** data{at_lag}. The method is that of Dynadiff (arXiv 2505.14556)."
    )


def _imported(config: Mapping[str, Any]) -> str:
    return (
        "Brain module and adapter of a latent diffusion model. **The weights are those of the authors of Dynadiff (arXiv "
        f"2505.14556), imported from `{config['provenance']['imported_from']}` by tempgen {config['tempgen_version']}, which "
        "did not train them.** Their license is the authors'."
    )


def _training(params: Mapping[str, Any]) -> list[str]:
    training = params["optimization"]
    return [
        f"- {training['n_steps']} steps of {training['batch_size']} trials: {training}",
        f"- timesteps {params['timestep_sampling']}, offset noise {params['offset_noise']}, condition dropped in "
        f"{params['condition_drop']:.0%} (null embedding: {params['null_embedding']}), loss weight {params['loss_weight']}, "
        f"token loss {params['token_loss']}",
        f"- starts from: General {_start(params['warm_start'])}, Specialized {_start(params['specialized_from'])}",
    ]


def _start(name: str) -> str:
    return {"none": "from scratch", "scratch": "from scratch"}.get(name, f"from {name}")


def _table(metrics: Mapping[str, Any]) -> list[str]:
    if not metrics:
        return []
    rows = [
        f"| {name.replace('_', ' ')} | {f'{value:.4g}' if isinstance(value, float) else value} |"
        for name, value in metrics.items()
    ]
    return [
        "## Metrics",
        "Diffusion loss, token error and pixel correlation are those of the chosen weights on training runs held out of the "
        "training (their images may occur in other training runs too); without such runs there are none. The others are the "
        "training's own. Scores on test trials are the evaluation's, not in this card.",
        "",
        "| metric | value |",
        "|---|---|",
        *rows,
        "",
    ]
