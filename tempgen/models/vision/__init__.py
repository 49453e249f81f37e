"""Pretrained networks that represent images for the metrics: opened by name, when first used."""

from tempgen.models.vision.interface import Layer as Layer
from tempgen.models.vision.interface import VisionNetwork as VisionNetwork
from tempgen.models.vision.registry import known_networks as known_networks
from tempgen.models.vision.registry import open_network as open_network
from tempgen.models.vision.registry import register_network as register_network
