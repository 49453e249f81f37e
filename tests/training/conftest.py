"""The loop's own tests run on the CPU wherever they run."""

import pytest


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
