"""Painters of backgrounds, over the whole image: x from 0 at its left to 1, y from 0 at its top to 1.

Regions (sky, water, grass ...) are laid from the far to the near; what has no region of its own (the sun, a cloud, a window) belongs to
the region behind it.
"""

from collections.abc import Callable

import numpy as np

from tempgen.data.scenes.canvas import Canvas
from tempgen.data.scenes.colours import RGB, Colour, darker, gradient, lighter
from tempgen.data.scenes.draws import Draws
from tempgen.data.scenes.shapes import Field, Point, box, circle, convex, ellipse, overlap, union, wave

#: What a background is made of, as classes of the segmentation.
BACKGROUND_REGIONS = ("sky", "water", "grass", "sand", "rock", "snow", "building", "road", "wall", "floor")
SKY, WATER, GRASS, SAND, ROCK, SNOW, BUILDING, ROAD, WALL, FLOOR = range(len(BACKGROUND_REGIONS))
WHITE: RGB = (1.0, 1.0, 1.0)


def _sky(canvas: Canvas, *, top: RGB, horizon: RGB, horizon_y: float) -> None:
    for plane, value in zip(canvas.rgb, gradient(top, horizon, canvas.at.y / horizon_y), strict=True):
        plane[:] = value
    canvas.regions[:] = SKY


def _varied(colour: RGB, draws: Draws, by: float = 0.05) -> RGB:
    return (
        colour[0] + draws.uniform(-by, by),
        colour[1] + draws.uniform(-by, by),
        colour[2] + draws.uniform(-by, by),
    )


def _clouds(canvas: Canvas, draws: Draws, n: int, *, lowest_y: float, colour: RGB = WHITE) -> None:
    for _ in range(n):
        x, y, size = draws.uniform(0.05, 0.95), draws.uniform(0.06, lowest_y), draws.uniform(0.09, 0.15)
        near = canvas.around((x, y), (1.6 * size, 0.8 * size))
        left, middle, right = ((-0.8, 0.1, 0.6), (0.0, -0.15, 0.8), (0.8, 0.1, 0.65))
        puffs = [
            ellipse(near.at, (x + dx * size, y + dy * size), (size * r, size * r * 0.62))
            for dx, dy, r in (left, middle, right)
        ]
        near.tint(union(*puffs), colour, opacity=draws.uniform(0.75, 0.95))


def _disc(canvas: Canvas, centre: Point, radius: float, colour: RGB) -> None:
    near = canvas.around(centre, (radius + 0.03, radius + 0.03))
    near.tint(circle(near.at, centre, radius), colour)


def _hills(canvas: Canvas, draws: Draws, *, height_y: float, swing: float, period: float) -> Field:
    """Distance to the land below a rolling line."""
    phase, second = draws.uniform(), draws.uniform()
    line = wave(canvas.at.x / period + phase) * swing + wave(canvas.at.x / (period * 0.43) + second) * (
        swing * 0.3
    )
    return height_y - line - canvas.at.y


def _ripples(canvas: Canvas, draws: Draws, *, horizon_y: float, colour: RGB, opacity: float) -> None:
    """Crests of waves, closer and thinner towards the horizon."""
    depth = np.maximum(canvas.at.y - horizon_y, 0.0)
    # the square root gathers the lines near the horizon as perspective does
    rows = (
        np.sqrt(depth) * draws.uniform(9.0, 12.0)
        + wave(canvas.at.x * draws.uniform(1.5, 2.5) + draws.uniform()) * 0.12
    )
    gaps = wave(canvas.at.x * draws.uniform(2.5, 4.0) + np.floor(rows) * 0.37 + draws.uniform())
    crest = np.clip((wave(rows) - 0.55) * 3.0, 0.0, 1.0) * np.clip(gaps + 0.4, 0.0, 1.0)
    canvas.tint(horizon_y + 0.02 - canvas.at.y, colour, opacity=crest * opacity)


