"""Painters of backgrounds, over the whole image.

Regions (sky, water, vegetation ...) are laid from the far to the near; what has no region of its own (the sun, a cloud, a window
of the room) belongs to the region behind it.
"""

from collections.abc import Callable

import numpy as np

from tempgen.data.scenes.canvas import Canvas
from tempgen.data.scenes.colours import RGB, darker, gradient, lighter
from tempgen.data.scenes.draws import Draws
from tempgen.data.scenes.scenery import (
    BUILDING,
    FLOOR,
    ROAD,
    ROCK,
    SAND,
    SNOW,
    VEGETATION,
    WALL,
    WATER,
    clouds,
    disc,
    hills,
    moon,
    ripples,
    sky,
    varied,
    windows,
)
from tempgen.data.scenes.shapes import box, circle, convex, overlap, union, wave


def paint_sea(canvas: Canvas, draws: Draws) -> None:
    """Open sea under a bright sky with clouds."""
    at, horizon_y = canvas.at, draws.uniform(0.36, 0.52)
    sky(canvas, top=varied((0.36, 0.62, 0.92), draws), horizon=(0.84, 0.93, 0.98), horizon_y=horizon_y)
    if draws.chance(0.5):
        place = (draws.uniform(0.12, 0.88), draws.uniform(0.10, 0.20))
        disc(canvas, place, radius=0.075, colour=(1.0, 0.95, 0.62))
    clouds(canvas, draws, n=1 + draws.integer(3), lowest_y=horizon_y - 0.1)
    far, near = varied((0.06, 0.34, 0.60), draws), varied((0.10, 0.56, 0.70), draws)
    canvas.lay(horizon_y - at.y, gradient(far, near, (at.y - horizon_y) * 1.8), region=WATER)
    ripples(canvas, draws, horizon_y=horizon_y, colour=(0.80, 0.94, 0.97), opacity=0.55)


def paint_meadow(canvas: Canvas, draws: Draws) -> None:
    """Green hills dotted with flowers."""
    at, near_y = canvas.at, draws.uniform(0.58, 0.68)
    sky(canvas, top=varied((0.45, 0.72, 0.95), draws), horizon=(0.88, 0.95, 0.98), horizon_y=0.6)
    clouds(canvas, draws, n=1 + draws.integer(2), lowest_y=0.3)
    far_hill = hills(canvas, draws, height_y=near_y - 0.13, swing=0.06, period=draws.uniform(0.7, 1.1))
    far_green = gradient((0.50, 0.74, 0.40), (0.36, 0.62, 0.30), (at.y - near_y) * 3.0 + 1.0)
    canvas.lay(far_hill, far_green, region=VEGETATION)
    near_hill = hills(canvas, draws, height_y=near_y, swing=0.05, period=draws.uniform(0.9, 1.4))
    lit = varied((0.46, 0.76, 0.26), draws, by=0.04)
    canvas.lay(near_hill, gradient(lit, (0.20, 0.50, 0.16), (at.y - near_y) * 2.4), region=VEGETATION)
    for _ in range(2):
        petals = draws.choice([(1.0, 1.0, 0.95), (0.98, 0.86, 0.25), (0.94, 0.45, 0.55)])
        for _ in range(7):
            x, y = draws.uniform(), draws.uniform(near_y + 0.08, 0.98)
            disc(canvas, (x, y), radius=0.008 + 0.012 * y, colour=petals)


def paint_desert(canvas: Canvas, draws: Draws) -> None:
    """Dunes with one lit and one shaded side under a hot sky."""
    at, horizon_y = canvas.at, draws.uniform(0.44, 0.54)
    sky(canvas, top=varied((0.42, 0.68, 0.90), draws), horizon=(0.98, 0.90, 0.74), horizon_y=horizon_y)
    place = (draws.uniform(0.12, 0.88), draws.uniform(0.10, 0.22))
    disc(canvas, place, radius=0.07, colour=(1.0, 0.97, 0.80))
    sand = varied((0.93, 0.74, 0.44), draws, by=0.04)
    for below_horizon, swing, period, dimmed in (
        (0.0, 0.05, 0.9, 0.2),
        (0.16, 0.07, 1.2, 0.1),
        (0.34, 0.06, 1.5, 0.0),
    ):
        turns = at.x / period + draws.uniform()
        crest = horizon_y + below_horizon - wave(turns) * swing
        dune, tone = crest - at.y, darker(sand, dimmed)
        canvas.lay(dune, gradient(lighter(tone, 0.25), tone, (at.y - crest) * 7.0), region=SAND)
        # the shaded side: below a crest that falls, down to a slanting line
        falling = np.maximum(-wave(turns + 0.25), 0.0)
        canvas.tint(overlap(dune, at.y - crest - 0.16 * falling), darker(tone, 0.28), opacity=0.8)


