"""A whole scene: what is in it and where, drawn and labelled."""

import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempgen.data.scenes.backgrounds import BACKGROUND_PAINTERS
from tempgen.data.scenes.canvas import SUPERSAMPLING, Canvas, to_pixels
from tempgen.data.scenes.colours import COLOURS, RGB, darker
from tempgen.data.scenes.draws import Draws
from tempgen.data.scenes.living import (
    paint_bird,
    paint_butterfly,
    paint_fish,
    paint_flower,
    paint_mushroom,
    paint_tree,
)
from tempgen.data.scenes.made import paint_balloon, paint_boat, paint_car, paint_house
from tempgen.data.scenes.scenery import BACKGROUND_REGIONS
from tempgen.data.scenes.shapes import Points
from tempgen.errors import ConfigError


@dataclass(frozen=True)
class _Kind:
    """How a category is drawn: its painter and how far it may lean to either side."""

    paint: Callable[[Canvas, RGB, Draws], None]
    lean_deg: float


_KINDS = {
    "boat": _Kind(paint_boat, 6.0),
    "fish": _Kind(paint_fish, 14.0),
    "house": _Kind(paint_house, 0.0),
    "flower": _Kind(paint_flower, 8.0),
    "tree": _Kind(paint_tree, 3.0),
    "car": _Kind(paint_car, 3.0),
    "bird": _Kind(paint_bird, 8.0),
    "mushroom": _Kind(paint_mushroom, 8.0),
    "butterfly": _Kind(paint_butterfly, 25.0),
    "balloon": _Kind(paint_balloon, 6.0),
}

#: Object categories; an object's ``category`` is an index into them.
CATEGORIES: tuple[str, ...] = tuple(_KINDS)
#: Backgrounds; a scene's ``background`` is an index into them.
BACKGROUNDS: tuple[str, ...] = tuple(BACKGROUND_PAINTERS)
#: Classes of the segmentation: what backgrounds are made of (several in one background), then the object categories.
SEGMENTATION_CLASSES: tuple[str, ...] = (*BACKGROUND_REGIONS, *CATEGORIES)

#: Smallest side of an image, in pixels: below it objects are a few pixels wide.
SMALLEST_SIZE = 16