def _moon(canvas: Canvas, draws: Draws, centre: Point, radius: float) -> None:
    """A crescent, or a full moon with two of its dark plains, in its glow."""
    near = canvas.around(centre, (2 * radius, 2 * radius))
    x, y = centre
    moon = circle(near.at, centre, radius)
    near.tint(
        moon - radius * 0.8, (0.55, 0.58, 0.80), opacity=np.clip(0.35 - moon * (0.35 / radius), 0.0, 0.35)
    )
    if draws.chance(0.5):
        night = circle(near.at, (x + radius * 0.55, y - radius * 0.2), radius * 0.9)
        near.tint(overlap(moon, -night), (0.99, 0.95, 0.76))
    else:
        near.tint(moon, (0.97, 0.95, 0.84))
        _disc(near, (x - radius * 0.3, y - radius * 0.2), radius * 0.25, (0.83, 0.82, 0.76))
        _disc(near, (x + radius * 0.3, y + radius * 0.35), radius * 0.2, (0.83, 0.82, 0.76))


def paint_sea(canvas: Canvas, draws: Draws) -> None:
    """Open sea under a bright sky with clouds."""
    at, horizon_y = canvas.at, draws.uniform(0.36, 0.52)
    _sky(canvas, top=_varied((0.36, 0.62, 0.92), draws), horizon=(0.84, 0.93, 0.98), horizon_y=horizon_y)
    if draws.chance(0.5):
        _disc(canvas, (draws.uniform(0.12, 0.88), draws.uniform(0.10, 0.2)), 0.075, (1.0, 0.95, 0.62))
    _clouds(canvas, draws, 1 + draws.integer(3), lowest_y=horizon_y - 0.1)
    water = horizon_y - at.y
    canvas.lay(
        water,
        gradient(
            _varied((0.06, 0.34, 0.60), draws), _varied((0.10, 0.56, 0.70), draws), (at.y - horizon_y) * 1.8
        ),
        region=WATER,
    )
    _ripples(canvas, draws, horizon_y=horizon_y, colour=(0.80, 0.94, 0.97), opacity=0.55)


def paint_meadow(canvas: Canvas, draws: Draws) -> None:
    """Green hills dotted with flowers."""
    at, near_y = canvas.at, draws.uniform(0.58, 0.68)
    _sky(canvas, top=_varied((0.45, 0.72, 0.95), draws), horizon=(0.88, 0.95, 0.98), horizon_y=0.6)
    _clouds(canvas, draws, 1 + draws.integer(2), lowest_y=0.3)
    far = _hills(canvas, draws, height_y=near_y - 0.13, swing=0.06, period=draws.uniform(0.7, 1.1))
    canvas.lay(
        far, gradient((0.50, 0.74, 0.40), (0.36, 0.62, 0.30), (at.y - near_y) * 3.0 + 1.0), region=GRASS
    )
    near = _hills(canvas, draws, height_y=near_y, swing=0.05, period=draws.uniform(0.9, 1.4))
    canvas.lay(
        near,
        gradient(_varied((0.46, 0.76, 0.26), draws, 0.04), (0.20, 0.50, 0.16), (at.y - near_y) * 2.4),
        region=GRASS,
    )
    for _ in range(2):
        petals = draws.choice([(1.0, 1.0, 0.95), (0.98, 0.86, 0.25), (0.94, 0.45, 0.55)])
        for _ in range(7):
            x, y = draws.uniform(), draws.uniform(near_y + 0.08, 0.98)
            _disc(canvas, (x, y), 0.008 + 0.012 * y, petals)


