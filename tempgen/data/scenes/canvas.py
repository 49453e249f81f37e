"""A supersampled picture onto which shapes are painted, one over the other."""

import numpy as np
from numpy.typing import NDArray

from tempgen.data.scenes.colours import RGB, Colour
from tempgen.data.scenes.shapes import Field, Points

#: Samples of the canvas along each side of a pixel.
SUPERSAMPLING = 2


class Canvas:
    """Opaque picture in planes of red, green and blue, with the outline of all that was painted on it.

    Parameters
    ----------
    at : Points
        Places of the samples; x and y broadcast to (height, width).
    sample : float
        Distance between neighbouring samples, in the unit of ``at``.
    ground : RGB
        Colour of the empty canvas.

    Attributes
    ----------
    rgb : NDArray[np.float32], shape (3, height, width)
        Colours in [0, 1].
    outline : NDArray[np.float32], shape (height, width)
        Signed distance to everything painted so far, negative inside.
    regions : NDArray[np.uint8], shape (height, width)
        Number of the region that each sample belongs to, 0 where none was painted.
    """

    def __init__(self, at: Points, *, sample: float, ground: RGB = (0.0, 0.0, 0.0)) -> None:
        self.at = at
        self.sample = sample
        shape = np.broadcast_shapes(at.x.shape, at.y.shape)
        self.rgb: NDArray[np.float32] = np.empty((3, *shape), dtype=np.float32)
        for plane, value in zip(self.rgb, ground, strict=True):
            plane.fill(value)
        self.outline: Field = np.full(shape, np.inf, dtype=np.float32)
        self.regions: NDArray[np.uint8] = np.zeros(shape, dtype=np.uint8)

    def cover(self, distance: Field) -> Field:
        """Share of each sample that lies inside a shape, from 0 to 1, with an edge one sample wide."""
        return np.clip(0.5 - distance * (1.0 / self.sample), 0.0, 1.0)

    def paint(self, distance: Field, colour: Colour, *, opacity: float | Field = 1.0) -> None:
        """Paint the shape in a colour that belongs to the object: it becomes part of the outline."""
        np.minimum(self.outline, distance, out=self.outline)
        self.tint(distance, colour, opacity=opacity)

    def tint(self, distance: Field, colour: Colour, *, opacity: float | Field = 1.0) -> None:
        """Colour what lies inside the shape, without adding it to the outline."""
        cover = self.cover(distance)
        if not (isinstance(opacity, float) and opacity == 1.0):
            cover = cover * opacity
        for plane, value in zip(self.rgb, colour, strict=True):
            plane += cover * (value - plane)

    def lay(self, distance: Field, colour: Colour, *, region: int) -> None:
        """Colour what lies inside the shape, and make it this region."""
        self.tint(distance, colour)
        np.copyto(self.regions, np.uint8(region), where=distance < 0)


def to_pixels(samples: Field) -> Field:
    """Mean over the samples of each pixel: (..., height, width) to (..., height / SUPERSAMPLING, width / SUPERSAMPLING)."""
    step = SUPERSAMPLING
    # samples added one by one: the order in which NumPy's own sum adds depends on the machine
    total = samples[..., 0::step, 0::step].copy()
    for row in range(step):
        for column in range(step):
            if row or column:
                total += samples[..., row::step, column::step]
    return total * np.float32(1.0 / step**2)
