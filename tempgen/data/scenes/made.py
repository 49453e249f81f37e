"""Painters of things that people make, in the square from -1 to 1 as in :mod:`tempgen.data.scenes.living`."""

from tempgen.data.scenes.canvas import Canvas
from tempgen.data.scenes.colours import RGB, darker, gradient, lighter
from tempgen.data.scenes.draws import Draws
from tempgen.data.scenes.shapes import box, circle, convex, ellipse, overlap, stroke, union

INK: RGB = (0.11, 0.11, 0.13)
CREAM: RGB = (0.97, 0.94, 0.86)
GLASS: RGB = (0.68, 0.87, 0.96)
WOOD: RGB = (0.46, 0.30, 0.17)
LAMP: RGB = (1.0, 0.90, 0.50)


def paint_boat(canvas: Canvas, colour: RGB, draws: Draws) -> None:
    """A sailing boat or a steamer; its hull has the main colour."""
    at = canvas.at
    deck = draws.uniform(0.34, 0.42)
    hull = convex(at, [(-0.97, deck), (0.97, deck), (0.62, 0.92), (-0.68, 0.92)])
    if draws.chance(0.6):
        sail = draws.choice([CREAM, (1.0, 1.0, 1.0), lighter(colour, 0.7)])
        canvas.paint(stroke(at, (0.0, -0.95), (0.0, deck), 0.08), WOOD)
        main = convex(at, [(0.06, -0.90), (0.82, deck - 0.12), (0.06, deck - 0.12)])
        canvas.paint(main, gradient(sail, darker(sail, 0.22), at.x * 1.1))
        if draws.chance(0.75):
            jib = convex(at, [(-0.07, -0.72), (-0.07, deck - 0.12), (-0.70, deck - 0.12)])
            canvas.paint(jib, darker(sail, 0.08))
    else:
        funnel = darker(colour, 0.2)
        canvas.paint(box(at, (0.12, -0.45), (0.14, 0.38)), funnel)
        canvas.tint(box(at, (0.12, -0.66), (0.14, 0.09)), CREAM)
        canvas.paint(box(at, (0.0, 0.02), (0.55, deck), rounding=0.05), CREAM)
        for x in (-0.34, 0.0, 0.34):
            canvas.tint(circle(at, (x, 0.06), 0.12), (0.25, 0.42, 0.60))
        for x, y, radius in ((0.25, -0.88, 0.11), (0.45, -0.84, 0.14), (0.68, -0.86, 0.10)):
            canvas.paint(circle(at, (x, y), radius), (0.88, 0.88, 0.90))
    canvas.paint(hull, gradient(colour, darker(colour, 0.35), (at.y - deck) * 1.8))
    canvas.tint(overlap(hull, at.y - deck - 0.12), lighter(colour, 0.6))


def paint_house(canvas: Canvas, colour: RGB, draws: Draws) -> None:
    """A house with a gabled roof, a door, windows and a chimney; its walls have the main colour."""
    at = canvas.at
    roof = draws.choice([(0.50, 0.18, 0.14), (0.30, 0.30, 0.36), (0.40, 0.26, 0.18)])
    eaves = draws.uniform(-0.22, -0.05)
    canvas.paint(box(at, (0.45, -0.62), (0.13, 0.30)), darker(roof, 0.2))
    wall = box(at, (0.0, (eaves + 0.93) / 2), (0.76, (0.93 - eaves) / 2))
    canvas.paint(wall, gradient(lighter(colour, 0.12), darker(colour, 0.2), at.x * 0.6 + 0.4))
    gable = convex(at, [(0.0, -0.97), (0.97, eaves + 0.06), (-0.97, eaves + 0.06)])
    canvas.paint(gable, roof)
    canvas.tint(overlap(gable, eaves - 0.05 - at.y), darker(roof, 0.35))
    trim = CREAM if min(colour) < 0.8 else darker(colour, 0.45)
    door_x = draws.choice([-0.38, 0.0, 0.38])
    wood = draws.choice([WOOD, (0.20, 0.32, 0.42), (0.55, 0.16, 0.14)])
    canvas.tint(box(at, (door_x, 0.62), (0.21, 0.33)), trim)
    canvas.tint(box(at, (door_x, 0.64), (0.15, 0.30)), wood)
    canvas.tint(circle(at, (door_x + 0.08, 0.66), 0.045), LAMP)
    pane = draws.choice([GLASS, LAMP])
    for x in (-0.45, 0.0, 0.45) if door_x else (-0.48, 0.48):
        if abs(x - door_x) > 0.40:
            canvas.tint(box(at, (x, 0.42), (0.19, 0.22)), trim)
            for middle in (x - 0.08, x + 0.08):
                canvas.tint(box(at, (middle, 0.42), (0.055, 0.16)), pane)
    if draws.chance(0.6):
        canvas.tint(circle(at, (0.0, -0.45), 0.16), CREAM)
        canvas.tint(circle(at, (0.0, -0.45), 0.10), pane)