def paint_desert(canvas: Canvas, draws: Draws) -> None:
    """Dunes with one lit and one shaded side under a hot sky."""
    at, horizon_y = canvas.at, draws.uniform(0.44, 0.54)
    _sky(canvas, top=_varied((0.42, 0.68, 0.90), draws), horizon=(0.98, 0.90, 0.74), horizon_y=horizon_y)
    _disc(canvas, (draws.uniform(0.12, 0.88), draws.uniform(0.10, 0.22)), 0.07, (1.0, 0.97, 0.80))
    sand = _varied((0.93, 0.74, 0.44), draws, 0.04)
    for number, (base_y, swing, period) in enumerate(
        ((horizon_y, 0.05, 0.9), (horizon_y + 0.16, 0.07, 1.2), (horizon_y + 0.34, 0.06, 1.5))
    ):
        phase = draws.uniform()
        crest = base_y - wave(at.x / period + phase) * swing
        dune = crest - at.y
        tone = darker(sand, 0.10 * (2 - number))
        canvas.lay(dune, gradient(lighter(tone, 0.25), tone, (at.y - crest) * 7.0), region=SAND)
        # the side away from the sun: where the crest falls, down to a slanting line
        slope = wave(at.x / period + phase + 0.25)
        canvas.tint(
            overlap(dune, at.y - crest - 0.16 * np.maximum(-slope, 0.0)), darker(tone, 0.28), opacity=0.8
        )


def paint_night(canvas: Canvas, draws: Draws) -> None:
    """Night sky with stars and a full or crescent moon over dark hills."""
    _sky(
        canvas,
        top=_varied((0.03, 0.04, 0.16), draws, 0.02),
        horizon=_varied((0.20, 0.22, 0.46), draws),
        horizon_y=0.85,
    )
    for star in range(26):
        faint = star < 16
        place = (draws.uniform(), draws.uniform(0.0, 0.72))
        _disc(canvas, place, 0.009 if faint else 0.014, (0.66, 0.70, 0.88) if faint else (1.0, 0.98, 0.88))
    _moon(canvas, draws, (draws.uniform(0.14, 0.86), draws.uniform(0.14, 0.26)), draws.uniform(0.085, 0.12))
    canvas.lay(_hills(canvas, draws, height_y=0.80, swing=0.05, period=0.8), (0.09, 0.12, 0.25), region=GRASS)
    canvas.lay(_hills(canvas, draws, height_y=0.89, swing=0.04, period=1.1), (0.05, 0.09, 0.14), region=GRASS)


def paint_mountains(canvas: Canvas, draws: Draws) -> None:
    """Snow-capped peaks above a snowfield with firs."""
    at, foot_y = canvas.at, draws.uniform(0.64, 0.72)
    _sky(canvas, top=_varied((0.50, 0.70, 0.92), draws), horizon=(0.90, 0.94, 0.98), horizon_y=foot_y)
    rock = _varied((0.42, 0.44, 0.54), draws, 0.03)
    for x in (draws.uniform(0.0, 0.3), draws.uniform(0.7, 1.0), draws.uniform(0.35, 0.65)):
        top_y, half = draws.uniform(0.12, 0.30), draws.uniform(0.36, 0.48)
        peak = convex(at, [(x, top_y), (x + half, foot_y + 0.1), (x - half, foot_y + 0.1)])
        canvas.lay(peak, rock, region=ROCK)
        snow_line = top_y + draws.uniform(0.15, 0.22) + wave(at.x * 9.0 + draws.uniform()) * 0.035
        canvas.lay(overlap(peak, at.y - snow_line), (0.97, 0.98, 1.0), region=SNOW)
        # the right face lies in shade, its edge zigzags down from the top
        ridge = at.x - x - wave(at.y * 7.0) * 0.025
        canvas.tint(overlap(peak, -ridge), (0.20, 0.26, 0.44), opacity=0.42)
    field = _hills(canvas, draws, height_y=foot_y + 0.04, swing=0.03, period=1.1)
    canvas.lay(field, gradient((0.97, 0.98, 1.0), (0.74, 0.83, 0.93), (at.y - foot_y) * 3.0), region=SNOW)
    for _ in range(5):
        x, y, tall = draws.uniform(), draws.uniform(foot_y + 0.05, foot_y + 0.14), draws.uniform(0.09, 0.14)
        near = canvas.around((x, y - tall / 2), (tall, tall))
        fir = convex(near.at, [(x, y - tall), (x + tall * 0.35, y), (x - tall * 0.35, y)])
        near.lay(fir, (0.12, 0.28, 0.24), region=GRASS)


