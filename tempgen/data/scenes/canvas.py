"""A supersampled picture onto which shapes are painted, one over the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempgen.data.scenes.colours import RGB, Colour
from tempgen.data.scenes.shapes import Field, Point, Points

#: Samples of the canvas along each side of a pixel.
SUPERSAMPLING = 2


@dataclass(frozen=True, eq=False)
class Canvas:
    """Opaque picture in planes of red, green and blue, with the outline of the object painted on it.

    Attributes
    ----------
    at : Points
        Places of the samples; x and y broadcast to (height, width).
    sample : float
        Distance between neighbouring samples, in the unit of ``at``.
    rgb : NDArray[np.float32], shape (3, height, width)
        Colours in [0, 1].
    outline : NDArray[np.float32], shape (height, width)
        Signed distance to everything that :meth:`paint` painted so far, negative inside.
    regions : NDArray[np.uint8], shape (height, width)
        Number of the region that :meth:`lay` made each sample a part of, 0 where none.
    """

    at: Points
    sample: float
    rgb: NDArray[np.float32]
    outline: Field
    regions: NDArray[np.uint8]

    @classmethod
    def blank(cls, at: Points, *, sample: float, ground: RGB = (0.0, 0.0, 0.0)) -> "Canvas":
        """An empty canvas in the colour ``ground``."""
        shape = np.broadcast_shapes(at.x.shape, at.y.shape)
        rgb = np.empty((3, *shape), dtype=np.float32)
        for plane, value in zip(rgb, ground, strict=True):
            plane.fill(value)
        return cls(at, sample, rgb, np.full(shape, np.inf, dtype=np.float32), np.zeros(shape, dtype=np.uint8))

    def around(self, centre: Point, reach: Point) -> "Canvas":
        """The part of this canvas within ``reach`` (along x, along y) of a place: to paint on it is to paint here, only faster.

        Its axes must be the image's own: ``at.x`` of shape (1, width) and ``at.y`` of shape (height, 1), both increasing.
        """
        columns = slice(*np.searchsorted(self.at.x[0], (centre[0] - reach[0], centre[0] + reach[0])))
        rows = slice(*np.searchsorted(self.at.y[:, 0], (centre[1] - reach[1], centre[1] + reach[1])))
        at = Points(self.at.x[:, columns], self.at.y[rows])
        return Canvas(
            at,
            self.sample,
            self.rgb[:, rows, columns],
            self.outline[rows, columns],
            self.regions[rows, columns],
        )

    def cover(self, distance: Field) -> Field:
        """Share of each sample that lies inside a shape, from 0 to 1, with an edge one sample wide."""
        return np.clip(0.5 - distance * (1.0 / self.sample), 0.0, 1.0)

    def paint(self, distance: Field, colour: Colour, *, opacity: float | Field = 1.0) -> None:
        """Colour what lies inside the shape, and make the shape part of the outline."""
        np.minimum(self.outline, distance, out=self.outline)
        self.tint(distance, colour, opacity=opacity)

    def tint(self, distance: Field, colour: Colour, *, opacity: float | Field = 1.0) -> None:
        """Colour what lies inside the shape."""
        cover = self.cover(distance)
        if not (isinstance(opacity, float) and opacity == 1.0):
            cover = cover * opacity
        for plane, value in zip(self.rgb, colour, strict=True):
            plane += cover * (value - plane)

    def lay(self, distance: Field, colour: Colour, *, region: int) -> None:
        """Colour what lies inside the shape, and make it part of a region."""
        self.tint(distance, colour)
        np.copyto(self.regions, np.uint8(region), where=distance < 0)


def to_pixels(samples: Field) -> Field:
    """Mean over the samples of each pixel: (..., height, width) to (..., height / SUPERSAMPLING, width / SUPERSAMPLING)."""
    step = SUPERSAMPLING
    # samples added one by one: the order in which NumPy's own sum adds depends on the machine
    total = np.zeros_like(samples[..., ::step, ::step])
    for row in range(step):
        for column in range(step):
            total += samples[..., row::step, column::step]
    return total * np.float32(1.0 / step**2)
