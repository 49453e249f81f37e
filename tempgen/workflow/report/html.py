"""Pieces of HTML: every text is escaped here, every image is inside."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from tempgen._version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Section", "details", "document", "figure_html", "paragraphs", "table_html"]

DPI = 220
"""Of figures: sharp on paper at their own width, and small enough to be mailed. Source: house choice."""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    heading : str
    content : str
        HTML of the functions below.
    """

    heading: str
    content: str

    @property
    def anchor(self) -> str:
        """What the contents link to."""
        return "".join(c if c.isalnum() else "-" for c in self.heading.lower())


def document(*, title: str, kind: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole page.

    Parameters
    ----------
    title, kind : str
        Texts; the kind of data (``"simulated"``, ``"real"``) stands out.
    lead : str
        HTML under the title.
    sections : sequence of Section
    """
    template = Template(Path(__file__).with_name("template.html").read_text(encoding="utf-8"))
    return template.substitute(
        version=escape(__version__),
        title=escape(title),
        kind=escape(f"{kind.upper()} data"),
        kind_class="simulated" if kind == "simulated" else "",
        lead=lead,
        contents="".join(f'<a href="#{one.anchor}">{escape(one.heading)}</a>' for one in sections),
        sections="\n".join(
            f'<section id="{one.anchor}"><h2>{escape(one.heading)}</h2>{one.content}</section>'
            for one in sections
        ),
    )


def paragraphs(texts: Iterable[str], *, kind: str = "") -> str:
    """One paragraph a text."""
    marked = f' class="{escape(kind)}"' if kind else ""
    return "".join(f"<p{marked}>{escape(text)}</p>" for text in texts)


def figure_html(figure: Figure, *, alt: str, caption: str) -> str:
    """A figure as a PNG inside the page, and closed: it is not needed any more."""
    from matplotlib import pyplot as plt

    with BytesIO() as buffer:
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        png = base64.b64encode(buffer.getvalue()).decode()
    width = round(figure.get_figwidth() * 96 * 1.3)  # a little larger than on paper
    plt.close(figure)
    return (
        f'<figure><img width="{width}" alt="{escape(alt)}" src="data:image/png;base64,{png}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table_html(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, kinds: Mapping[str, str] | None = None
) -> str:
    """A table of texts.

    Parameters
    ----------
    heads : sequence of str
        Of the columns; no header row where all are empty.
    rows : iterable of sequences of str
    kinds : mapping of str to str, optional
        Class of the cells of a column by its head; ``"verdict"`` takes the cell's own word.
    """
    kinds = kinds or {}
    body = "".join(
        "<tr>"
        + "".join(_cell(text, kinds.get(head, "")) for head, text in zip(heads, row, strict=True))
        + "</tr>"
        for row in rows
    )
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    header = f"<thead><tr>{head}</tr></thead>" if any(heads) else ""
    return f'<div class="wide"><table>{header}<tbody>{body}</tbody></table></div>'


def details(summary: str, text: str, *, opened: bool = False) -> str:
    """Preformatted text behind a word to click on; what is not opened is not printed."""
    return f"<details{' open' if opened else ''}><summary>{escape(summary)}</summary><pre>{escape(text)}</pre></details>"


def _cell(text: str, kind: str) -> str:
    name = text.replace(" ", "-") if kind == "verdict" else kind
    return f'<td class="{escape(name)}">{escape(text)}</td>' if name else f"<td>{escape(text)}</td>"