def paint_room(canvas: Canvas, draws: Draws) -> None:
    """A room: striped or plain wallpaper, a window or a picture, a wooden floor."""
    at, floor_y = canvas.at, draws.uniform(0.66, 0.76)
    paper: RGB = draws.choice(
        [(0.90, 0.84, 0.70), (0.72, 0.82, 0.80), (0.86, 0.74, 0.74), (0.74, 0.76, 0.88), (0.80, 0.86, 0.70)]
    )
    canvas.lay(
        at.y - floor_y, gradient(lighter(paper, 0.1), darker(paper, 0.12), at.y + at.x * 0.3), region=WALL
    )
    if draws.chance(0.5):
        canvas.tint(
            overlap(at.y - floor_y, -wave(at.x * draws.choice([5.0, 6.0, 7.0]) + 0.2) * 0.05),
            darker(paper, 0.08),
        )
    x = draws.choice([0.2, 0.5, 0.8])
    if draws.chance(0.5):
        canvas.tint(box(at, (x, 0.26), (0.16, 0.18)), (0.97, 0.96, 0.93))
        canvas.tint(
            union(
                *(
                    box(at, (x + dx, 0.26 + dy), (0.062, 0.072))
                    for dx in (-0.072, 0.072)
                    for dy in (-0.082, 0.082)
                )
            ),
            gradient((0.50, 0.76, 0.95), (0.82, 0.93, 0.98), at.y * 2.2),
        )
    else:
        canvas.tint(box(at, (x, 0.24), (0.15, 0.12)), (0.42, 0.27, 0.14))
        canvas.tint(box(at, (x, 0.24), (0.122, 0.092)), _varied((0.80, 0.88, 0.86), draws))
        canvas.tint(
            overlap(box(at, (x, 0.24), (0.122, 0.092)), 0.27 - at.y + wave(at.x * 5.0) * 0.02),
            _varied((0.40, 0.58, 0.40), draws),
        )
    wood = _varied((0.62, 0.42, 0.25), draws, 0.04)
    canvas.lay(
        floor_y - at.y,
        gradient(darker(wood, 0.15), lighter(wood, 0.15), (at.y - floor_y) * 3.0),
        region=FLOOR,
    )
    # boards run towards a vanishing point at the middle of the wall
    boards = wave((at.x - 0.5) * (2.2 / (at.y - floor_y + 0.35)))
    canvas.tint(overlap(floor_y - at.y, np.abs(boards) * 0.05 - 0.012), darker(wood, 0.4))
    canvas.tint(box(at, (0.5, floor_y - 0.012), (0.6, 0.018)), (0.95, 0.93, 0.88))


def _windows(canvas: Canvas, draws: Draws, tower: Field, *, corner: Point, width: float, colour: RGB) -> None:
    """Rows of windows on a tower whose upper left corner is given; about 7 in 10 of them are bright."""
    n_columns = 3 if width > 0.17 else 2
    across, down = (canvas.at.x - corner[0]) * (n_columns / width), (canvas.at.y - corner[1]) * 13.0
    column, storey = np.floor(across), np.floor(down)
    off_centre = np.maximum(np.abs(across - column - 0.5), np.abs(down - storey - 0.5))
    # one number per window, scattered over [0, 1), decides whether it is bright
    number = column * 0.61 + storey * 0.37 + draws.uniform()
    bright = number - np.floor(number) < 0.7
    panes = overlap(tower + 0.012, (off_centre - 0.28) * (width / n_columns))
    canvas.tint(panes, colour, opacity=np.where(bright, np.float32(0.95), np.float32(0.15)))


