"""Where a training starts: from scratch, from ridge to the true tokens, or from another decoder."""

from __future__ import annotations

import copy

import torch

from tempgen.config.dynadiff import DynadiffConfig
from tempgen.decoders.dynadiff.decoder import DynadiffDecoder
from tempgen.decoders.dynadiff.module import DynadiffModule
from tempgen.decoders.ridge_fit import RidgeFit
from tempgen.errors import DecoderError
from tempgen.models.backbone import Backbone, BackboneSpec
from tempgen.models.brain_module import BrainModule
from tempgen.models.brain_module.low_rank import MAX_DENSE_ENTRIES
from tempgen.models.keyed_noise import keyed_seed


def module_from_scratch(
    backbone: Backbone, config: DynadiffConfig, *, subject: str, n_voxels: int, n_tr: int
) -> DynadiffModule:
    """A module whose random weights depend on ``config.optimization.seed`` alone.

    Raises
    ------
    DecoderError
        If another training has the backbone's adapter, or it is of another kind.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(keyed_seed(config.optimization.seed))
        brain_module = BrainModule(
            config.brain_module,
            n_voxels={subject: n_voxels},
            n_tr=n_tr,
            n_tokens=backbone.spec.n_tokens,
            token_dim=backbone.spec.token_dim,
        )
    return DynadiffModule(backbone, brain_module, config=config, subject=subject)


def check_ridge_start(config: DynadiffConfig, spec: BackboneSpec, *, n_voxels: int, n_tr: int) -> None:
    """Refuse, before anything is computed, a start from ridge whose coefficients are too many to be factored.

    Raises
    ------
    DecoderError
        With their size and what to do instead.
    """
    n_inputs, n_outputs = n_tr * n_voxels, spec.n_tokens * spec.token_dim
    if "ridge" in (config.warm_start, config.specialized_from) and n_inputs * n_outputs > MAX_DENSE_ENTRIES:
        raise DecoderError(
            f"a start from ridge needs coefficients of {n_inputs:,} inputs ({n_tr} TRs x {n_voxels:,} voxels) x "
            f"{n_outputs:,} values of the tokens of {spec.name}, {n_inputs * n_outputs * 4 / 2**30:.1f} GiB; at most "
            f"{MAX_DENSE_ENTRIES * 4 / 2**30:.0f} GiB are taken. Start from scratch, as the paper did (warm_start: none, "
            "specialized_from: scratch or general), or take fewer voxels (data.roi)"
        )


def start_from_ridge(module: DynadiffModule, fit: RidgeFit) -> float:
    """Make the module's tokens those of a ridge to the true tokens, as far as the rank of its linear path allows.

    Parameters
    ----------
    module : DynadiffModule
    fit : RidgeFit
        From windows of the same lag to flattened tokens, fitted on training trials alone.

    Returns
    -------
    float
        Share of the coefficients' squared norm that is kept.

    Raises
    ------
    DecoderError
        If the brain module has no linear path, or shapes differ.
    """
    return module.brain_module.start_from_linear(fit.coef, fit.intercept, subject=module.subject)


def module_from_decoder(decoder: DynadiffDecoder, config: DynadiffConfig) -> DynadiffModule:
    """A module with the weights of a trained decoder: a Specialized one that starts from General. The decoder stays as it is.

    Raises
    ------
    DecoderError
        If the decoder's brain module is of another kind, or another training has the backbone's adapter.
    """
    if decoder.config.brain_module != config.brain_module:
        raise DecoderError(
            f"the decoder to start from has a brain module of {decoder.config.brain_module!r}, the configuration asks for "
            f"{config.brain_module!r}: use the same, or start from scratch"
        )
    return DynadiffModule(
        decoder.backbone,
        copy.deepcopy(decoder.brain_module),
        config=config,
        subject=decoder.subject,
        adapter=decoder.adapter,
        null_embedding=decoder.null_embedding,
    )
