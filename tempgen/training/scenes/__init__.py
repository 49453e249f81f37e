"""Pretraining of the embedded ``scenes`` backbone: VAE, image encoder, UNet, and the classifier that judges samples."""

from tempgen.training.scenes.pretrain import STAGES, pretrain_scenes

__all__ = ["STAGES", "pretrain_scenes"]
