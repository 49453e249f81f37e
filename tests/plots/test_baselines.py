"""The main figures look as they did when somebody last looked at them.

A change of a figure fails here and leaves the new picture and the difference beside the test's other files, whose path the message
names. Look at both. If the new one is better, renew the baselines and commit them with the change::

    TEMPGEN_RENEW_BASELINES=1 python -m pytest tests/plots/test_baselines.py

and look at ``tests/plots/baseline/`` once more. Fonts and FreeType come with matplotlib; other versions of it set letters and with them
panels differently, so that the pictures are compared with the version alone that drew them.
"""

import os
from pathlib import Path

import matplotlib
import pytest
from matplotlib.testing.compare import compare_images
from PIL import Image

from tempgen.generalization import generalization_matrix, lag_curve
from tempgen.plots import plot_lag_curves, plot_matrix, plot_reconstructions, plot_row, plot_targets
from tempgen.plots.brain import plot_voxel_maps
from tempgen.plots.pairs import plot_pairs
from tempgen.plots.quality import plot_evoked, plot_run_quality
from tempgen.plots.timeline import plot_region_lags, plot_region_latencies
from tests.plots.conftest import planted_results
from tests.plots.test_brain import planted_maps
from tests.plots.test_images import planted_images
from tests.plots.test_pairs import planted_pairs
from tests.plots.test_quality import planted_quality
from tests.plots.test_timeline import planted_curves

BASELINES = Path(__file__).parent / "baseline"
RENEW = "TEMPGEN_RENEW_BASELINES"
DPI = {85: 100, 180: 70}
N_COLOURS = 64
TOLERANCE = 2.5
"""Root mean square difference of pixels (0 to 255). Marks that are missing in a heat map give 4.5, a curve 6 and more. Source: tried out."""
DRAWN_BY = BASELINES / "matplotlib.txt"
"""Version that drew the baselines."""
MOST_BYTES = 30_000


def curves(decoders, target="current"):
    results = planted_results()
    return {
        name: lag_curve(results, "identification", decoder=name.lower(), target=target, n_draws=200)
        for name in decoders
    }


def targets():
    results = planted_results()
    return {
        f"{target} image": lag_curve(results, "identification", decoder="general", target=target, n_draws=200)
        for target in ("previous", "current", "next")
    }


def matrices():
    results = planted_results()
    return {
        name: generalization_matrix(results, name, above_chance=True)
        for name in ("identification", "pixcorr")
    }


def both_decoders():
    general = planted_images()
    specialized = general.assign(reconstruction=255 - general["reconstruction"])
    images = {
        "General": general,
        "Specialized": specialized.assign_attrs(decoder_row="specialized"),
    }
    labels = ("trial", ["best\nrank 1\n0.90", "median\nrank 10\n0.50", "worst\nrank 20\n0.10"])
    return {
        name: each.assign_coords(label=labels).assign_attrs(
            rule="best, median, worst of 20 kept test trials by PixCorr"
        )
        for name, each in images.items()
    }


FIGURES = {
    "lag_curves": lambda: plot_lag_curves(curves(["General", "Specialized"])).figure,
    "targets": lambda: plot_targets(targets()).figure,
    "matrix": lambda: plot_matrix(matrices()["identification"]).figure,
    "row_of_matrices": lambda: plot_row(plot_matrix, matrices()),
    "reconstructions": lambda: plot_reconstructions(both_decoders()).figure,
    "pairs": lambda: plot_pairs(planted_pairs()).figure,
    "voxel_maps": lambda: plot_voxel_maps(planted_maps(), middle=0.0).figure,
    "region_lags": lambda: plot_region_lags(planted_curves()).figure,
    "region_latencies": lambda: plot_region_latencies(planted_curves()).figure,
    "run_quality": lambda: plot_run_quality(planted_quality())[0].figure,
    "evoked": lambda: plot_evoked(planted_quality()).figure,
}


def draw(name, path):
    figure = FIGURES[name]()
    wide = figure.get_figwidth() * 25.4 > 100
    figure.savefig(path, dpi=DPI[180 if wide else 85])
    with Image.open(path) as image:  # few colours, to be small
        few = image.convert("RGB").quantize(N_COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def same_version():
    return DRAWN_BY.read_text().split(".")[:2] == matplotlib.__version__.split(".")[:2]


@pytest.mark.parametrize("name", FIGURES)
def test_figure_looks_as_it_did(name, tmp_path):
    baseline, found = BASELINES / f"{name}.png", tmp_path / f"{name}.png"
    if os.environ.get(RENEW):
        BASELINES.mkdir(exist_ok=True)
        DRAWN_BY.write_text(matplotlib.__version__ + "\n")
        draw(name, baseline)
        pytest.skip(f"{baseline} is renewed: look at it")
    if not same_version():
        pytest.skip(
            f"the baselines are of matplotlib {DRAWN_BY.read_text().strip()}, this is {matplotlib.__version__}"
        )
    draw(name, found)
    # compare_images leaves its pictures beside the expected one
    expected = tmp_path / "expected.png"
    expected.write_bytes(baseline.read_bytes())
    assert compare_images(str(expected), str(found), tol=TOLERANCE) is None


def test_a_curve_that_is_missing_is_noticed(tmp_path):
    found, expected = tmp_path / "found.png", tmp_path / "expected.png"
    expected.write_bytes((BASELINES / "lag_curves.png").read_bytes())
    figure = plot_lag_curves(curves(["General", "Specialized"])).figure
    figure.axes[0].get_lines()[0].set_visible(False)
    figure.savefig(found, dpi=DPI[85])
    assert compare_images(str(expected), str(found), tol=TOLERANCE) is not None


def test_baselines_are_small_and_each_belongs_to_a_figure():
    files = {path.stem: path.stat().st_size for path in BASELINES.glob("*.png")}
    assert set(files) == set(FIGURES)
    assert max(files.values()) < MOST_BYTES
