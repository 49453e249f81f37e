"""The ``tempgen`` command: one command is one public function, without logic of its own."""

from tempgen.cli.app import main

__all__ = ["main"]