def paint_city(canvas: Canvas, draws: Draws) -> None:
    """A skyline with windows above a street, by day or at dusk."""
    at, street_y = canvas.at, draws.uniform(0.78, 0.84)
    dusk = draws.chance(0.4)
    top, horizon = (
        ((0.22, 0.22, 0.48), (0.95, 0.62, 0.52)) if dusk else ((0.58, 0.76, 0.92), (0.90, 0.93, 0.95))
    )
    _sky(canvas, top=_varied(top, draws), horizon=horizon, horizon_y=street_y)
    lit, wall = ((1.0, 0.88, 0.50), (0.24, 0.24, 0.36)) if dusk else ((0.80, 0.90, 0.96), (0.56, 0.57, 0.62))
    for far, tallest, lowest in ((True, 0.16, 0.40), (False, 0.34, 0.58)):
        left = draws.uniform(-0.12, 0.0)
        while left < 1.0:
            width, top_y = draws.uniform(0.13, 0.22), draws.uniform(tallest, lowest)
            facade = darker(_varied(wall, draws, 0.04), draws.uniform(0.0, 0.25))
            centre, half = (left + width / 2, (top_y + street_y) / 2), (width / 2, (street_y - top_y) / 2)
            near = canvas.around(centre, (half[0] + 0.02, half[1] + 0.02))
            tower = box(near.at, centre, half)
            near.lay(tower, lighter(facade, 0.3) if far else facade, region=BUILDING)
            if not far:
                _windows(near, draws, tower, corner=(left, top_y), width=width, colour=lit)
            left += width + draws.uniform(0.0, 0.02)
    canvas.lay(
        street_y - at.y,
        gradient((0.34, 0.34, 0.37), (0.24, 0.24, 0.27), (at.y - street_y) * 5.0),
        region=ROAD,
    )
    canvas.tint(box(at, (0.5, street_y + 0.012), (0.6, 0.014)), (0.70, 0.69, 0.67))
    lane = (street_y + 1.03) / 2
    canvas.tint(
        overlap(box(at, (0.5, lane), (0.6, 0.012)), wave(at.x * 5.0 + draws.uniform()) * 0.03),
        (0.94, 0.92, 0.80),
    )


def paint_beach(canvas: Canvas, draws: Draws) -> None:
    """A beach at sunset, the sun on the horizon and its path on the water."""
    at, horizon_y = canvas.at, draws.uniform(0.44, 0.54)
    _sky(
        canvas,
        top=_varied((0.42, 0.24, 0.55), draws),
        horizon=_varied((1.0, 0.64, 0.30), draws, 0.03),
        horizon_y=horizon_y,
    )
    x, radius = draws.uniform(0.15, 0.85), draws.uniform(0.10, 0.14)
    sun = circle(at, (x, horizon_y - radius * 0.35), radius)
    canvas.tint(sun - 0.12, (1.0, 0.82, 0.45), opacity=np.clip(0.55 - sun * 4.5, 0.0, 0.55))
    canvas.tint(sun, (1.0, 0.92, 0.60))
    _clouds(canvas, draws, draws.integer(3), lowest_y=horizon_y - 0.2, colour=(0.95, 0.60, 0.58))
    sea: Colour = gradient((0.86, 0.46, 0.36), (0.32, 0.24, 0.46), (at.y - horizon_y) * 4.5)
    canvas.lay(horizon_y - at.y, sea, region=WATER)
    path = np.abs(at.x - x) - radius * (0.6 + 0.5 * wave(at.y * 17.0))
    canvas.tint(overlap(path, horizon_y - at.y), (1.0, 0.84, 0.50), opacity=0.75)
    shore_y = draws.uniform(0.72, 0.80)
    phase = draws.uniform()
    shore = shore_y + wave(at.x * 0.8 + phase) * 0.04 - at.y
    canvas.tint(shore - 0.025, (0.98, 0.90, 0.84))
    canvas.lay(shore, gradient((0.66, 0.46, 0.33), (0.90, 0.72, 0.52), (at.y - shore_y) * 6.0), region=SAND)


#: Painter of each background, in the order of their numbers.
BACKGROUND_PAINTERS: dict[str, Callable[[Canvas, Draws], None]] = {
    "sea": paint_sea,
    "meadow": paint_meadow,
    "desert": paint_desert,
    "night": paint_night,
    "mountains": paint_mountains,
    "room": paint_room,
    "city": paint_city,
    "beach": paint_beach,
}