# Fractions of the image's side. 0.44 to 0.70 are 28 to 45 pixels of 64; two objects must be smaller to lie side by side.
_SIDE_ALONE = (0.44, 0.70)
_SIDE_OF_TWO = (0.40, 0.48)
_MARGIN = 0.03
_OUTLINE_WIDTH = 0.012
# Centres of two objects lie at least this share of their mean side apart along one axis; few silhouettes fill their square.
_SEPARATION = 0.92
# Channels of a named colour move by at most this much, so that no two red objects are equally red.
_COLOUR_JITTER = 0.06


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene.

    Attributes
    ----------
    category : int
        Index into :data:`CATEGORIES`.
    colour : int
        Number of its main colour in :data:`COLOURS`.
    x, y : float
        Centroid of its silhouette, as fractions of the image's side from the left and from the top.
    size : float
        Longer side of its silhouette's bounding box, as a fraction of the image's side.

    Notes
    -----
    Place and size are those of the whole silhouette, also where a second object covers a little of it.
    """

    category: int
    colour: int
    x: float
    y: float
    size: float


@dataclass(frozen=True, eq=False)
class Scene:
    """An image and what it shows.

    Attributes
    ----------
    image : NDArray[np.uint8], shape (size, size, 3)
        Red, green and blue.
    segmentation : NDArray[np.uint8], shape (size, size)
        Class of each pixel, an index into :data:`SEGMENTATION_CLASSES`: a region of the background or the category of the
        object in front of it.
    background : int
        Index into :data:`BACKGROUNDS`.
    objects : tuple of SceneObject
        One or two objects of different categories, the nearest last.
    """

    image: NDArray[np.uint8]
    segmentation: NDArray[np.uint8]
    background: int
    objects: tuple[SceneObject, ...]


@dataclass(frozen=True)
class _Plan:
    """Where an object goes: the square that it is drawn into, as fractions of the image."""

    category: int
    colour: int
    x: float
    y: float
    side: float


def render_scene(scene_id: int, *, seed: int = 0, size: int = 64) -> Scene:
    """Draw one scene: a background and one or two objects of free category, colour, size and place.

    Scenes are independent draws: background, categories (different within a scene), colours and places are uniform, and half the scenes have
    two objects. The same ``scene_id`` and ``seed`` give the same bytes on every machine and with every version of NumPy; another ``size``
    gives the same scene at another resolution.

    Parameters
    ----------
    scene_id : int
        Number of the scene, from 0 (in a simulated subject: the image's ID).
    seed : int
        Number of the set of scenes, from 0.
    size : int
        Side of the square image in pixels, at least 16.

    Raises
    ------
    ConfigError
        If ``scene_id`` or ``seed`` is negative, or ``size`` is below 16, or one of them is not a whole number.

    Examples
    --------
    >>> scene = render_scene(7)
    >>> scene.image.shape, scene.segmentation.shape
    ((64, 64, 3), (64, 64))
    >>> BACKGROUNDS[scene.background], [CATEGORIES[seen.category] for seen in scene.objects]
    ('sea', ['mushroom', 'tree'])
    """
    scene_id = _whole_number(scene_id, name="scene_id", lowest=0)
    seed = _whole_number(seed, name="seed", lowest=0)
    size = _whole_number(size, name="size", lowest=SMALLEST_SIZE)
    draws = Draws(seed, scene_id)
    background = draws.integer(len(BACKGROUNDS))
    plans = _plan_objects(draws)
    n_samples = size * SUPERSAMPLING
    centres = (np.arange(n_samples, dtype=np.float32) + np.float32(0.5)) / np.float32(n_samples)
    canvas = Canvas.blank(Points(centres[None, :], centres[:, None]), sample=1.0 / n_samples)
    BACKGROUND_PAINTERS[BACKGROUNDS[background]](canvas, draws)
    # a pixel belongs to the region of the sample next to its centre
    middle = slice(SUPERSAMPLING // 2, None, SUPERSAMPLING)
    segmentation = canvas.regions[middle, middle].copy()
    objects = tuple(_add_object(plan, draws, scene=canvas, segmentation=segmentation) for plan in plans)
    shades = np.clip(to_pixels(canvas.rgb), 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)
    image = np.ascontiguousarray(shades.astype(np.uint8).transpose(1, 2, 0))
    return Scene(image=image, segmentation=segmentation, background=background, objects=objects)


def _whole_number(value: int, *, name: str, lowest: int) -> int:
    try:
        number = operator.index(value)
    except TypeError as error:
        raise ConfigError(f"{name} of a scene must be a whole number, but is {value!r}.") from error
    if number < lowest:
        raise ConfigError(f"{name} of a scene is {number}, but must be {lowest} or more.")
    return number


def _plan_objects(draws: Draws) -> list[_Plan]:
    """Categories, colours, sides and places of one or two objects, drawn so that two of them hardly overlap."""
    n_objects = 1 + draws.integer(2)
    categories = draws.distinct(len(CATEGORIES), n_objects)
    sides = [draws.uniform(*(_SIDE_ALONE if n_objects == 1 else _SIDE_OF_TWO)) for _ in categories]
    places = [[draws.uniform(_MARGIN + side / 2, 1 - _MARGIN - side / 2) for _ in range(2)] for side in sides]
    if n_objects == 2:
        # along one axis the two lie apart, and the room left goes before, between and behind them; the other stays free
        axis = draws.integer(2)
        gap = _SEPARATION * (sides[0] + sides[1]) / 2
        room = 1 - 2 * _MARGIN - (sides[0] + sides[1]) / 2 - gap
        before, up_to = sorted((draws.uniform(0, room), draws.uniform(0, room)))
        places[0][axis] = _MARGIN + sides[0] / 2 + before
        places[1][axis] = _MARGIN + sides[0] / 2 + gap + up_to
    return [
        _Plan(category, draws.integer(len(COLOURS)), place[0], place[1], side)
        for category, place, side in zip(categories, places, sides, strict=True)
    ]


def _add_object(plan: _Plan, draws: Draws, *, scene: Canvas, segmentation: NDArray[np.uint8]) -> SceneObject:
    """Draw one object into a canvas of its own and lay it, with a dark outline and light from the upper left, over the scene."""
    size = segmentation.shape[0]
    kind = _KINDS[CATEGORIES[plan.category]]
    red, green, blue = (
        min(max(channel + draws.uniform(-_COLOUR_JITTER, _COLOUR_JITTER), 0.0), 1.0)
        for channel in list(COLOURS.values())[plan.colour]
    )
    colour = (red, green, blue)
    half = plan.side / 2
    # whole pixels around the square, with room for what leans out of it
    reach = half * 1.2
    columns, rows = (
        (max(int((at - reach) * size), 0), min(int((at + reach) * size) + 1, size)) for at in (plan.x, plan.y)
    )
    patch = tuple(slice(start * SUPERSAMPLING, stop * SUPERSAMPLING) for start, stop in (rows, columns))
    upright = Points((scene.at.x[:, patch[1]] - plan.x) / half, (scene.at.y[patch[0]] - plan.y) / half)
    faces_right = draws.chance(0.5)
    lean = draws.uniform(-kind.lean_deg, kind.lean_deg)
    own = Points(-upright.x, upright.y) if faces_right else upright
    canvas = Canvas.blank(
        own.seen_from((0.0, 0.0), turn_deg=lean), sample=scene.sample / half, ground=darker(colour, 0.72)
    )
    kind.paint(canvas, colour, draws)
    cover = canvas.cover(canvas.outline - _OUTLINE_WIDTH / half)
    light = 1.0 - 0.09 * (upright.x + upright.y)
    scene_rgb = scene.rgb[:, patch[0], patch[1]]
    scene_rgb += cover * (canvas.rgb * light - scene_rgb)
    silhouette = to_pixels(cover)
    inside = silhouette >= 0.5
    segmentation[rows[0] : rows[1], columns[0] : columns[1]][inside] = len(BACKGROUND_REGIONS) + plan.category
    return _measured(plan, inside, top=rows[0], left=columns[0], size=size)


def _measured(plan: _Plan, inside: NDArray[np.bool_], *, top: int, left: int, size: int) -> SceneObject:
    """The object with the place and size that its silhouette has in the image."""
    in_row, in_column = np.nonzero(inside)
    longer = max(int(np.ptp(in_row)), int(np.ptp(in_column))) + 1
    # sums of whole numbers, which no order of adding changes
    x = left + 0.5 + int(in_column.sum()) / in_column.size
    y = top + 0.5 + int(in_row.sum()) / in_row.size
    return SceneObject(category=plan.category, colour=plan.colour, x=x / size, y=y / size, size=longer / size)
