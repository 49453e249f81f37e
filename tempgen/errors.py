"""Named errors: each message says what came, what was needed and what to do next."""


class TempgenError(Exception):
    """Base of every error that tempgen raises on purpose; the command line prints it without a traceback."""


class ConfigError(TempgenError, ValueError):
    """An analysis file or option is unknown, unused or out of range."""


class SourceDataError(TempgenError):
    """A recording, design, mask or stimulus file is missing, truncated or contradicts another."""


class StoreError(TempgenError):
    """A time-series store is incomplete, was made by another version or is not a store."""


class WindowOutsideRunError(TempgenError, ValueError):
    """A window would reach beyond its run; windows are never clipped, padded or wrapped."""


class SplitError(TempgenError, ValueError):
    """A split leaves no trials to train on or to test on, or needs what the data do not have."""


class DecoderError(TempgenError, ValueError):
    """A decoder does not fit the data given to it, or its folder is incomplete."""


class TrainingError(TempgenError, RuntimeError):
    """A training run cannot go on: its loss is not finite, its checkpoint is another run's or could not be written."""


class MetricError(TempgenError, ValueError):
    """Images or features that a metric cannot compare."""


class ResultsError(TempgenError):
    """A results file is incomplete, was made by another analysis or lacks what is asked of it."""


class BackboneError(TempgenError):
    """A diffusion backbone that cannot be loaded, or input that does not fit it."""


class NetworkUnavailableError(TempgenError):
    """A network of a metric cannot be opened: the message names the package or file and the command that fetches it."""


class SweepError(TempgenError, RuntimeError):
    """Tasks of a sweep failed, or what runs them is not there."""
