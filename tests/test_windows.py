import numpy as np
import pytest

from tempgen.errors import ConfigError, WindowOutsideRunError
from tempgen.windows import (
    Window,
    format_deltas,
    parse_deltas,
    shares_volumes,
    usable_trials,
    window_slice,
)

NSD_TR_S = 4 / 3


def test_window_never_wraps_into_the_end_of_the_run():
    with pytest.raises(WindowOutsideRunError, match=r"volumes \[-1, 5\)"):
        window_slice(0, delta=-3, start_tr=2, n_tr=6, run_length=225)


def test_window_never_reaches_beyond_the_run():
    assert window_slice(217, delta=0, start_tr=2, n_tr=6, run_length=225) == slice(219, 225)
    with pytest.raises(WindowOutsideRunError, match="Leave the trial out"):
        window_slice(218, delta=0, start_tr=2, n_tr=6, run_length=225)


def test_usable_trials_are_those_whose_every_window_can_be_sliced():
    window, deltas = Window(2, 6, NSD_TR_S), tuple(range(-4, 14))
    onsets = np.arange(225)
    usable = usable_trials(onsets, run_length=225, window=window, deltas=deltas)
    for onset in onsets:
        slices = []
        for delta in deltas:
            try:
                slices.append(window_slice(int(onset), delta=delta, start_tr=2, n_tr=6, run_length=225))
            except WindowOutsideRunError:
                break
        assert usable[onset] == (len(slices) == len(deltas))


def test_paper_window_on_the_grid_of_nsd_starts_at_volume_2():
    window = Window.from_seconds(3.0, n_tr=6, tr_s=NSD_TR_S)
    assert (window.start_tr, window.n_tr) == (2, 6)
    assert window.start_s == pytest.approx(2.667, abs=1e-3)
    assert window.lag_s(0) == pytest.approx(8 * NSD_TR_S)
    assert window.lag_s(3) - window.lag_s(0) == pytest.approx(4.0)


def test_sixteen_lags_of_six_volumes_see_21_distinct_volumes():
    assert len(Window(2, 6, NSD_TR_S).offsets(range(-2, 14))) == 21


def test_width_in_seconds_goes_to_the_nearest_volume():
    assert Window.from_seconds(3.0, duration_s=7.8, tr_s=1.3).n_tr == 6


@pytest.mark.parametrize("width", [{}, {"n_tr": 6, "duration_s": 7.8}])
def test_width_is_given_exactly_once(width):
    with pytest.raises(ConfigError, match="either in TRs or in seconds"):
        Window.from_seconds(3.0, tr_s=1.3, **width)


@pytest.mark.parametrize(
    ("text", "deltas"),
    [
        ("-2..13", tuple(range(-2, 14))),
        ("-3,0,3", (-3, 0, 3)),
        ("5", (5,)),
        (" -1 .. 1 , 4", (-1, 0, 1, 4)),
        (7, (7,)),
        ([3, 1], (1, 3)),
    ],
)
def test_deltas_are_read_from_ranges_lists_and_numbers(text, deltas):
    assert parse_deltas(text) == deltas


@pytest.mark.parametrize("text", ["", "a", "3..1", "1,1", "0..2,1", "1.5", []])
def test_unreadable_deltas_are_refused_with_advice(text):
    with pytest.raises(ConfigError):
        parse_deltas(text)


def test_formatted_deltas_read_back_as_they_were():
    for deltas in [(-2, -1, 0, 5), (0,), (0, 1), tuple(range(-9, 20)), (-3, 0, 3)]:
        assert parse_deltas(format_deltas(deltas)) == deltas


def test_windows_share_volumes_up_to_their_width():
    assert shares_volumes([0, 0, 0], [5, 6, -5], n_tr=6).tolist() == [True, False, True]
