"""Painters of plants and animals.

A painter draws one object of a given main colour into the square from -1 to 1 (x to the right, y down), which it nearly fills along
its longer side.
"""

import math

import numpy as np

from tempgen.data.scenes.canvas import Canvas
from tempgen.data.scenes.colours import RGB, darker, gradient, lighter
from tempgen.data.scenes.draws import Draws
from tempgen.data.scenes.shapes import circle, convex, ellipse, overlap, ring, stroke, union, wave

INK: RGB = (0.10, 0.09, 0.11)
CREAM: RGB = (0.97, 0.93, 0.82)
BARK: RGB = (0.44, 0.29, 0.17)


def paint_fish(canvas: Canvas, colour: RGB, draws: Draws) -> None:
    """A fish seen from its left side: tail, fins, pale belly, sometimes stripes."""
    at = canvas.at
    height = draws.uniform(0.46, 0.64)
    fins = darker(colour, 0.25)
    notch = draws.uniform(0.10, 0.22)
    tail_top = convex(at, [(0.40, 0.0), (0.94, -0.48), (0.94 - notch, 0.08)])
    tail_bottom = convex(at, [(0.40, 0.0), (0.94 - notch, -0.08), (0.94, 0.48)])
    canvas.paint(union(tail_top, tail_bottom), fins)
    canvas.paint(
        convex(at, [(-0.35, -height + 0.1), (0.15, -height - 0.24), (0.38, -height + 0.12), (0.3, -0.15)]),
        fins,
    )
    canvas.paint(convex(at, [(-0.1, height - 0.08), (0.22, height + 0.18), (0.3, height - 0.2)]), fins)
    body = ellipse(at, (-0.2, 0.0), (0.78, height))
    canvas.paint(body, gradient(colour, lighter(colour, 0.65), at.y * 1.3 + 0.1))
    if draws.chance(0.5):
        stripe = ring(ellipse(at, (-0.9, 0.0), (0.95, 1.3)), 0.15)
        second = ring(ellipse(at, (-0.9, 0.0), (1.3, 1.3)), 0.13)
        canvas.tint(
            overlap(body, union(stripe, second)),
            lighter(colour, 0.8) if draws.chance(0.6) else darker(colour, 0.55),
        )
    else:
        gill = overlap(ring(circle(at, (-0.75, 0.0), 0.38), 0.06), body)
        canvas.tint(gill, darker(colour, 0.4))
    canvas.tint(ellipse(at, (0.08, 0.1), (0.2, 0.1), turn_deg=25.0), fins)
    canvas.tint(circle(at, (-0.62, -0.13), 0.14), (1.0, 1.0, 1.0))
    canvas.tint(circle(at, (-0.64, -0.13), 0.08), INK)


def paint_bird(canvas: Canvas, colour: RGB, draws: Draws) -> None:
    """A songbird on its two legs, or in flight with its wings raised."""
    at = canvas.at
    beak = draws.choice([(0.98, 0.62, 0.10), (0.93, 0.40, 0.08)])
    wing, belly = darker(colour, 0.32), lighter(colour, 0.75)
    if draws.chance(0.4):
        canvas.paint(
            convex(at, [(-0.25, 0.2), (-0.42, -0.40), (-0.30, -0.92), (0.0, -0.5), (0.2, 0.2)]),
            darker(colour, 0.5),
        )
        canvas.paint(convex(at, [(0.40, 0.22), (0.97, 0.05), (0.90, 0.30), (0.97, 0.52), (0.40, 0.42)]), wing)
        canvas.paint(convex(at, [(-0.72, 0.06), (-0.98, 0.19), (-0.70, 0.26)]), beak)
        body = union(ellipse(at, (-0.02, 0.30), (0.62, 0.28), turn_deg=4.0), circle(at, (-0.52, 0.12), 0.27))
        canvas.paint(body, gradient(colour, belly, at.y * 2.2 - 0.4))
        near_wing = convex(
            at, [(-0.30, 0.30), (-0.12, -0.40), (0.36, -0.94), (0.60, -0.66), (0.52, -0.1), (0.30, 0.34)]
        )
        canvas.paint(near_wing, wing)
        feathers = union(
            stroke(at, (0.0, 0.2), (0.36, -0.7), 0.05), stroke(at, (0.16, 0.22), (0.52, -0.45), 0.05)
        )
        canvas.tint(overlap(near_wing, feathers), colour)
        eye = (-0.60, 0.06)
    else:
        legs = union(stroke(at, (0.0, 0.5), (-0.06, 0.9), 0.09), stroke(at, (0.2, 0.5), (0.2, 0.9), 0.09))
        feet = union(
            stroke(at, (-0.2, 0.92), (0.0, 0.92), 0.09), stroke(at, (0.06, 0.92), (0.26, 0.92), 0.09)
        )
        canvas.paint(union(legs, feet), beak)
        canvas.paint(convex(at, [(0.35, -0.05), (0.98, -0.12), (0.95, 0.2), (0.4, 0.35)]), wing)
        canvas.paint(convex(at, [(-0.68, -0.52), (-0.98, -0.33), (-0.62, -0.24)]), beak)
        body = union(ellipse(at, (0.05, 0.16), (0.62, 0.46), turn_deg=12.0), circle(at, (-0.45, -0.36), 0.34))
        neck = convex(at, [(-0.72, -0.2), (-0.2, -0.55), (0.2, -0.2), (-0.4, 0.3)])
        canvas.paint(union(body, neck), gradient(colour, belly, at.y * 1.6 - 0.6 * at.x - 0.25))
        folded = ellipse(at, (0.22, 0.1), (0.45, 0.25), turn_deg=18.0)
        canvas.tint(folded, wing)
        feathers = ring(ellipse(at, (0.1, 0.02), (0.45, 0.22), turn_deg=18.0), 0.05)
        canvas.tint(overlap(folded, feathers), darker(colour, 0.55))
        eye = (-0.52, -0.42)
    canvas.tint(circle(at, eye, 0.11), (1.0, 1.0, 1.0))
    canvas.tint(circle(at, (eye[0] - 0.02, eye[1]), 0.07), INK)