def paint_night(canvas: Canvas, draws: Draws) -> None:
    """Night sky with stars and a full or crescent moon over dark hills."""
    top, horizon = varied((0.03, 0.04, 0.16), draws, by=0.02), varied((0.20, 0.22, 0.46), draws)
    sky(canvas, top=top, horizon=horizon, horizon_y=0.85)
    for radius, colour, n_stars in ((0.009, (0.66, 0.70, 0.88), 16), (0.014, (1.0, 0.98, 0.88), 10)):
        for _ in range(n_stars):
            disc(canvas, (draws.uniform(), draws.uniform(0.0, 0.72)), radius=radius, colour=colour)
    place = (draws.uniform(0.14, 0.86), draws.uniform(0.14, 0.26))
    moon(canvas, draws, place, radius=draws.uniform(0.085, 0.12))
    far = hills(canvas, draws, height_y=0.80, swing=0.05, period=0.8)
    canvas.lay(far, (0.09, 0.12, 0.25), region=VEGETATION)
    near = hills(canvas, draws, height_y=0.89, swing=0.04, period=1.1)
    canvas.lay(near, (0.05, 0.09, 0.14), region=VEGETATION)


def paint_mountains(canvas: Canvas, draws: Draws) -> None:
    """Snow-capped peaks above a snowfield with firs."""
    at, foot_y = canvas.at, draws.uniform(0.64, 0.72)
    sky(canvas, top=varied((0.50, 0.70, 0.92), draws), horizon=(0.90, 0.94, 0.98), horizon_y=foot_y)
    rock = varied((0.42, 0.44, 0.54), draws, by=0.03)
    for leftmost, rightmost in ((0.0, 0.3), (0.7, 1.0), (0.35, 0.65)):
        x, top_y = draws.uniform(leftmost, rightmost), draws.uniform(0.12, 0.30)
        half = draws.uniform(0.36, 0.48)
        peak = convex(at, [(x, top_y), (x + half, foot_y + 0.1), (x - half, foot_y + 0.1)])
        canvas.lay(peak, rock, region=ROCK)
        snow_line = top_y + draws.uniform(0.15, 0.22) + wave(at.x * 9.0 + draws.uniform()) * 0.035
        canvas.lay(overlap(peak, at.y - snow_line), (0.97, 0.98, 1.0), region=SNOW)
        # the right face lies in shade, its edge zigzags down from the top
        ridge = at.x - x - wave(at.y * 7.0) * 0.025
        canvas.tint(overlap(peak, -ridge), (0.20, 0.26, 0.44), opacity=0.42)
    field = hills(canvas, draws, height_y=foot_y + 0.04, swing=0.03, period=1.1)
    canvas.lay(field, gradient((0.97, 0.98, 1.0), (0.74, 0.83, 0.93), (at.y - foot_y) * 3.0), region=SNOW)
    for _ in range(5):
        x, y, tall = draws.uniform(), foot_y + draws.uniform(0.05, 0.14), draws.uniform(0.09, 0.14)
        near = canvas.around((x, y - tall / 2), (tall, tall))
        fir = convex(near.at, [(x, y - tall), (x + tall * 0.35, y), (x - tall * 0.35, y)])
        near.lay(fir, (0.12, 0.28, 0.24), region=VEGETATION)


def paint_room(canvas: Canvas, draws: Draws) -> None:
    """A room: striped or plain wallpaper, a window or a picture, a wooden floor."""
    at, floor_y = canvas.at, draws.uniform(0.66, 0.76)
    papers: list[RGB] = [
        (0.90, 0.84, 0.70),
        (0.72, 0.82, 0.80),
        (0.86, 0.74, 0.74),
        (0.74, 0.76, 0.88),
        (0.80, 0.86, 0.70),
    ]
    paper = draws.choice(papers)
    wall = at.y - floor_y
    canvas.lay(wall, gradient(lighter(paper, 0.1), darker(paper, 0.12), at.y + at.x * 0.3), region=WALL)
    if draws.chance(0.5):
        stripes = -wave(at.x * draws.choice([5.0, 6.0, 7.0]) + 0.2) * 0.05
        canvas.tint(overlap(wall, stripes), darker(paper, 0.08))
    x = draws.choice([0.2, 0.5, 0.8])
    if draws.chance(0.5):
        canvas.tint(box(at, (x, 0.26), (0.16, 0.18)), (0.97, 0.96, 0.93))
        corners = [(x + dx, 0.26 + dy) for dx in (-0.072, 0.072) for dy in (-0.082, 0.082)]
        panes = union(*(box(at, corner, (0.062, 0.072)) for corner in corners))
        canvas.tint(panes, gradient((0.50, 0.76, 0.95), (0.82, 0.93, 0.98), at.y * 2.2))
    else:
        canvas.tint(box(at, (x, 0.24), (0.15, 0.12)), (0.42, 0.27, 0.14))
        picture = box(at, (x, 0.24), (0.122, 0.092))
        canvas.tint(picture, varied((0.80, 0.88, 0.86), draws))
        hill = overlap(picture, 0.27 - at.y + wave(at.x * 5.0) * 0.02)
        canvas.tint(hill, varied((0.40, 0.58, 0.40), draws))
    wood = varied((0.62, 0.42, 0.25), draws, by=0.04)
    depth = at.y - floor_y
    canvas.lay(-depth, gradient(darker(wood, 0.15), lighter(wood, 0.15), depth * 3.0), region=FLOOR)
    # boards run towards a vanishing point at the middle of the wall
    boards = wave((at.x - 0.5) * (2.2 / np.maximum(depth + 0.35, 0.1)))
    canvas.tint(overlap(-depth, np.abs(boards) * 0.05 - 0.012), darker(wood, 0.4))
    canvas.tint(box(at, (0.5, floor_y - 0.012), (0.6, 0.018)), (0.95, 0.93, 0.88))


