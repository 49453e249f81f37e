"""Dynadiff: a brain module and an adapter that steer a frozen diffusion model by BOLD windows (arXiv 2505.14556)."""

from tempgen.decoders.dynadiff.decoder import DynadiffDecoder
from tempgen.decoders.dynadiff.encoded_images import EncodedImages, encode_images
from tempgen.decoders.dynadiff.module import DynadiffModule
from tempgen.decoders.dynadiff.released import decoder_from_released
from tempgen.decoders.dynadiff.sampling import images_of_tokens, initial_noise, sample_images
from tempgen.decoders.dynadiff.slot import hold_no_adapter
from tempgen.decoders.dynadiff.start import (
    check_ridge_start,
    module_from_decoder,
    module_from_scratch,
    start_from_ridge,
)
from tempgen.decoders.dynadiff.switching import DecoderBank
from tempgen.decoders.dynadiff.task import DynadiffTask
from tempgen.decoders.dynadiff.trials import DynadiffTrials, hold_out_runs

__all__ = [
    "DecoderBank",
    "DynadiffDecoder",
    "DynadiffModule",
    "DynadiffTask",
    "DynadiffTrials",
    "EncodedImages",
    "check_ridge_start",
    "decoder_from_released",
    "encode_images",
    "hold_no_adapter",
    "hold_out_runs",
    "images_of_tokens",
    "initial_noise",
    "module_from_decoder",
    "module_from_scratch",
    "sample_images",
    "start_from_ridge",
]
