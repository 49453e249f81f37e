"""Pieces that backgrounds are put together from: sky, clouds, hills, the moon, waves, windows.

Lengths are fractions of the image's side: x from 0 at its left to 1, y from 0 at its top to 1.
"""

import numpy as np

from tempgen.data.scenes.canvas import Canvas
from tempgen.data.scenes.colours import RGB, gradient
from tempgen.data.scenes.draws import Draws
from tempgen.data.scenes.shapes import Field, Point, circle, ellipse, overlap, union, wave

#: What backgrounds are made of, as classes of the segmentation.
BACKGROUND_REGIONS = (
    "sky",
    "water",
    "vegetation",
    "sand",
    "rock",
    "snow",
    "building",
    "road",
    "wall",
    "floor",
)
SKY, WATER, VEGETATION, SAND, ROCK, SNOW, BUILDING, ROAD, WALL, FLOOR = range(len(BACKGROUND_REGIONS))

WHITE: RGB = (1.0, 1.0, 1.0)


def varied(colour: RGB, draws: Draws, *, by: float = 0.05) -> RGB:
    """The colour with each channel moved by at most ``by``."""
    red, green, blue = colour
    return red + draws.uniform(-by, by), green + draws.uniform(-by, by), blue + draws.uniform(-by, by)


def sky(canvas: Canvas, *, top: RGB, horizon: RGB, horizon_y: float) -> None:
    """Fill the whole canvas with a sky that goes from one colour to the other down to the horizon."""
    for plane, value in zip(canvas.rgb, gradient(top, horizon, canvas.at.y / horizon_y), strict=True):
        plane[:] = value
    canvas.regions[:] = SKY


def disc(canvas: Canvas, centre: Point, *, radius: float, colour: RGB) -> None:
    """Tint a round spot: a sun, a star, a flower in the distance."""
    near = canvas.around(centre, (radius + 0.03, radius + 0.03))
    near.tint(circle(near.at, centre, radius), colour)


def clouds(canvas: Canvas, draws: Draws, *, n: int, lowest_y: float, colour: RGB = WHITE) -> None:
    """Clouds of three puffs each, at random places above ``lowest_y``."""
    for _ in range(n):
        x, y, size = draws.uniform(0.05, 0.95), draws.uniform(0.06, lowest_y), draws.uniform(0.09, 0.15)
        near = canvas.around((x, y), (1.6 * size, 0.8 * size))
        left = ellipse(near.at, (x - 0.8 * size, y + 0.1 * size), (0.60 * size, 0.37 * size))
        middle = ellipse(near.at, (x, y - 0.15 * size), (0.80 * size, 0.50 * size))
        right = ellipse(near.at, (x + 0.8 * size, y + 0.1 * size), (0.65 * size, 0.40 * size))
        near.tint(union(left, middle, right), colour, opacity=draws.uniform(0.75, 0.95))


def hills(canvas: Canvas, draws: Draws, *, height_y: float, swing: float, period: float) -> Field:
    """Distance to the land below a rolling line, which swings about ``height_y``."""
    line = wave(canvas.at.x / period + draws.uniform()) * swing
    line = line + wave(canvas.at.x / (period * 0.43) + draws.uniform()) * (swing * 0.3)
    return height_y - line - canvas.at.y


def moon(canvas: Canvas, draws: Draws, centre: Point, *, radius: float) -> None:
    """Tint a crescent, or a full moon with two of its dark plains, in its glow."""
    near = canvas.around(centre, (2 * radius, 2 * radius))
    x, y = centre
    whole = circle(near.at, centre, radius)
    glow = np.clip(0.35 - whole * (0.35 / radius), 0.0, 0.35)
    near.tint(whole - radius * 0.8, (0.55, 0.58, 0.80), opacity=glow)
    if draws.chance(0.5):
        dark_side = circle(near.at, (x + radius * 0.55, y - radius * 0.2), radius * 0.9)
        near.tint(overlap(whole, -dark_side), (0.99, 0.95, 0.76))
        return
    near.tint(whole, (0.97, 0.95, 0.84))
    disc(near, (x - radius * 0.3, y - radius * 0.2), radius=radius * 0.25, colour=(0.83, 0.82, 0.76))
    disc(near, (x + radius * 0.3, y + radius * 0.35), radius=radius * 0.2, colour=(0.83, 0.82, 0.76))


def ripples(canvas: Canvas, draws: Draws, *, horizon_y: float, colour: RGB, opacity: float) -> None:
    """Tint the crests of waves, closer and thinner towards the horizon."""
    x, depth = canvas.at.x, np.maximum(canvas.at.y - horizon_y, 0.0)
    # the square root gathers the lines near the horizon as perspective does
    rows = np.sqrt(depth) * draws.uniform(9.0, 12.0)
    rows = rows + wave(x * draws.uniform(1.5, 2.5) + draws.uniform()) * 0.12
    gaps = wave(x * draws.uniform(2.5, 4.0) + np.floor(rows) * 0.37 + draws.uniform())
    crest = np.clip((wave(rows) - 0.55) * 3.0, 0.0, 1.0) * np.clip(gaps + 0.4, 0.0, 1.0)
    canvas.tint(horizon_y + 0.02 - canvas.at.y, colour, opacity=crest * opacity)


def windows(canvas: Canvas, draws: Draws, tower: Field, *, corner: Point, width: float, colour: RGB) -> None:
    """Tint rows of windows on a tower whose upper left corner is given; 7 in 10 of them are bright."""
    n_columns = 3 if width > 0.17 else 2
    across, down = (canvas.at.x - corner[0]) * (n_columns / width), (canvas.at.y - corner[1]) * 13.0
    column, storey = np.floor(across), np.floor(down)
    off_centre = np.maximum(np.abs(across - column - 0.5), np.abs(down - storey - 0.5))
    # one number per window, scattered over [0, 1), decides whether it is bright
    number = column * 0.61 + storey * 0.37 + draws.uniform()
    bright = number - np.floor(number) < 0.7
    panes = overlap(tower + 0.012, (off_centre - 0.28) * (width / n_columns))
    canvas.tint(panes, colour, opacity=np.where(bright, np.float32(0.95), np.float32(0.15)))
