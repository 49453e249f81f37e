"""The files that describe the project agree with one another and with the code."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions as installed_distributions
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tempgen._version import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]

# Where conda-forge's name is another.
CONDA_NAMES = {"huggingface-hub": "huggingface_hub", "isal": "python-isal", "torch": "pytorch"}
# Runtime dependencies that tempgen names to a library instead of importing them, and where it does.
USED_BY_NAME = {"h5netcdf": 'engine="h5netcdf"'}
# Distributions of the notebooks extra that are there for the user: a kernel and an editor.
FOR_THE_USER = {"ipykernel", "jupyterlab"}
# Distributions that a library imports when tempgen asks for what they offer, and where it does.
USED_THROUGH = {
    "anywidget": "FigureWidget",  # plotly's, which it draws
    "tensorboard": "from torch.utils import tensorboard",
    "torchvision": '"torchvision.models"',
}
# Tools of the dev and docs extras that are run and not imported; the server that moto starts is made of flask.
TOOLS = {
    "flask",
    "flask-cors",
    "mypy",
    "myst-parser",
    "nbstripout",
    "numpydoc",
    "pandas-stubs",
    "playwright",
    "pre-commit",
    "pydata-sphinx-theme",
    "pytest-xdist",
    "ruff",
    "sphinx",
    "types-pyyaml",
    "types-tqdm",
}
EXTRAS_OF_THE_PACKAGE = ("torch", "diffusion", "metrics", "faces", "notebooks", "explore", "nsd", "sweep")
# What nobody imports who has not asked for diffusion, for widgets or for a cluster: these may need their extra as soon as they
# are imported.
MODULES_OF_EXTRAS = (
    "tempgen/exploration/",
    "tempgen/sweep/cluster.py",
    "tempgen/models/",
    "tempgen/training/",
    "tempgen/decoders/dynadiff/",
    "tempgen/workflow/scenes_check.py",
    "tempgen/workflow/judges_card.py",
    "tempgen/workflow/pretraining.py",
)


def requirements(lines: list[str]) -> dict[str, Requirement]:
    """By canonical name; tempgen's own extras, which an extra may name, are left out."""
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(item.name): item for item in parsed if item.name != "tempgen"}


RUNTIME = requirements(PROJECT["dependencies"])
OPTIONAL = {extra: requirements(lines) for extra, lines in EXTRAS.items()}


def constraint_pins() -> dict[str, str]:
    """Version of each pinned distribution, by canonical name."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins}


def third_party_imports(folder: str, *, everywhere: bool, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Import name -> one file that imports it, at module level or ``everywhere``; ours and Python's own left out."""
    found = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        if path.relative_to(ROOT).as_posix().startswith(without):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree) if everywhere else tree.body:
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module]
            else:
                continue
            found |= {module.split(".")[0]: str(path.relative_to(ROOT)) for module in modules}
    ours = {"tempgen", "tests", "benchmarks", "conftest", "parts"}
    return {name: path for name, path in found.items() if name not in ours | sys.stdlib_module_names}


def providers_of(import_names: dict[str, str]) -> dict[str, str]:
    """Canonical distribution name -> one file that imports it."""
    providers = packages_distributions()
    return {
        canonicalize_name(provider): path
        for name, path in import_names.items()
        for provider in providers.get(name, [name])[:1]
    }


def test_environment_yml_is_in_step_with_pyproject() -> None:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = [entry for entry in entries if isinstance(entry, str)]
    wanted = RUNTIME | OPTIONAL["notebooks"] | OPTIONAL["diffusion"]
    expected = [f"{CONDA_NAMES.get(name, name)}{item.specifier}" for name, item in wanted.items()]

    assert sorted(conda) == sorted([*expected, f"python{PROJECT['requires-python']}", "pip"])
    assert entries[-1] == {"pip": ["-e ."]}


def test_constraints_pin_every_direct_dependency_within_its_range() -> None:
    pins = constraint_pins()
    for item in (requirement for group in (RUNTIME, *OPTIONAL.values()) for requirement in group.values()):
        name = canonicalize_name(item.name)
        assert name in pins, f"constraints.txt does not pin {name}"
        assert item.specifier.contains(pins[name]), f"constraints.txt pins {name}=={pins[name]}, not {item}"


def test_constraints_install_on_the_oldest_python_that_tempgen_supports() -> None:
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    pins = constraint_pins()
    too_new = [
        f"{item.name}=={item.version} needs Python {needed}"
        for item in installed_distributions()
        if pins.get(canonicalize_name(item.name)) == item.version
        and not SpecifierSet(needed := item.metadata["Requires-Python"] or "").contains(oldest)
    ]
    assert not too_new, "hold these back in the Makefile (HOLD), then `make constraints`"


def test_constraints_name_no_build_path_or_editable() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pin = re.compile(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*")
    assert [line for line in lines if line and not line.startswith("#") and not pin.fullmatch(line)] == []


def test_pre_commit_runs_the_pinned_tools() -> None:
    pins = constraint_pins()
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    for hook in (hook for repo in config["repos"] for hook in repo["hooks"]):
        for name, version in (requirement.split("==") for requirement in hook["additional_dependencies"]):
            assert version == pins[name], (
                f"{hook['id']} runs {name} {version}, constraints.txt pins {pins[name]}"
            )


def test_versions_agree() -> None:
    newest = re.search(r"^## \[([^]]+)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)

    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__
    assert newest is not None
    assert newest[1] in (__version__, "Unreleased")


def test_everything_imported_at_module_level_is_a_runtime_dependency() -> None:
    undeclared = {
        name: path
        for name, path in providers_of(
            third_party_imports("tempgen", everywhere=False, without=MODULES_OF_EXTRAS)
        ).items()
        if name not in RUNTIME
    }
    assert not undeclared


def test_starting_the_command_line_imports_nothing_of_the_extras() -> None:
    code = "import sys, tempgen, tempgen.cli.app, tempgen.config, tempgen.workflow; print(*sys.modules)"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )

    assert "tempgen.workflow" in loaded
    assert not loaded & {
        "torch",
        "diffusers",
        "peft",
        "accelerate",
        "transformers",
        "papermill",
        "boto3",
        "exca",
        "plotly",
    }


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("tempgen", EXTRAS_OF_THE_PACKAGE),
        ("tests", (*EXTRAS_OF_THE_PACKAGE, "dev")),
        ("benchmarks", ("torch", "diffusion", "metrics", "bench")),
    ],
)
def test_everything_imported_is_declared(folder: str, extras: tuple[str, ...]) -> None:
    declared = set(RUNTIME).union(*(OPTIONAL[extra] for extra in extras))
    imported = providers_of(third_party_imports(folder, everywhere=True))
    assert not {name: path for name, path in imported.items() if name not in declared}


def test_every_declared_dependency_is_used() -> None:
    package = "\n".join(path.read_text() for path in (ROOT / "tempgen").rglob("*.py"))
    by_name = {name for name, text in (USED_BY_NAME | USED_THROUGH).items() if text in package}
    in_package = set(providers_of(third_party_imports("tempgen", everywhere=True))) | by_name
    anywhere = in_package.union(
        *(providers_of(third_party_imports(folder, everywhere=True)) for folder in ("tests", "benchmarks"))
    )

    assert set(RUNTIME) - in_package == set()
    assert set().union(*OPTIONAL.values()) - anywhere - FOR_THE_USER - TOOLS == set()


def test_notebooks_are_committed_without_outputs() -> None:
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        code = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]], (
            f"run nbstripout {path.name}"
        )
