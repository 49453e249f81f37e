"""Decoders from BOLD windows, and what their outputs mean."""

from tempgen.decoders.lags import decoder_kind, decoder_provenance, fit_lags, load_decoder, predict_lags
from tempgen.decoders.reconstruction import reconstruct_lags
from tempgen.decoders.resizing import area_average, upsample_images
from tempgen.decoders.ridge import RidgeDecoder
from tempgen.decoders.targets import TargetSpec, one_hot, pixel_targets

__all__ = [
    "RidgeDecoder",
    "TargetSpec",
    "area_average",
    "decoder_kind",
    "decoder_provenance",
    "fit_lags",
    "load_decoder",
    "one_hot",
    "pixel_targets",
    "predict_lags",
    "reconstruct_lags",
    "upsample_images",
]
