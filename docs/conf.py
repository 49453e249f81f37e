"""How the documentation is built: `python -m sphinx -W docs build/docs`. Nothing is fetched, nothing is written below docs/."""

from __future__ import annotations

import re
from typing import Any

from numpydoc.docscrape import NumpyDocString

from tempgen._version import __version__

project = "tempgen"
author = "tempgen developers"
copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["images"]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

default_role = "autolink"  # `lag_curve` in a docstring links where it can, and is plain text elsewhere
autodoc_typehints = "none"  # docstrings say types, shapes and units
autodoc_member_order = "bysource"
autosummary_generate = False  # pages of their own would be written into docs/
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "tempgen"
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars: dict[str, list[str]] = {"index": []}
html_copy_source = False

COMMANDS = "% the commands come here"
"""What `docs/reference/cli.md` holds in the place of the commands."""


def commands_as_markdown() -> str:
    """Every command with its arguments and options, as its own --help tells them."""
    import typer
    from typer.cli import get_docs_for_click

    from tempgen.cli.app import app

    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="tempgen")
    text = text.partition("**Commands**:")[2]  # the page has words of its own before
    text = re.sub(r"^\* `([a-z][a-z-]*)`: ", r"* [`\1`](#tempgen-\1): ", text, flags=re.MULTILINE)
    return re.sub(r"^Example: (.*)$", r"Example: `\1`", text, flags=re.MULTILINE)


def insert_commands(_: Any, name: str, source: list[str]) -> None:
    """Put the commands into their page as it is read."""
    if name == "reference/cli":
        source[0] = source[0].replace(COMMANDS, commands_as_markdown())


NumpyDocString.sections["Source"] = []  # the house's section, shown as numpydoc's References
PREFORMATTED = ("tempgen.data.simulate",)
"""Modules whose docstring is set in columns: it is shown as it stands."""


def adapt_docstring(_: Any, what: str, name: str, __: Any, ___: Any, lines: list[str]) -> None:
    """Say in reStructuredText what docstrings say in the house style, before numpydoc reads them."""
    if name in PREFORMATTED and what == "module":
        lines[1:] = ["", "::", "", *(f"    {line}" for line in lines[1:])]
        return
    for k, line in enumerate(lines):
        underline = lines[k + 1] if k + 1 < len(lines) else ""
        if line == "Source" and set(underline) == {"-"}:
            lines[k : k + 2] = ["References", "----------"]
        elif what == "module" and line and len(underline) >= 3 and set(underline) == {"-"}:
            lines[k : k + 2] = [f".. rubric:: {line}", ""]  # a page has its own headings
        else:  # |x| is an absolute value, no substitution
            parts = line.split("``")
            lines[k] = "``".join(
                part if odd % 2 else part.replace("|", r"\|") for odd, part in enumerate(parts)
            )


def setup(app: Any) -> None:
    """Connect to Sphinx."""
    app.connect("source-read", insert_commands)
    app.connect("autodoc-process-docstring", adapt_docstring, priority=100)
