"""Tests of tempgen.models.torchvision_operators, each in a Python of its own with a stand-in for torchvision."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What torchvision does at import, whether its compiled operators loaded or not.
DESCRIBES_OPERATORS = """
import torch
for name in ("nms", "qnms"):
    torch.library.register_fake(f"torchvision::{name}")(lambda dets, scores, iou_threshold: dets)
"""


def run(code: str, *, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def broken_torchvision(tmp_path: Path) -> Path:
    """A torchvision whose compiled operators do not load."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(DESCRIBES_OPERATORS)
    (tmp_path / "torchvision" / "_C.so").write_bytes(b"not for this torch")
    return tmp_path


def test_a_broken_torchvision_imports_after_tempgen_models(broken_torchvision: Path) -> None:
    alone = run("import torchvision", path=broken_torchvision)
    after = run("import tempgen.models, torchvision", path=broken_torchvision)

    assert "operator torchvision::nms does not exist" in alone.stderr
    assert after.returncode == 0, after.stderr


def test_a_declared_operator_fails_when_it_is_called_and_is_declared_once(broken_torchvision: Path) -> None:
    code = """
import tempgen.models.torchvision_operators as operators, torch
import torchvision
assert operators.declare_missing_operators() == []
try:
    torch.ops.torchvision.qnms(torch.zeros(1, 4), torch.zeros(1), 0.5)
except NotImplementedError:
    print("not implemented")
"""
    assert run(code, path=broken_torchvision).stdout == "not implemented\n"


def test_operators_that_are_there_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").touch()
    code = """
import torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.impl("nms", lambda dets, scores, iou_threshold: dets + 1, "CPU")
from tempgen.models.torchvision_operators import declare_missing_operators
assert declare_missing_operators() == []
print(torch.ops.torchvision.nms(torch.zeros(1), torch.zeros(1), 0.5).item())
"""
    assert run(code, path=tmp_path).stdout == "1.0\n"


def test_torch_is_not_imported_before_torchvision_is(broken_torchvision: Path) -> None:
    code = "import sys, tempgen.models; print('torch' in sys.modules); import torchvision; print('torch' in sys.modules)"
    assert run(code, path=broken_torchvision).stdout == "False\nTrue\n"


def test_without_torchvision_not_even_torch_is_imported(tmp_path: Path) -> None:
    code = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torchvision" else real(name, package)
import tempgen.models
print("torch" in sys.modules)
"""
    assert run(code, path=tmp_path).stdout == "False\n"
