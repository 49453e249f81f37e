"""Decoders from BOLD windows, and what their outputs mean."""

from tempgen.decoders.lags import decoder_provenance, fit_lags, load_decoder, predict_lags
from tempgen.decoders.ridge import RidgeDecoder
from tempgen.decoders.targets import TargetSpec, area_average, one_hot, pixel_targets

__all__ = [
    "RidgeDecoder",
    "TargetSpec",
    "area_average",
    "decoder_provenance",
    "fit_lags",
    "load_decoder",
    "one_hot",
    "pixel_targets",
    "predict_lags",
]
