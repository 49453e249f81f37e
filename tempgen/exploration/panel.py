"""The trials behind a cell as HTML: images inline, text escaped."""

from __future__ import annotations

import base64
from html import escape
from io import BytesIO

import pandas as pd
from PIL import Image as PillowImage

from tempgen.exploration.pictures import Image, Pictures
from tempgen.plots import TARGET_LINES

__all__ = ["inline_png", "trials_html"]

_WORDS = {"previous": "previous", "current": "seen", "next": "next"}
_TILE_PX = 84
_STYLE = (
    f"<style>.tempgen-trials{{border-collapse:collapse;font-size:12px}}.tempgen-trials td,.tempgen-trials th"
    "{padding:2px 4px;text-align:center;font-weight:normal}"
    f".tempgen-trials .tile{{width:{_TILE_PX}px;height:{_TILE_PX}px;display:block;border:2px solid #ccc;box-sizing:border-box}}"
    ".tempgen-trials img.tile{image-rendering:pixelated}"
    ".tempgen-trials div.tile{background:#f2f2f2;color:#666;display:flex;align-items:center;justify-content:center}</style>"
)


def trials_html(
    table: pd.DataFrame,
    pictures: list[Pictures],
    *,
    target: str,
    preview: bool = False,
    reconstructed: bool = True,
) -> str:
    """A table with a row for each trial: the image before, the seen one, the next one, the reconstruction, the score.

    Parameters
    ----------
    table : DataFrame
        From `Exploration.page`.
    pictures : list of Pictures
        Of the same trials; empty where the result does not say which trials these are.
    target : str
        Whose image gets a frame in its colour: the one that the score is of.
    preview : bool
        Whether the cell is only looked at, not chosen: the table is paler.
    reconstructed : bool
        Whether decoders make images; else there is no column for them.
    """
    if table.empty:
        return "<p>No trial was scored here, or none of those selected.</p>"
    heads = [*_WORDS.values(), *(["reconstruction"] if reconstructed else []), "score", "trial"]
    rows = [f"<tr>{''.join(f'<th>{word}</th>' for word in heads)}</tr>"]
    shown = pictures or [Pictures(dict.fromkeys(_WORDS), dict.fromkeys(_WORDS, "unknown"), None)] * len(table)
    for (_, trial), one in zip(table.iterrows(), shown, strict=True):
        cells = [
            _tile(
                one.seen[name],
                f"{_WORDS[name]}: {one.names[name]}",
                one.names[name],
                frame=name if name == target else None,
            )
            for name in _WORDS
        ]
        if reconstructed:
            cells.append(_tile(one.reconstruction, f"reconstruction of {one.names['current']}", "not kept"))
        cells.append(f"<b>{trial['score']:.3f}</b>")
        cells.append(escape(_words_of(trial)).replace("\n", "<br>"))
        rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    pale = ' style="opacity:0.75"' if preview else ""
    return f'{_STYLE}<table class="tempgen-trials"{pale}>{"".join(rows)}</table>'


def inline_png(image: Image) -> str:
    """An image as the address of an ``img``, its bytes inside."""
    with BytesIO() as buffer:
        PillowImage.fromarray(image).save(buffer, format="PNG", compress_level=1)
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _tile(image: Image | None, title: str, words: str, *, frame: str | None = None) -> str:
    colour = (
        f' style="border-color:{TARGET_LINES[frame].colour}"'
        if frame is not None and frame in TARGET_LINES
        else ""
    )
    if image is None:
        return f'<div class="tile"{colour} title="{escape(title)}">{escape(words)}</div>'
    return (
        f'<img class="tile"{colour} src="{inline_png(image)}" alt="{escape(title)}" title="{escape(title)}">'
    )


def _words_of(trial: pd.Series) -> str:
    """Where a trial stands in the recording, in two lines, as far as the result says."""
    if "n_repetitions" in trial:
        return f"mean of {int(trial['n_repetitions'])} presentations"
    lines = ({"session": "session", "run": "run"}, {"onset_tr": "TR", "repetition": "repetition"})
    return "\n".join(
        ", ".join(f"{word} {int(trial[name])}" for name, word in names.items() if name in trial)
        for names in lines
    )