# colours of the sky at its top and at the horizon, of walls, and of bright windows
_DAY: tuple[RGB, ...] = ((0.58, 0.76, 0.92), (0.90, 0.93, 0.95), (0.56, 0.57, 0.62), (0.80, 0.90, 0.96))
_DUSK: tuple[RGB, ...] = ((0.22, 0.22, 0.48), (0.95, 0.62, 0.52), (0.24, 0.24, 0.36), (1.00, 0.88, 0.50))


def paint_city(canvas: Canvas, draws: Draws) -> None:
    """A skyline with windows above a street, by day or at dusk."""
    at, street_y = canvas.at, draws.uniform(0.78, 0.84)
    top, horizon, wall, lit = draws.choice([_DAY, _DAY, _DAY, _DUSK, _DUSK])
    sky(canvas, top=varied(top, draws), horizon=horizon, horizon_y=street_y)
    for far, tallest_y, lowest_y in ((True, 0.16, 0.40), (False, 0.34, 0.58)):
        left = draws.uniform(-0.12, 0.0)
        while left < 1.0:
            width, top_y = draws.uniform(0.13, 0.22), draws.uniform(tallest_y, lowest_y)
            facade = darker(varied(wall, draws, by=0.04), draws.uniform(0.0, 0.25))
            centre, half = (left + width / 2, (top_y + street_y) / 2), (width / 2, (street_y - top_y) / 2)
            near = canvas.around(centre, (half[0] + 0.02, half[1] + 0.02))
            tower = box(near.at, centre, half)
            near.lay(tower, lighter(facade, 0.3) if far else facade, region=BUILDING)
            if not far:
                windows(near, draws, tower, corner=(left, top_y), width=width, colour=lit)
            left += width + draws.uniform(0.0, 0.02)
    tarmac = gradient((0.34, 0.34, 0.37), (0.24, 0.24, 0.27), (at.y - street_y) * 5.0)
    canvas.lay(street_y - at.y, tarmac, region=ROAD)
    canvas.tint(box(at, (0.5, street_y + 0.012), (0.6, 0.014)), (0.70, 0.69, 0.67))
    lane = box(at, (0.5, (street_y + 1.03) / 2), (0.6, 0.012))
    canvas.tint(overlap(lane, wave(at.x * 5.0 + draws.uniform()) * 0.03), (0.94, 0.92, 0.80))


def paint_beach(canvas: Canvas, draws: Draws) -> None:
    """A beach at sunset, the sun on the horizon and its path on the water."""
    at, horizon_y = canvas.at, draws.uniform(0.44, 0.54)
    top, horizon = varied((0.42, 0.24, 0.55), draws), varied((1.0, 0.64, 0.30), draws, by=0.03)
    sky(canvas, top=top, horizon=horizon, horizon_y=horizon_y)
    x, radius = draws.uniform(0.15, 0.85), draws.uniform(0.10, 0.14)
    sun = circle(at, (x, horizon_y - radius * 0.35), radius)
    canvas.tint(sun - 0.12, (1.0, 0.82, 0.45), opacity=np.clip(0.55 - sun * 4.5, 0.0, 0.55))
    canvas.tint(sun, (1.0, 0.92, 0.60))
    clouds(canvas, draws, n=draws.integer(3), lowest_y=horizon_y - 0.2, colour=(0.95, 0.60, 0.58))
    sea = horizon_y - at.y
    canvas.lay(sea, gradient((0.86, 0.46, 0.36), (0.32, 0.24, 0.46), sea * -4.5), region=WATER)
    path = np.abs(at.x - x) - radius * (0.6 + 0.5 * wave(at.y * 17.0))
    canvas.tint(overlap(path, sea), (1.0, 0.84, 0.50), opacity=0.75)
    shore_y = draws.uniform(0.72, 0.80)
    sand = shore_y + wave(at.x * 0.8 + draws.uniform()) * 0.04 - at.y
    # foam where the water ends
    canvas.tint(sand - 0.025, (0.98, 0.90, 0.84))
    canvas.lay(sand, gradient((0.66, 0.46, 0.33), (0.90, 0.72, 0.52), (at.y - shore_y) * 6.0), region=SAND)


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