def paint_butterfly(canvas: Canvas, colour: RGB, draws: Draws) -> None:
    """A butterfly from above: two pairs of wings with dark edges and pale spots."""
    both = canvas.at.mirrored()
    edge = darker(colour, 0.6)
    spot = lighter(colour, 0.75) if draws.chance(0.6) else (0.98, 0.88, 0.35)
    fore_turn, hind_turn = draws.uniform(-45.0, -32.0), draws.uniform(30.0, 48.0)
    hind = ellipse(both, (0.38, 0.40), (0.44, 0.30), turn_deg=hind_turn)
    fore = ellipse(both, (0.47, -0.27), (0.56, 0.34), turn_deg=fore_turn)
    canvas.paint(union(hind, fore), edge)
    canvas.tint(hind + 0.09, lighter(colour, 0.3))
    canvas.tint(fore + 0.09, gradient(lighter(colour, 0.35), colour, both.x * 1.5))
    canvas.tint(circle(both, (0.57, -0.38), draws.uniform(0.11, 0.16)), spot)
    canvas.tint(circle(both, (0.42, 0.44), draws.uniform(0.09, 0.14)), spot)
    if draws.chance(0.5):
        canvas.tint(overlap(fore, stroke(both, (0.1, -0.1), (0.9, -0.2), 0.06)), edge)
    canvas.paint(stroke(both, (0.03, -0.38), (0.24, -0.80), 0.05), INK)
    canvas.paint(ellipse(both, (0.0, 0.02), (0.11, 0.52)), INK)
    canvas.paint(circle(both, (0.0, -0.46), 0.13), INK)


def paint_flower(canvas: Canvas, colour: RGB, draws: Draws) -> None:
    """A daisy of five to eight petals, or a tulip, on a stem with leaves."""
    at = canvas.at
    green: RGB = (draws.uniform(0.15, 0.28), draws.uniform(0.5, 0.62), draws.uniform(0.14, 0.24))
    canvas.paint(stroke(at, (0.0, 0.0), (0.0, 0.94), 0.12), green)
    leaf_y = draws.uniform(0.55, 0.68)
    canvas.paint(ellipse(at, (-0.28, leaf_y), (0.30, 0.12), turn_deg=35.0), green)
    canvas.paint(ellipse(at, (0.28, leaf_y + 0.05), (0.30, 0.12), turn_deg=-35.0), lighter(green, 0.15))
    if draws.chance(0.3):
        cup = overlap(ellipse(at, (0.0, -0.40), (0.46, 0.58)), -0.62 - at.y)
        side = convex(at.mirrored(), [(0.10, -0.45), (0.44, -0.93), (0.46, -0.35), (0.2, -0.1)])
        canvas.paint(union(cup, side), darker(colour, 0.18))
        front = ellipse(at, (0.0, -0.42), (0.24, 0.55))
        canvas.paint(front, gradient(lighter(colour, 0.3), colour, at.y + 0.9))
        return
    n_petals = 5 + draws.integer(4)
    long, wide = 0.34, min(0.26, 0.95 / n_petals)
    first_deg = draws.uniform(0.0, 360.0 / n_petals)
    petals = []
    for petal in range(n_petals):
        turn = first_deg + 360.0 * petal / n_petals
        x, y = round(math.cos(math.radians(turn)), 9), round(math.sin(math.radians(turn)), 9)
        petals.append(ellipse(at, (0.34 * x, -0.30 + 0.34 * y), (long, wide), turn_deg=turn))
    flower = union(*petals)
    canvas.paint(flower, darker(colour, 0.35))
    from_centre = circle(at, (0.0, -0.30), 0.2)
    canvas.tint(flower + 0.05, gradient(darker(colour, 0.12), lighter(colour, 0.35), from_centre * 2.0))
    middle = draws.choice([(0.98, 0.80, 0.15), (0.45, 0.26, 0.10), (0.98, 0.93, 0.70)])
    canvas.tint(from_centre, darker(middle, 0.35))
    canvas.tint(circle(at, (-0.02, -0.32), 0.15), middle)


