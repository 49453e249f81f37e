"""From the dual-guided UNet of Versatile Diffusion to its image UNet: what the two names of a weight are.

The dual-guided pipeline wraps every attention block of the image UNet in a pair: ``transformers.0`` reads the image's
tokens, ``transformers.1`` the text's, and their residuals are mixed. With the text's share at 0 only the first counts:
the plain image UNet computes the same noise at two thirds of the cost (0.818 instead of 1.203 TFLOP at full size).
"""

from __future__ import annotations

IMAGE_BRANCH = "transformers.0."
TEXT_BRANCH = "transformers.1."


def image_unet_name(name: str) -> str | None:
    """Name in the plain image UNet of a weight of the dual-guided one; None for the text's branch.

    Examples
    --------
    >>> image_unet_name("mid_block.attentions.0.transformers.0.proj_in.weight")
    'mid_block.attentions.0.proj_in.weight'
    >>> image_unet_name("mid_block.attentions.0.transformers.1.proj_in.weight") is None
    True
    >>> image_unet_name("conv_in.weight")
    'conv_in.weight'
    """
    if f".{TEXT_BRANCH}" in f".{name}":
        return None
    return f".{name}".replace(f".{IMAGE_BRANCH}", ".", 1).removeprefix(".")
