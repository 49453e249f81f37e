"""Decoders from BOLD windows, and what their outputs mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempgen.decoders.lags import decoder_kind, decoder_provenance, fit_lags, load_decoder, predict_lags
from tempgen.decoders.reconstruction import reconstruct_lags
from tempgen.decoders.resizing import area_average, upsample_images
from tempgen.decoders.targets import TargetSpec, one_hot, pixel_targets

if TYPE_CHECKING:
    from tempgen.decoders.ridge import RidgeDecoder

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


def __getattr__(name: str) -> Any:
    if name == "RidgeDecoder":  # scikit-learn is a second of imports, which a finished analysis does not need
        from tempgen.decoders.ridge import RidgeDecoder

        return RidgeDecoder
    raise AttributeError(f"module 'tempgen.decoders' has no attribute {name!r}")
