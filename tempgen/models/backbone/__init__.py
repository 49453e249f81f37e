"""Diffusion backbones behind one small interface: encode, decode, tokens, denoise."""

from tempgen.models.backbone.interface import PARTS, Backbone, BackboneSpec, LatentMoments
from tempgen.models.backbone.loading import load_backbone

__all__ = ["PARTS", "Backbone", "BackboneSpec", "LatentMoments", "load_backbone"]
