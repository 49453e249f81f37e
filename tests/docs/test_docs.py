"""The documentation builds without a warning, and what the tutorial tells people to run works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(bash|python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OWN_ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "MPLBACKEND": "Agg",
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The built pages; a warning is an error."""
    for package in ("sphinx", "myst_parser", "numpydoc", "pydata_sphinx_theme"):
        pytest.importorskip(package, reason="the documentation is built with the extra docs")
    out = tmp_path_factory.mktemp("docs")
    before = {path: path.stat().st_mtime_ns for path in DOCS.rglob("*")}
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-d",
        str(out / "doctrees"),
        str(DOCS),
    ]
    finished = subprocess.run([*command, str(out / "html")], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert {path: path.stat().st_mtime_ns for path in DOCS.rglob("*")} == before  # nothing is written there
    return out / "html"


@pytest.mark.slow
def test_every_page_is_built_without_a_warning(pages):
    written = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    assert {
        "index",
        "tutorial",
        "howto/bids",
        "science/controls",
        "reference/api",
        "reference/cli",
    } <= written
    assert {name for name in written if not (pages / f"{name}.html").is_file()} == set()


@pytest.mark.slow
def test_every_command_and_public_name_is_in_the_reference(pages):
    import tempgen
    from tempgen.cli.app import app

    commands = (pages / "reference" / "cli.html").read_text(encoding="utf-8")
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert "report" in names
    assert [name for name in names if f'id="tempgen-{name}"' not in commands] == []
    python = (pages / "reference" / "api.html").read_text(encoding="utf-8")
    public = [name for name in tempgen.__all__ if not name.startswith("_")]
    assert [name for name in public if f'id="tempgen.{name}"' not in python] == []


def test_the_docs_name_nothing_that_is_not_there():
    root = DOCS.parent
    missing = [
        f"{page.name}: {name}"
        for page in DOCS.rglob("*.md")
        for name in re.findall(
            r"(?:analyses|notebooks)/[a-z_-]+\.(?:yaml|ipynb)", page.read_text(encoding="utf-8")
        )
        if not (root / name).is_file()
    ]
    assert not missing


@pytest.mark.slow
def test_what_the_tutorial_tells_to_run_works_as_it_stands(tmp_path):
    script = ["set -e"]
    for kind, content in BLOCK.findall((DOCS / "tutorial.md").read_text(encoding="utf-8")):
        if kind == "yaml":
            (tmp_path / "tempgen.yaml").write_text(content, encoding="utf-8")
        else:
            script.append(content if kind == "bash" else f"python - <<'END'\n{content}END\n")
    assert len(script) > 8
    finished = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env=os.environ | OWN_ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    assert "SIMULATED" in finished.stdout
    assert "General peaks at delta 0" in finished.stdout
    assert (tmp_path / "tutorial.html").stat().st_size > 100_000
    assert (tmp_path / "tutorial.nc").is_file()
    assert list((tmp_path / "outputs" / "tutorial" / "figures").glob("*.png"))
