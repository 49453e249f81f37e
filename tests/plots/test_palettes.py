"""Colours can be told apart by everybody, and white is chance."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib import colormaps, rcParams
from matplotlib.colors import to_rgb

from tempgen.plots import figure_style
from tempgen.plots.palettes import DECODER_LINES, DIVERGING, SEQUENTIAL, TARGET_LINES, chance_colours
from tempgen.plots.quality import _REGION_LINES

# Linear RGB as people without one kind of cone see it. Source: Machado, Oliveira and Fernandes 2009, doi:10.1109/TVCG.2009.113, severity 1.
DEFICIENCIES = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(colour):
    """CIE L*a*b* (D65) of sRGB in [0, 1]."""
    linear = np.where(
        np.asarray(colour) <= 0.04045,
        np.asarray(colour) / 12.92,
        ((np.asarray(colour) + 0.055) / 1.055) ** 2.4,
    )
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.cbrt(np.maximum(xyz / [0.9505, 1.0, 1.089], 1e-6))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def seen_by(colour, kind):
    linear = np.where(
        np.asarray(colour) <= 0.04045,
        np.asarray(colour) / 12.92,
        ((np.asarray(colour) + 0.055) / 1.055) ** 2.4,
    )
    linear = np.clip(np.array(DEFICIENCIES[kind]) @ linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", DEFICIENCIES)
@pytest.mark.parametrize("lines", [DECODER_LINES, TARGET_LINES], ids=["decoders", "targets"])
def test_colours_of_a_palette_differ_for_the_colour_blind(lines, kind):
    for one, other in combinations(lines.values(), 2):
        apart = np.linalg.norm(
            lab(seen_by(to_rgb(one.colour), kind)) - lab(seen_by(to_rgb(other.colour), kind))
        )
        assert apart > 10  # of 2 to 3 is just seen; dashes and markers differ too


@pytest.mark.parametrize(
    "lines",
    [list(DECODER_LINES.values()), list(TARGET_LINES.values()), list(_REGION_LINES)],
    ids=["decoders", "targets", "regions"],
)
def test_no_two_lines_share_dashes_and_marker(lines):
    assert len({(line.dashes, line.marker) for line in lines}) == len(lines)


@pytest.mark.parametrize("kind", DEFICIENCIES)
def test_above_and_below_chance_differ_for_the_colour_blind(kind):
    low, high = (colormaps[DIVERGING](share)[:3] for share in (0.1, 0.9))
    assert np.linalg.norm(lab(seen_by(low, kind)) - lab(seen_by(high, kind))) > 20


def test_the_sequential_map_grows_lighter_all_the_way():
    lightness = [lab(colour[:3])[0] for colour in colormaps[SEQUENTIAL](np.linspace(0, 1, 50))]
    assert (np.diff(lightness) > 0).all()


@pytest.mark.parametrize(("low", "high", "chance"), [(0.4, 0.9, 0.5), (0.5, 0.9, 0.5), (-0.3, -0.1, 0.0)])
def test_chance_is_white_and_equal_distances_are_equally_strong(low, high, chance):
    colours, low, high = chance_colours(low, high, chance)

    def at(score):
        return colours((score - low) / (high - low))[:3]

    assert min(at(chance)) > 0.95
    reach = min(high - chance, chance - low)
    if reach > 0:
        assert lab(at(chance + reach))[0] == pytest.approx(lab(at(chance - reach))[0], abs=8)


def test_the_style_file_holds_inside_and_only_there():
    before = rcParams["font.size"]
    with figure_style():
        assert rcParams["font.family"] == ["DejaVu Sans"]
        assert rcParams["figure.constrained_layout.use"]
    assert rcParams["font.size"] == before
