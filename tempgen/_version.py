"""The version of tempgen: its only source (the build reads it from here, and so does ``tempgen.__version__``)."""

__version__ = "0.1.0"
