"""Torch models: brain module, diffusion backbones and adapters."""

# First of all: diffusers, transformers and peft import torchvision, and a torchvision for another torch fails at import.
from tempgen.models import torchvision_operators as torchvision_operators
