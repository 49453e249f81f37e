"""Figures on disk: whole, the same each time, with text that can be edited."""

import re

import matplotlib.image
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tempgen.errors import ResultsError
from tempgen.generalization import generalization_matrix
from tempgen.plots import COLUMN_MM, plot_matrix, save_figure


@pytest.fixture
def figure(plant):
    return plot_matrix(generalization_matrix(plant((-3, 0, 3)), "identification")).figure


def test_png_has_the_width_of_a_column_at_300_dots_per_inch(figure, tmp_path):
    png, svg = save_figure(figure, tmp_path / "deep" / "matrix")
    assert (png.name, svg.name) == ("matrix.png", "matrix.svg")
    assert matplotlib.image.imread(png).shape[1] == pytest.approx(COLUMN_MM / 25.4 * 300, abs=2)


def test_text_in_svg_is_text(figure, tmp_path):
    (svg,) = save_figure(figure, tmp_path / "matrix", formats=["svg"])
    assert re.search(r"<text[^>]*>\s*simulated data, subj01\s*</text>", svg.read_text())


def test_the_same_figure_gives_the_same_bytes(plant, tmp_path):
    files = []
    for name in ("first", "second"):
        ax = plot_matrix(generalization_matrix(plant((-3, 0, 3)), "identification"))
        files.append(save_figure(ax.figure, tmp_path / name, formats=("png", "svg", "pdf")))
    for first, second in zip(*files, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_dots_in_a_name_are_part_of_it(figure, tmp_path):
    (png,) = save_figure(figure, tmp_path / "subj01.v2", formats=["png"])
    assert png.name == "subj01.v2.png"


def test_all_files_appear_or_none(figure, tmp_path, monkeypatch):
    (tmp_path / "matrix.png").write_bytes(b"older")
    draw = Figure.savefig

    def fail_at_svg(self, *arguments, format, **options):
        if format == "svg":
            raise OSError("disk full")
        return draw(self, *arguments, format=format, **options)

    monkeypatch.setattr(Figure, "savefig", fail_at_svg)
    with pytest.raises(OSError, match="disk full"):
        save_figure(figure, tmp_path / "matrix")
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.png"]
    assert (tmp_path / "matrix.png").read_bytes() == b"older"


@pytest.mark.parametrize("formats", [["png", "bmp"], []])
def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path, formats):
    with pytest.raises(ResultsError, match="png, svg, pdf"):
        save_figure(plt.figure(), tmp_path / "matrix", formats=formats)
    assert list(tmp_path.iterdir()) == []
