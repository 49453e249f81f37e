"""`import tempgen` and `tempgen --help` answer at once, because they import nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "plotly",
    "ipywidgets",
    "pandas",
    "xarray",
    "scipy",
    "nilearn",
    "sklearn",
    "matplotlib",
    "h5py",
    "zarr",
    "nibabel",
)

IMPORT = "import tempgen"
HELP = """
import sys
from tempgen.cli import main
sys.argv = ["tempgen", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


@pytest.mark.parametrize("program", [IMPORT, HELP], ids=["import tempgen", "tempgen --help"])
def test_nothing_heavy_is_imported_by(program: str) -> None:
    report = f"\nimport sys\nprint('imported:', *(name for name in {HEAVY} if name in sys.modules))"

    finished = subprocess.run([sys.executable, "-c", program + report], capture_output=True, text=True)

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1].strip() == "imported:"
