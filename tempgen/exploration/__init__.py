"""Results to look into: choose a lag or a cell, and see the trials behind it.

`Exploration` is what is chosen and what follows from it, without a widget; `explore` shows it in JupyterLab, or as a figure.
"""

from tempgen.exploration.entries import Entry, open_entries
from tempgen.exploration.model import Exploration
from tempgen.exploration.pictures import Pictures, ShownImages
from tempgen.exploration.show import explore

__all__ = ["Entry", "Exploration", "Pictures", "ShownImages", "explore", "open_entries"]
