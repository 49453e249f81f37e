"""The layers of the package: a module imports from its own layer and from lower ones, also inside functions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tempgen"

# From the lowest upwards.
LAYERS = (
    "_version",
    "errors",
    "files",
    "windows",
    "config",
    "result_cells",
    "results",
    "reconstructions",
    "data",
    "models",
    "metrics",
    "decoders",
    "training",
    "generalization",
    "plots",
    "exploration",
    "sweep",
    "workflow",
    "cli",
)
# The package's own face (`import tempgen`) and `python -m tempgen` stand above all layers.
FACE = ("tempgen", "tempgen.__main__")
NEVER_IMPORT_DATA = ("metrics", "models")
KNOW_WHERE_FILES_CAME_FROM = (
    "tempgen.data.nsd",
    "tempgen.data.nsd_download",
    "tempgen.data.bids",
    "tempgen.data.simulate",
)


def module_name(path: Path, *, package: Path = PACKAGE) -> str:
    parts = (package.name, *path.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(package: Path = PACKAGE) -> dict[str, Path]:
    return {module_name(path, package=package): path for path in sorted(package.rglob("*.py"))}


def imported_modules(path: Path, *, name: str, known: set[str]) -> set[str]:
    """Modules of the package that a file imports at any depth: in functions and under TYPE_CHECKING as well.

    ``from tempgen.data import x`` counts as ``tempgen.data.x`` where that is a module, else as ``tempgen.data``.
    ``import_module("tempgen.data")`` counts too.
    """
    own_package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = own_package.split(".")[: len(own_package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {full if full in known else base for full in names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            found |= {argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    return {module for module in found if module.split(".")[0] == name.split(".")[0]}


def layer_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def all_imports(package: Path = PACKAGE) -> dict[str, set[str]]:
    files = sources(package)
    return {name: imported_modules(path, name=name, known=set(files)) for name, path in files.items()}


def upward_imports(imports: dict[str, set[str]]) -> list[str]:
    """One line for each import that does not point downwards; a module without a layer stands above all."""
    heights = {layer: height for height, layer in enumerate(LAYERS)}
    top = len(LAYERS)
    return [
        f"{name} imports {module}"
        for name, modules in imports.items()
        for module in sorted(modules)
        if heights.get(layer_of(module), top) > heights.get(layer_of(name), top)
    ]


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_every_module_belongs_to_a_layer() -> None:
    strangers = [name for name in sources() if name not in FACE and layer_of(name) not in LAYERS]
    assert not strangers, f"give these a layer in LAYERS: {strangers}"


def test_imports_point_downwards() -> None:
    assert not upward_imports(all_imports())


def test_models_and_metrics_never_import_data() -> None:
    offenders = [
        f"{name} imports {module}"
        for name, modules in all_imports().items()
        if layer_of(name) in NEVER_IMPORT_DATA
        for module in sorted(modules)
        if within(module, "tempgen.data")
    ]
    assert not offenders


def test_only_readers_and_simulator_know_where_files_came_from() -> None:
    offenders = [
        name
        for name, modules in all_imports().items()
        if "tempgen.data.nsd_layout" in modules
        and not any(within(name, package) for package in KNOW_WHERE_FILES_CAME_FROM)
    ]
    assert not offenders, f"these import tempgen.data.nsd_layout: {offenders}"


@pytest.mark.parametrize(
    "statement",
    [
        "from tempgen.plots import curves",
        "import tempgen.plots.curves",
        "from ..plots import curves",
        "def draw():\n    from tempgen.plots.curves import plot",
        "from importlib import import_module\nimport_module('tempgen.plots.curves')",
        "from tempgen import open_results",
    ],
)
def test_the_walk_sees_an_upward_import_however_it_is_written(tmp_path: Path, statement: str) -> None:
    package = tmp_path / "tempgen"
    for folder in ("metrics", "plots"):
        (package / folder).mkdir(parents=True)
        (package / folder / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "plots" / "curves.py").touch()
    (package / "metrics" / "pixel.py").write_text(statement)

    assert len(upward_imports(all_imports(package))) == 1
