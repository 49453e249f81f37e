"""Analysis files: read, override, and tell two of them apart."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tempgen.config.analysis import Analysis
from tempgen.config.decoder import DECODER_KINDS
from tempgen.errors import ConfigError

DEFAULT_FILE = Path("tempgen.yaml")
"""Taken by every command where it exists in the current folder."""
DEMOS = {"ridge": "demo.yaml", "dynadiff": "dynadiff_demo.yaml"}
"""The packaged analysis of each kind of decoder, taken where there is no file."""
Model = TypeVar("Model", bound=BaseModel)
_ALTERNATIVES = {
    "split.n_test_runs": ("split.test_fraction",),
    "split.test_fraction": ("split.n_test_runs",),
    "window.start_tr": ("window.t0_s",),
    "window.t0_s": ("window.start_tr",),
    "window.duration_s": ("window.n_tr",),
    "window.n_tr": ("window.duration_s",),
}
"""Two ways to say one thing: an override of one replaces the other in the file."""


class _Loader(yaml.SafeLoader):
    """YAML in which 01 is a label, as in BIDS, not an octal number."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:int"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)


def read_yaml(text: str) -> Any:
    """Plain values of a YAML text.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML.

    Examples
    --------
    >>> read_yaml("subject: 010"), read_yaml("10")
    ({'subject': '010'}, 10)
    """
    return yaml.load(text, Loader=_Loader)  # a SafeLoader


def packaged_file(folder: str, name: str) -> Path:
    """A file of the repository's ``analyses`` or ``notebooks``, installed beside the package or in a checkout.

    Raises
    ------
    ConfigError
        If neither place has it.
    """
    package = Path(__file__).resolve().parents[1]
    candidates = (package / folder / name, package.parent / folder / name)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ConfigError(f"This installation lacks {folder}/{name}: install tempgen again.")


def load_analysis(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Analysis:
    """Read an analysis file and apply overrides on top.

    Parameters
    ----------
    path : Path or None
        The file; None takes ``tempgen.yaml`` of the current folder, else the demo's analysis (with the decoder that
        overrides ask for).
    overrides : mapping of dotted key to value
        Values from the command line: ``{"training.deltas": "-2..13"}``.

    Raises
    ------
    ConfigError
        If the file is missing, is no YAML mapping, or has an unknown, unused or unfit key.
    """
    if path is None:
        demo = DEMOS.get((overrides or {}).get("decoder.kind", "ridge"), DEMOS["ridge"])
        path = DEFAULT_FILE if DEFAULT_FILE.is_file() else packaged_file("analyses", demo)
    content = read_mapping(path)
    if is_study(content):
        raise ConfigError(
            f"{path} describes a study of several analyses, here one is needed: 'tempgen run {path}' makes all of them."
        )
    apply_overrides(content, overrides or {})
    return validate(Analysis, content, origin=str(path))


def read_mapping(path: Path) -> dict[str, Any]:
    """Plain values of an analysis file or a study; nothing of an empty file.

    Raises
    ------
    ConfigError
        If the file is missing or is no YAML mapping.
    """
    if not path.is_file():
        raise ConfigError(f"There is no analysis file {path}: write one with 'tempgen init {path}'.")
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path} holds a {type(content).__name__}, an analysis is a mapping: see 'tempgen init'."
        )
    return content


def is_study(content: Mapping[str, Any]) -> bool:
    """Whether a file describes several analyses (:class:`tempgen.config.study.Study`) instead of one."""
    return bool({"variants", "subjects"} & set(content))


def apply_overrides(content: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    """Set dotted keys of an analysis; one of two ways to say a thing replaces the other, a kind of decoder its keys.

    Raises
    ------
    ConfigError
        If a key leads through a value.
    """
    _replace_decoder(content, overrides)
    for key, value in overrides.items():
        set_dotted(content, key, value)
        for other in _ALTERNATIVES.get(key, ()):
            if other not in overrides:
                _remove_dotted(content, other)


def validate(model: type[Model], content: Mapping[str, Any], *, origin: str) -> Model:
    """Turn plain values into a typed model.

    Raises
    ------
    ConfigError
        Lists everything that is wrong, unknown keys with the nearest known name.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = "\n".join(f"  - {_explain(model, problem)}" for problem in error.errors())
        raise ConfigError(f"{origin} has {error.error_count()} problem(s):\n{problems}") from error


def _replace_decoder(content: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    """Drop the file's decoder where an override asks for another kind, which has keys of its own."""
    section = content.get("decoder")
    wanted = overrides.get("decoder.kind")
    if isinstance(section, dict) and wanted is not None and section.get("kind", "ridge") != wanted:
        del content["decoder"]


def _explain(root: type[BaseModel], problem: Any) -> str:
    location = problem["loc"]
    kind = (
        location[1]
        if location[:1] == ("decoder",) and location[1:2] and location[1] in DECODER_KINDS
        else None
    )
    shown = (location[0], *location[2:]) if kind is not None else location  # the kind is no key of the file
    place = ".".join(str(part) for part in shown) or "all of it"
    if problem["type"] != "extra_forbidden":
        return f"{place}: {problem['msg'].removeprefix('Value error, ')}"
    known = _known_keys(root, location[:-1])
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    others = [
        other
        for other, model in DECODER_KINDS.items()
        if kind and len(shown) == 2 and location[-1] in model.model_fields
    ]
    if others:
        hint = f"it is one of decoder.kind: {' and '.join(others)}, this one is {kind}"
    return f"{place}: unknown key; {hint}"


def _known_keys(root: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    model: Any = root
    for part in location:
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field else DECODER_KINDS.get(part, model)
    return list(getattr(model, "model_fields", {}))


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """``["split.seed=3"]`` to ``{"split.seed": 3}``; values are read as YAML.

    Raises
    ------
    ConfigError
        If an assignment has no ``=``.
    """
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"Cannot read {assignment!r}: write SECTION.KEY=VALUE, e.g. split.seed=3.")
        try:
            values[key.strip()] = read_yaml(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"Cannot read the value of {assignment!r} as YAML: quote it.") from error
    return values


def set_dotted(content: dict[str, Any], key: str, value: Any) -> None:
    """Set ``content["split"]["seed"]`` for the key ``split.seed``.

    Raises
    ------
    ConfigError
        If the key leads through a value.
    """
    *parents, last = key.split(".")
    for parent in parents:
        below = content.setdefault(parent, {})
        if not isinstance(below, dict):
            raise ConfigError(f"Cannot set {key}: {parent} is a value, not a section.")
        content = below
    content[last] = value


def _remove_dotted(content: dict[str, Any], key: str) -> None:
    section, name = key.split(".")
    if isinstance(content.get(section), dict):
        content[section].pop(name, None)


def fingerprint(*parts: Any) -> str:
    """Twelve hexadecimal digits that change with anything in ``parts`` (models, mappings, numbers, text)."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Lines ``key: old -> new`` for every leaf in which two nested mappings differ."""
    lines: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            lines.append(f"{prefix}{key}: {before!r} -> {after!r}")
    return lines
