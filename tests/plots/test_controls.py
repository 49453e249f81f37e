"""Verdicts are drawn where they have numbers, in colours and markers of their own."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from tempgen.errors import ResultsError
from tempgen.generalization.controls import Estimate, Verdict, undecided, verdict_dataset
from tempgen.plots.controls import plot_controls


@pytest.fixture
def verdicts():
    def of(name, word, mean):
        estimate = Estimate(mean, mean - 0.05, mean + 0.05, 100, 50, 0.95)
        return Verdict.of(
            name, "Why?", word, "so.", estimate, reference=Estimate(0.3, 0.2, 0.4, 100, 50, 0.95)
        )

    judged = [
        of("motion", "passed", 0.0),
        of("before_onset", "failed", 0.2),
        undecided("rois", "Where?", "none."),
    ]
    return verdict_dataset(judged, {"data_kind": "simulated", "subject": "1", "long_name": "Identification"})


def test_controls_with_numbers_are_drawn_from_top_to_bottom(verdicts):
    ax = plot_controls(verdicts)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["motion", "before_onset"]
    assert ax.yaxis_inverted()
    drawn = {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in ax.lines}
    np.testing.assert_allclose(drawn["passed"], [[0.0], [0]])
    np.testing.assert_allclose(drawn["failed"], [[0.2], [1]])
    assert "not decided" not in drawn
    assert ax.get_xlabel().startswith("Identification,")
    assert ax.get_title(loc="right") == "simulated data, subject 1"
    plt.close(ax.figure)


def test_own_axes_are_used(verdicts):
    figure, ax = plt.subplots()
    assert plot_controls(verdicts, ax=ax) is ax
    plt.close(figure)


def test_nothing_to_draw_is_said():
    with pytest.raises(ResultsError, match="None of the controls has a number"):
        plot_controls(verdict_dataset([undecided("rois", "Where?", "none.")]))
