"""Named colours of the objects, and what painters do with a colour."""

from typing import TypeAlias

import numpy as np

from tempgen.data.scenes.shapes import Field

Channel: TypeAlias = float | Field
#: Red, green and blue in [0, 1]; a channel may be an array, so that a colour can vary over the image.
Colour: TypeAlias = tuple[Channel, Channel, Channel]
RGB: TypeAlias = tuple[float, float, float]

#: Main colours of objects, red, green and blue in [0, 1]: the basic colour terms of English (Berlin & Kay, 1969) without black,
#: in which an object would have no shading left, and with teal in place of grey, which backgrounds are full of.
COLOURS: dict[str, RGB] = {
    "red": (0.85, 0.13, 0.13),
    "orange": (0.97, 0.53, 0.09),
    "yellow": (0.98, 0.85, 0.16),
    "green": (0.20, 0.63, 0.20),
    "teal": (0.10, 0.66, 0.66),
    "blue": (0.14, 0.32, 0.83),
    "purple": (0.53, 0.22, 0.71),
    "pink": (0.98, 0.52, 0.70),
    "brown": (0.52, 0.31, 0.15),
    "white": (0.95, 0.95, 0.94),
}


def lighter(colour: RGB, share: float) -> RGB:
    """The colour moved this share of the way to white."""
    red, green, blue = colour
    return red + (1 - red) * share, green + (1 - green) * share, blue + (1 - blue) * share


def darker(colour: RGB, share: float) -> RGB:
    """The colour moved this share of the way to black."""
    red, green, blue = colour
    return red * (1 - share), green * (1 - share), blue * (1 - share)


def gradient(first: RGB, second: RGB, share: Field) -> Colour:
    """Colour that goes from the first (share 0) to the second (share 1), point by point; shares outside [0, 1] are clipped."""
    weight = np.clip(share, 0.0, 1.0)
    return (
        first[0] + (second[0] - first[0]) * weight,
        first[1] + (second[1] - first[1]) * weight,
        first[2] + (second[2] - first[2]) * weight,
    )
