"""A planted result, as an analysis of a subject would give it."""

import numpy as np
import pytest
import xarray as xr

from tempgen.metrics import IMAGE_METRICS

TR_S = 4 / 3


def planted_results(deltas=range(-2, 14), *, rotating=True, matrix=True, seed=0):
    """Scores of 300 trials of 100 images, for a code that lasts 9 s and turns (or not).

    General peaks at delta 0 and falls, Specialized falls more slowly, and a shift by 3 TRs decodes the neighbours.
    """
    rng = np.random.default_rng(seed)
    deltas = np.array(deltas)
    n_trials, n_images, trial_tr = 300, 100, 3
    image_id = np.arange(n_trials) % n_images
    difficulty = rng.normal(0, 0.12, n_images)[image_id]
    effect = np.zeros((len(deltas), len(deltas), 3, n_trials))
    for row, train in enumerate(deltas):
        for column, test in enumerate(deltas):
            for k, target in enumerate((-1, 0, 1)):
                lag = test - target * trial_tr  # shift relative to that image
                signal = np.exp(-0.5 * (lag / 4.5) ** 2) if lag > 0 else np.exp(-0.5 * (lag / 2.2) ** 2)
                turned = np.cos(np.clip(0.22 * abs(train - lag), 0, 2.2)) if rotating else 1.0
                effect[row, column, k] = 0.42 * signal * turned * (1 - 0.02 * max(train, 0))
            if not matrix and train not in (0, test):
                effect[row, column] = np.nan
    noise = rng.normal(0, 0.2, (1, 1, 3, n_trials)) + rng.normal(0, 0.1, effect.shape)
    identification = np.clip(0.5 + effect + difficulty + noise, 0, 1)
    dims = ("train_delta", "test_delta", "target", "trial")
    pixcorr = 0.12 + 0.8 * effect + 0.5 * (difficulty + noise)
    missing = np.isnan(effect[:, :, 0, 0])
    return xr.Dataset(
        {
            "identification": (
                dims,
                identification.astype(np.float32),
                IMAGE_METRICS["identification"].attrs(),
            ),
            "pixcorr": (dims, pixcorr.astype(np.float32), IMAGE_METRICS["pixcorr"].attrs()),
            "pixcorr_chance": (
                ("train_delta", "test_delta"),
                np.where(missing, np.nan, 0.12 + 0.008 * np.arange(len(deltas))[:, np.newaxis] / len(deltas)),
            ),
        },
        coords={
            "train_delta": deltas,
            "test_delta": deltas,
            "train_lag_s": ("train_delta", (deltas + 8) * TR_S),
            "lag_s": ("test_delta", (deltas + 8) * TR_S),
            "target": ["previous", "current", "next"],
            "image_id": ("trial", image_id),
            "run": ("trial", np.arange(n_trials) // 60),
        },
        attrs={
            "tr_s": TR_S,
            "start_tr": 2,
            "n_tr": 6,
            "soa_s": 4.0,
            "stimulus_duration_s": 3.0,
            "subject": "subj01",
            "data_kind": "simulated",
            "general_delta": 0,
        },
    )


@pytest.fixture(scope="session")
def plant():
    """The function, so that a test can plant what it needs."""
    return planted_results


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


@pytest.fixture
def text_faults():
    """Function that lists the words of a figure that leave it or lie on one another."""

    def find(figure):
        from matplotlib.text import Text

        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        page = figure.bbox
        boxes = []
        for text in figure.findobj(Text):
            shown = text.get_text().strip() and text.get_visible()
            box = text.get_window_extent(renderer)
            if shown and box.width and _is_drawn(text):
                boxes.append((text.get_text(), box))
        outside = [
            f"{word!r} leaves the figure"
            for word, box in boxes
            if box.x0 < page.x0 - 0.5
            or box.x1 > page.x1 + 0.5
            or box.y0 < page.y0 - 0.5
            or box.y1 > page.y1 + 0.5
        ]
        overlapping = [
            f"{word!r} lies on {other!r}"
            for k, (word, box) in enumerate(boxes)
            for other, other_box in boxes[k + 1 :]
            if _overlap(box, other_box)
        ]
        return outside + overlapping

    return find


def _is_drawn(text):
    """Tick labels exist beyond the limits of their axis, where they are not drawn."""
    for axes in text.figure.axes:
        for one in (*axes.findobj(lambda artist: hasattr(artist, "get_majorticklabels")),):
            low, high = sorted(one.get_view_interval())
            margin = 1e-6 * (high - low)
            for tick in (*one.majorTicks, *one.minorTicks):
                if text in (tick.label1, tick.label2):
                    return low - margin <= tick.get_loc() <= high + margin
    return True


def _overlap(one, other):
    """More than a point of both width and height in common."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > 1 and height > 1
