"""Reconstructions by lag: what stands where, and what the frames say."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from tempgen.errors import ResultsError
from tempgen.plots import TARGET_LINES, plot_reconstructions

DELTAS = np.arange(-3, 4)


def planted_images(n_trials=3, deltas=DELTAS, **attrs):
    """Images whose red says the column and green the trial; the last trial has no next image."""
    column = np.arange(len(deltas)).reshape(-1, 1, 1, 1)
    trial = np.arange(n_trials).reshape(1, -1, 1, 1)
    images = np.zeros((len(deltas), n_trials, 8, 8, 3), dtype=np.uint8)
    images[..., 0], images[..., 1] = 20 * column, 20 * trial
    seen = np.zeros((3, n_trials, 8, 8, 3), dtype=np.uint8)
    seen[..., 2] = 80 * np.arange(3).reshape(-1, 1, 1, 1)
    shown = np.ones((3, n_trials), dtype=bool)
    shown[2, -1] = False
    pixels = ("row", "column", "rgb")
    return xr.Dataset(
        {
            "reconstruction": (("test_delta", "trial", *pixels), images),
            "seen": (("target", "trial", *pixels), seen),
            "shown": (("target", "trial"), shown),
        },
        coords={
            "test_delta": deltas,
            "lag_s": ("test_delta", (deltas + 8) * 4 / 3),
            "target": ["previous", "current", "next"],
            "image_id": ("trial", 10 * np.arange(n_trials)),
        },
        attrs={
            "tr_s": 4 / 3,
            "soa_s": 4.0,
            "general_delta": 0,
            "data_kind": "simulated",
            "subject": "1",
            "decoder_row": "general",
            **attrs,
        },
    )


def images_at(ax):
    """Left edge and top edge of each image to its pixels."""
    return {
        (round(i.get_extent()[0], 3), round(i.get_extent()[3], 3)): i.get_array() for i in ax.get_images()
    }


def frames(ax):
    """Left edge, top edge and colour of each coloured frame."""
    known = {line.colour.lower(): name for name, line in TARGET_LINES.items()}
    patches = [p for p in ax.patches if isinstance(p, Rectangle) and to_hex(p.get_edgecolor()) in known]
    return [(round(p.get_x(), 3), round(p.get_y(), 3), known[to_hex(p.get_edgecolor())]) for p in patches]


def test_shifts_go_to_the_right_and_trials_downwards():
    ax = plot_reconstructions({"Dynadiff": planted_images()})
    places = images_at(ax)
    assert len(places) == 3 * (3 + 7) - 1  # one trial has no next image
    for row, top in enumerate(sorted({top for _, top in places})):
        lefts = sorted(left for left, y in places if y == top)[-7:]
        for column, left in enumerate(lefts):
            assert tuple(places[left, top][0, 0]) == (20 * column, 20 * row, 0)
    assert ax.yaxis_inverted()


def test_frames_pair_each_seen_image_with_the_shift_of_its_own_response():
    ax = plot_reconstructions({"Dynadiff": planted_images()})
    found = frames(ax)
    top = min(y for _, y, _ in found)
    by_target = {name: sorted(x for x, y, n in found if n == name and y == top) for name in TARGET_LINES}
    pixels = images_at(ax)
    for name, column, seen in (("previous", 0, 0), ("current", 3, 80), ("next", 6, 160)):
        left_seen, left_reconstructed = by_target[name]
        assert pixels[left_seen, top][0, 0, 2] == seen
        assert pixels[left_reconstructed, top][0, 0, 0] == 20 * column
    bottom = max(y for _, y, _ in found)
    assert "next" not in {name for _, y, name in found if y == bottom}


def test_columns_are_labelled_in_trs_and_in_seconds():
    ax = plot_reconstructions({"Dynadiff": planted_images()})
    words = [text.get_text() for text in ax.texts]
    assert [word for word in words if word.lstrip("+\N{MINUS SIGN}").isdigit()] == [
        "\N{MINUS SIGN}3", "\N{MINUS SIGN}2", "\N{MINUS SIGN}1", "0", "+1", "+2", "+3",
    ]  # fmt: skip
    seconds = [label.get_text() for label in ax.get_xticklabels() if label.get_text()]
    assert seconds == ["6.7", "8.0", "9.3", "10.7", "12.0", "13.3", "14.7"]
    assert "simulated data, subject 1" in words


@pytest.mark.parametrize("names", [["Dynadiff"], ["Dynadiff", "Ridge to tokens"]])
@pytest.mark.parametrize("n_trials", [1, 5])
def test_words_neither_leave_the_page_nor_lie_on_one_another(names, n_trials, text_faults):
    ax = plot_reconstructions({name: planted_images(n_trials) for name in names})
    assert text_faults(ax.figure) == []
    assert ax.figure.get_figwidth() * 25.4 == pytest.approx(180)


def test_each_decoder_has_its_own_row_in_each_trial():
    one, other = planted_images(), planted_images()
    other["reconstruction"][:] = 255
    ax = plot_reconstructions({"Dynadiff": one, "Ridge to tokens": other})
    right = max(left for left, _ in images_at(ax))
    column = [pixels[0, 0, 2] for (left, _), pixels in sorted(images_at(ax).items()) if left == right]
    assert column == [0, 255] * 3
    assert [t.get_text() for t in ax.texts].count("Ridge to\ntokens") == 3


def test_without_a_neighbours_distance_only_the_own_image_is_framed():
    ax = plot_reconstructions({"Dynadiff": planted_images(soa_s=np.nan)})
    right = [(x, name) for x, _, name in frames(ax) if x > 3.2]
    assert {name for _, name in right} == {"current"}


def test_given_axes_are_drawn_into():
    from matplotlib import pyplot as plt

    _, ax = plt.subplots()
    assert plot_reconstructions({"Dynadiff": planted_images()}, ax=ax) is ax


@pytest.mark.parametrize(
    ("decoders", "complaint"),
    [
        ({}, "no reconstructions to draw"),
        ({"a": planted_images().drop_vars("seen")}, "lack seen"),
        (
            {"a": planted_images(), "b": planted_images().isel(test_delta=slice(1, None))},
            "differ in test_delta",
        ),
        ({"a": planted_images().isel(trial=[])}, "no trial or no lag"),
    ],
)
def test_what_cannot_be_drawn_is_refused(decoders, complaint):
    with pytest.raises(ResultsError, match=complaint):
        plot_reconstructions(decoders)


def test_specialized_decoders_are_expected_to_show_no_neighbour():
    general, specialized = planted_images(), planted_images(decoder_row="specialized")
    ax = plot_reconstructions({"General": general, "Specialized": specialized})
    columns = sorted({x for x, _, _ in frames(ax) if x > 3.2})
    of_rows = {}
    for x, y, name in frames(ax):
        if x in columns:
            of_rows.setdefault(y, set()).add(name)
    rows = [of_rows[y] for y in sorted(of_rows)]
    assert rows == [
        set(TARGET_LINES),
        {"current"},
        set(TARGET_LINES),
        {"current"},
        {"current", "previous"},
        {"current"},
    ]
    assert any(text.get_text().startswith("reconstructions, by shift") for text in ax.texts)


def test_labels_stand_beside_trials_and_the_rule_below(text_faults):
    rule = "best, median, worst of 140 kept test trials with both neighbours by PixCorr of the General decoder at delta 0; ties: the earlier"
    images = planted_images(rule=rule).assign_coords(
        label=("trial", ["best\nrank 1\n0.9", "median\nrank 70\n0.5", "worst\nrank 140\n0.1"])
    )
    ax = plot_reconstructions({"General": images, "Specialized": images})
    assert [label.get_text().split("\n")[0] for label in ax.get_yticklabels()] == ["best", "median", "worst"]
    assert any(" ".join(text.get_text().split()) == f"Trials: {rule}." for text in ax.texts)
    assert text_faults(ax.figure) == []
