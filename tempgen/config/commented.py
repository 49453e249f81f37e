"""Analysis files that explain themselves: every key with its meaning and the source of its default."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel

from tempgen.config.analysis import Analysis
from tempgen.config.decoder import DECODER_KINDS, TOKEN_KEYS, RidgeConfig
from tempgen.config.files import validate
from tempgen.config.recording import NSD_KEYS
from tempgen.errors import ConfigError
from tempgen.files import whole_file
from tempgen.windows import format_deltas

_DELTA_KEYS = ("deltas", "train_deltas", "sessions")


def write_analysis(path: Path, *, source: str, data: Path | None, name: str, decoder: str = "ridge") -> Path:
    """Write a commented analysis file for a kind of recording and a kind of decoder.

    Raises
    ------
    ConfigError
        If the file exists, or the source needs the root of a dataset and none is given.
    """
    if path.exists():
        raise ConfigError(f"{path} exists and is left as it is: choose another name or remove it.")
    content = {"name": name, "data": {"source": source, "path": data}, "decoder": {"kind": decoder}}
    analysis = validate(Analysis, content, origin="the new analysis (tempgen init)")
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        temporary.write_text(commented_yaml(analysis), encoding="utf-8")
    return path


def commented_yaml(analysis: Analysis | None = None) -> str:
    """An analysis file with every key, its meaning and the source of its default as comments."""
    header = (
        "# An analysis of tempgen. Run it with: tempgen run THIS_FILE\n"
        "# Every key may be left out; unknown and unused keys are refused. Relative paths start at the current folder.\n"
    )
    return header + "\n".join(_commented(analysis or Analysis(), indent="")) + "\n"


def _commented(section: BaseModel, indent: str) -> list[str]:
    lines: list[str] = []
    unused = _unused_keys(section)
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel) and name in unused:
            lines += [
                "",
                f"{indent}# {name}: not used here; {unused[name]} shows its keys.",
            ]
        elif isinstance(value, BaseModel):
            lines += [
                "",
                f"{indent}# {field.description}",
                f"{indent}{name}:",
                *_commented(value, indent + "  "),
            ]
        else:
            values = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
            if name == "kind" and isinstance(section, tuple(DECODER_KINDS.values())):
                values = tuple(DECODER_KINDS)  # each a section of its own, with other keys
            choices = f" One of: {', '.join(values)}." if values else ""
            prefix = f"{indent}# " if name in unused else indent
            lines += [f"{indent}# {field.description}{choices}", f"{prefix}{name}: {_as_yaml(name, value)}"]
    return lines


def _unused_keys(section: BaseModel) -> dict[str, str]:
    """Keys to show commented out, with the command that shows the keys of those that are sections."""
    alternatives = ("start_tr", "duration_s", "n_test_runs")  # the other way to say t0_s, n_tr, test_fraction
    unused = {
        name: ""
        for name in alternatives
        if name in type(section).model_fields and getattr(section, name) is None
    }
    source = getattr(section, "source", None)
    used_by = {"simulate": ("simulated",), "bids": ("bids",)} | dict.fromkeys(NSD_KEYS, ("nsd", "simulated"))
    if source is not None:
        unused |= {
            name: f"'tempgen init --source {sources[0]}'"
            for name, sources in used_by.items()
            if source not in sources
        }
    if isinstance(section, RidgeConfig) and section.target != "tokens":
        unused |= dict.fromkeys(TOKEN_KEYS, "'tempgen init --decoder dynadiff'")
    return unused


def _as_yaml(name: str, value: Any) -> str:
    if name in _DELTA_KEYS and value is not None:
        value = format_deltas(value)
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, tuple):
        value = list(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
    return text.removesuffix("...").strip()