def paint_car(canvas: Canvas, colour: RGB, draws: Draws) -> None:
    """A car from its left side: a saloon, an estate or a van."""
    at = canvas.at
    kind = draws.choice(["saloon", "estate", "van"])
    if kind == "van":
        cabin = box(at, (0.08, -0.22), (0.88, 0.42), rounding=0.16)
        panes = [
            [(-0.70, -0.16), (-0.58, -0.46), (-0.30, -0.46), (-0.30, -0.08), (-0.70, -0.08)],
            [(-0.20, -0.46), (0.24, -0.46), (0.24, -0.08), (-0.20, -0.08)],
            [(0.34, -0.46), (0.80, -0.46), (0.80, -0.08), (0.34, -0.08)],
        ]
    elif kind == "saloon":
        cabin = convex(at, [(-0.60, 0.02), (-0.30, -0.52), (0.36, -0.52), (0.66, 0.02)])
        panes = [
            [(-0.42, -0.02), (-0.22, -0.41), (0.0, -0.41), (0.0, -0.02)],
            [(0.09, -0.02), (0.09, -0.41), (0.28, -0.41), (0.48, -0.02)],
        ]
    else:
        cabin = convex(at, [(-0.60, 0.02), (-0.34, -0.50), (0.80, -0.50), (0.94, 0.02)])
        panes = [
            [(-0.44, -0.02), (-0.26, -0.39), (-0.04, -0.39), (-0.04, -0.02)],
            [(0.06, -0.02), (0.06, -0.39), (0.36, -0.39), (0.36, -0.02)],
            [(0.45, -0.02), (0.45, -0.39), (0.70, -0.39), (0.80, -0.02)],
        ]
    canvas.paint(cabin, lighter(colour, 0.12))
    body = box(at, (0.0, 0.20), (0.97, 0.27), rounding=0.15)
    canvas.paint(body, gradient(colour, darker(colour, 0.3), at.y * 2.0))
    sheen = gradient(lighter(GLASS, 0.3), darker(GLASS, 0.3), at.x + at.y * 1.5 + 0.7)
    for corners in panes:
        canvas.tint(convex(at, corners), sheen)
    canvas.tint(box(at, (0.0, 0.12), (0.90, 0.025)), lighter(colour, 0.5))
    canvas.tint(ellipse(at, (-0.90, 0.14), (0.09, 0.10)), LAMP)
    canvas.tint(box(at, (0.92, 0.14), (0.06, 0.09)), (0.75, 0.08, 0.08))
    spread = draws.uniform(0.50, 0.58)
    wheels = at.mirrored()
    size = draws.uniform(0.23, 0.27)
    canvas.paint(circle(wheels, (spread, 0.42), size), INK)
    canvas.tint(circle(wheels, (spread, 0.42), size * 0.52), (0.80, 0.81, 0.84))
    canvas.tint(circle(wheels, (spread, 0.42), size * 0.2), (0.35, 0.36, 0.40))


def paint_balloon(canvas: Canvas, colour: RGB, draws: Draws) -> None:
    """A hot-air balloon: a striped envelope over a basket."""
    at = canvas.at
    second = draws.choice([CREAM, lighter(colour, 0.55), darker(colour, 0.45), (0.98, 0.84, 0.25)])
    if min(colour) > 0.8:
        second = draws.choice([(0.86, 0.20, 0.18), (0.20, 0.40, 0.80), (0.95, 0.60, 0.15)])
    both = at.mirrored()
    canvas.paint(stroke(both, (0.34, 0.25), (0.15, 0.70), 0.05), WOOD)
    dome = circle(at, (0.0, -0.28), 0.70)
    skirt = convex(at, [(-0.64, 0.0), (0.64, 0.0), (0.24, 0.46), (-0.24, 0.46)])
    envelope = union(dome, skirt)
    canvas.paint(envelope, colour)
    # meridians of a sphere: ellipses through its poles, narrower towards the middle
    for outer, inner in ((0.52, 0.30), (0.11, 0.0)):
        band = ellipse(at, (0.0, -0.26), (outer, 0.78))
        if inner:
            band = overlap(band, -ellipse(at, (0.0, -0.26), (inner, 0.78)))
        canvas.tint(overlap(band, envelope), second)
    if draws.chance(0.4):
        canvas.tint(overlap(box(at, (0.0, -0.20), (1.0, 0.10)), envelope), darker(colour, 0.35))
    canvas.tint(envelope, darker(colour, 0.5), opacity=(at.x * 0.45 + 0.05).clip(0.0, 0.4))
    canvas.tint(ellipse(at, (-0.30, -0.58), (0.16, 0.22), turn_deg=35.0), (1.0, 1.0, 1.0), opacity=0.45)
    basket = box(at, (0.0, 0.80), (0.20, 0.16), rounding=0.04)
    canvas.paint(basket, gradient(WOOD, darker(WOOD, 0.4), at.x * 2.5 + 0.5))
    canvas.tint(box(at, (0.0, 0.69), (0.22, 0.045)), lighter(WOOD, 0.35))
