"""Procedural scenes: small colour images of one or two things in front of a background, with everything about them known.

They are the stimuli of simulated subjects. The same number and seed give the same bytes on every machine.
"""

from tempgen.data.scenes.colours import COLOURS
from tempgen.data.scenes.features import scene_features
from tempgen.data.scenes.render import (
    BACKGROUNDS,
    CATEGORIES,
    SEGMENTATION_CLASSES,
    Scene,
    SceneObject,
    render_scene,
)

__all__ = [
    "BACKGROUNDS",
    "CATEGORIES",
    "COLOURS",
    "SEGMENTATION_CLASSES",
    "Scene",
    "SceneObject",
    "render_scene",
    "scene_features",
]