def paint_tree(canvas: Canvas, colour: RGB, draws: Draws) -> None:
    """A round tree, a fir or a palm; its leaves have the main colour."""
    at = canvas.at
    kind = draws.choice(["round", "round", "fir", "palm"])
    shade, light = darker(colour, 0.3), lighter(colour, 0.3)
    if kind == "fir":
        canvas.paint(convex(at, [(-0.12, 0.5), (0.12, 0.5), (0.14, 0.96), (-0.14, 0.96)]), BARK)
        for top, bottom, half in ((-0.15, 0.68, 0.66), (-0.55, 0.28, 0.54), (-0.98, -0.14, 0.40)):
            tier = convex(at, [(0.0, top), (half, bottom), (-half, bottom)])
            canvas.paint(tier, gradient(light, darker(colour, 0.1), at.x * 1.2 + 0.4))
            canvas.tint(overlap(tier, bottom - 0.10 - at.y), shade)
        return
    if kind == "palm":
        trunk = union(stroke(at, (0.12, 0.92), (0.10, 0.3), 0.2), stroke(at, (0.10, 0.3), (0.0, -0.4), 0.16))
        canvas.paint(trunk, gradient(BARK, lighter(BARK, 0.3), wave(at.y * 4.0) * 0.5 + 0.5))
        both = at.mirrored()
        for x, y, radii, tone in ((0.40, -0.10, (0.44, 0.50), shade), (0.46, -0.34, (0.50, 0.36), colour)):
            # the upper rim of an ellipse: a frond that rises and droops
            frond = overlap(ellipse(both, (x, y), radii), -ellipse(both, (x, y + 0.24), radii))
            canvas.paint(frond, tone)
        canvas.paint(ellipse(both, (0.24, -0.70), (0.36, 0.11), turn_deg=-48.0), light)
        canvas.paint(circle(both, (0.1, -0.34), 0.1), darker(BARK, 0.3))
        return
    half = draws.uniform(0.11, 0.16)
    canvas.paint(convex(at, [(-half, 0.1), (half, 0.1), (half + 0.07, 0.96), (-half - 0.07, 0.96)]), BARK)
    boughs = union(stroke(at, (0.0, 0.4), (-0.35, 0.1), 0.1), stroke(at, (0.0, 0.45), (0.35, 0.15), 0.1))
    canvas.paint(boughs, darker(BARK, 0.1))
    places = [(-0.45, -0.05), (0.45, -0.02), (0.0, 0.05), (-0.30, -0.48), (0.34, -0.44), (0.0, -0.55)]
    crown = union(*(circle(at, place, draws.uniform(0.36, 0.43)) for place in places))
    canvas.paint(crown, gradient(lighter(colour, 0.15), shade, at.y * 0.9 + at.x * 0.4 + 0.45))
    tufts = union(*(circle(at, (x - 0.08, y - 0.1), 0.17) for x, y in places[:1] + places[3:]))
    canvas.tint(tufts, light, opacity=0.6)
    if draws.chance(0.35):
        fruit: RGB = (0.88, 0.14, 0.12) if colour[0] < 0.7 else (0.98, 0.92, 0.55)
        canvas.tint(union(*(circle(at, (x + 0.12, y + 0.12), 0.085) for x, y in places)), fruit)


def paint_mushroom(canvas: Canvas, colour: RGB, draws: Draws) -> None:
    """A toadstool: a domed cap with pale spots on a cream stem."""
    at = canvas.at
    half = draws.uniform(0.20, 0.30)
    rim = draws.uniform(0.10, 0.2)
    stem = union(
        convex(at, [(-half + 0.04, 0.0), (half - 0.04, 0.0), (half, 0.8), (-half, 0.8)]),
        ellipse(at, (0.0, 0.78), (half + 0.06, 0.18)),
    )
    canvas.paint(stem, gradient(CREAM, darker(CREAM, 0.28), at.x * 1.6 + 0.4))
    gills = ellipse(at, (0.0, rim - 0.02), (0.84, 0.17))
    canvas.paint(gills, darker(CREAM, 0.35))
    canvas.tint(overlap(gills, np.abs(wave(at.x * 5.0)) * 0.1 - 0.03), darker(CREAM, 0.55))
    top = draws.uniform(-0.95, -0.8)
    cap = overlap(ellipse(at, (0.0, rim), (0.96, rim - top)), at.y - rim)
    canvas.paint(cap, gradient(lighter(colour, 0.25), darker(colour, 0.25), at.x * 0.6 + at.y * 0.7 + 0.6))
    spots = [
        (-0.52, -0.12, 0.13),
        (0.02, -0.5, 0.17),
        (0.5, -0.16, 0.14),
        (-0.12, -0.05, 0.10),
        (-0.42, -0.5, 0.08),
        (0.38, -0.55, 0.08),
    ]
    shown = spots[: 4 + draws.integer(3)]
    pale = CREAM if min(colour) < 0.8 else (0.80, 0.25, 0.20)
    dots = union(*(ellipse(at, (x, y), (size * draws.uniform(0.9, 1.2), size)) for x, y, size in shown))
    canvas.tint(overlap(dots, cap), pale)
