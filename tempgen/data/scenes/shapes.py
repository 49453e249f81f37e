"""Implicit shapes: signed distance to an outline, negative inside, in the unit of the points.

Only additions, products, quotients, square roots, comparisons and roundings are used, which IEEE 754 defines to the last bit: a scene has
the same bytes on every machine. (Sine and exponential differ between NumPy's vector instruction sets.) Distances follow Quilez, "2D distance
functions", https://iquilezles.org/articles/distfunctions2d/.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
#: Values at points. They stay float32, although NumPy's annotations take a product with a Python number for float64.
Field = NDArray[np.floating]


@dataclass(frozen=True)
class Points:
    """Places at which shapes are evaluated.

    Attributes
    ----------
    x, y : NDArray[np.float32]
        Coordinates that broadcast against each other, such as (1, width) and (height, 1); x to the right, y down.
    """

    x: Field
    y: Field

    def seen_from(self, centre: Point, *, turn_deg: float = 0.0) -> "Points":
        """The same places in axes with their origin at ``centre``, turned clockwise (on the screen) by ``turn_deg`` degrees."""
        x, y = self.x - centre[0], self.y - centre[1]
        if turn_deg == 0.0:
            return Points(x, y)
        # nine decimals, so that the last bits of the machine's sine do not matter
        cos, sin = round(math.cos(math.radians(turn_deg)), 9), round(math.sin(math.radians(turn_deg)), 9)
        return Points(x * cos + y * sin, y * cos - x * sin)

    def mirrored(self) -> "Points":
        """The right half for both sides: a shape drawn at positive x appears at both."""
        return Points(np.abs(self.x), self.y)


def circle(at: Points, centre: Point, radius: float) -> Field:
    """Distance to a circle."""
    x, y = at.x - centre[0], at.y - centre[1]
    return np.sqrt(x * x + y * y) - radius


def ellipse(at: Points, centre: Point, radii: Point, *, turn_deg: float = 0.0) -> Field:
    """Distance to an ellipse, exact to first order at its edge; ``radii`` along its own x and y."""
    own = at.seen_from(centre, turn_deg=turn_deg)
    x, y = own.x / radii[0], own.y / radii[1]
    scaled = np.sqrt(x * x + y * y)
    x, y = x / radii[0], y / radii[1]
    slope = np.sqrt(x * x + y * y) + 1e-6
    return scaled * (scaled - 1.0) / slope


def box(at: Points, centre: Point, half: Point, *, rounding: float = 0.0) -> Field:
    """Distance to a box given by half its width and height, its corners rounded with this radius."""
    x = np.abs(at.x - centre[0]) - (half[0] - rounding)
    y = np.abs(at.y - centre[1]) - (half[1] - rounding)
    if rounding == 0.0:
        return np.maximum(x, y)
    outside_x, outside_y = np.maximum(x, 0.0), np.maximum(y, 0.0)
    return (
        np.sqrt(outside_x * outside_x + outside_y * outside_y) + np.minimum(np.maximum(x, y), 0.0) - rounding
    )


def stroke(at: Points, start: Point, end: Point, width: float) -> Field:
    """Distance to a straight line with round ends and this full width."""
    x, y = at.x - start[0], at.y - start[1]
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    share = np.clip((x * along_x + y * along_y) / (along_x * along_x + along_y * along_y), 0.0, 1.0)
    x, y = x - share * along_x, y - share * along_y
    return np.sqrt(x * x + y * y) - width / 2


def convex(at: Points, corners: Sequence[Point]) -> Field:
    """Distance to a convex polygon (too short beyond its corners, which stay sharp); corners in order, either way round."""
    following = [*corners[1:], corners[0]]
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(corners, following, strict=True))
    inwards = 1.0 if area > 0 else -1.0
    distance: Field = np.full((1, 1), -np.inf, dtype=np.float32)
    for (x0, y0), (x1, y1) in zip(corners, following, strict=True):
        length = math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2)
        across_x, across_y = inwards * (y1 - y0) / length, inwards * (x0 - x1) / length
        edge = at.x * across_x + (at.y * across_y - (x0 * across_x + y0 * across_y))
        distance = np.maximum(distance, edge)
    return distance


def union(*distances: Field) -> Field:
    """Distance to all of these together."""
    together = distances[0]
    for distance in distances[1:]:
        together = np.minimum(together, distance)
    return together


def overlap(*distances: Field) -> Field:
    """Distance to what these have in common."""
    common = distances[0]
    for distance in distances[1:]:
        common = np.maximum(common, distance)
    return common


def ring(distance: Field, width: float) -> Field:
    """Distance to a line of this full width along the outline of a shape."""
    return np.abs(distance) - width / 2


def wave(turns: Field) -> Field:
    """A sine of period 1 made of parabolas, within 0.06 of ``sin(2 pi turns)``."""
    phase = turns - np.floor(turns + 0.5)
    return phase * (8.0 - 16.0 * np.abs(phase))
