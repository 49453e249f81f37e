"""A plotly figure for JupyterLab that is drawn whole, however long the browser takes to load it."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

__all__ = ["CompleteFigure"]


class CompleteFigure(go.FigureWidget):
    """A `FigureWidget` whose first message to the browser holds its data and layout.

    plotly sends them in later ones, and anywidget drops what comes for a widget that took more than two seconds to load (5 MB of
    JavaScript): on a busy machine figures stayed empty.

    Parameters
    ----------
    data : list of traces
    layout : dict or Layout
    """

    _is_complete = False

    def __init__(self, data: list[Any], layout: Any) -> None:
        super().__init__(data, layout)
        self._is_complete = True
        self.open()
        self.send_state("_last_trace_edit_id")  # JupyterLab waits with it, so that figures load one by one

    def open(self) -> None:
        """Make it known to the browser, once it is complete."""
        if self._is_complete:
            super().open()
