"""Results of groups of trials stand in one array, and come out of it as they went in."""

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.groups import combine_groups, group_result
from tempgen.results import export_netcdf, metrics_of
from tests.generalization.planted_lags import planted_lags

WHERE = {"even": "run % 2 == 0", "odd": "run % 2 == 1", "all": None}
MEMBERS = {"even": lambda run: run % 2 == 0, "odd": lambda run: run % 2 == 1, "all": lambda run: run >= 0}


def planted_pairs(train=("even", "odd"), test=tuple(WHERE)):
    """The same trials in every training group; scores of the second are higher by 0.5."""
    whole = planted_lags()
    run, onset = np.arange(30) % 3, np.arange(30)
    whole = whole.assign_coords(run=("trial", run), onset_tr=("trial", onset)).drop_vars(
        "trial", errors="ignore"
    )
    pairs = {}
    for number, trained in enumerate(train):
        for tested in test:
            pair = (whole + 0.5 * number).isel(trial=np.flatnonzero(MEMBERS[tested](run)))
            for name in pair.data_vars:
                pair[name].attrs = whole[name].attrs
            attrs = {"subject": "1", "n_train": 10 + number, "n_test": pair.sizes["trial"], "tr_s": 4 / 3}
            pairs[trained, tested] = pair.assign_attrs(attrs)
    return pairs


def combined(pairs):
    return combine_groups(
        pairs, train_groups={name: WHERE[name] for name in ("even", "odd")}, test_groups=WHERE
    )


def test_every_pair_comes_out_as_it_went_in():
    pairs = planted_pairs()
    results = combined(pairs)
    assert results["pixcorr"].dims[:2] == ("train_group", "test_group")
    for (train, test), pair in pairs.items():
        found = group_result(results, train_group=train, test_group=test)
        order = np.lexsort((pair["onset_tr"], pair["run"]))
        xr.testing.assert_identical(found[list(pair.data_vars)], pair.isel(trial=order)[list(pair.data_vars)])
        assert found.attrs == {**pair.attrs}
        assert metrics_of(found) == metrics_of(pair)


def test_mean_over_trials_is_the_mean_over_the_group():
    pairs = planted_pairs()
    results = combined(pairs)
    mean = results["pixcorr"].sel(target="current").mean("trial")
    for (train, test), pair in pairs.items():
        np.testing.assert_allclose(
            mean.sel(train_group=train, test_group=test),
            pair["pixcorr"].sel(target="current").mean("trial"),
            rtol=1e-4,
        )
    assert results["n_test"].values.tolist() == [20, 10, 30]
    assert results["n_train"].values.tolist() == [10, 11]
    assert results["in_test_group"].sum("trial").values.tolist() == [20, 10, 30]
    assert results["test_where"].values.tolist() == ["run % 2 == 0", "run % 2 == 1", "all"]


def test_trial_of_two_groups_stands_at_one_place():
    results = combined(planted_pairs()).sel(train_group="even")
    both = results["in_test_group"].sel(test_group="odd") & results["in_test_group"].sel(test_group="all")
    scores = results["pixcorr"].isel(trial=np.flatnonzero(both))
    np.testing.assert_array_equal(scores.sel(test_group="odd"), scores.sel(test_group="all"))
    assert both.sum() == 10


def test_groups_survive_netcdf(tmp_path):
    results = combined(planted_pairs())
    with xr.open_dataset(export_netcdf(results, tmp_path / "g.nc"), engine="h5netcdf") as read:
        found = group_result(read.load(), train_group="odd", test_group="even")
    xr.testing.assert_equal(found, group_result(results, train_group="odd", test_group="even"))


def test_pairs_that_do_not_fit_are_refused():
    pairs = planted_pairs()
    with pytest.raises(ResultsError, match="No result of groups"):
        combined({key: value for key, value in pairs.items() if key != ("odd", "all")})
    with pytest.raises(ResultsError, match="other trials of 'odd'"):
        combined({**pairs, ("odd", "odd"): pairs["odd", "even"]})
    with pytest.raises(ResultsError, match="do not fit together"):
        combined({**pairs, ("odd", "odd"): pairs["odd", "odd"].isel(test_delta=slice(1, None))})


def test_group_that_is_not_there_is_refused_with_those_that_are():
    results = combined(planted_pairs())
    with pytest.raises(ResultsError, match="train_group has no 'all'; there are: even, odd"):
        group_result(results, train_group="all", test_group="even")
    with pytest.raises(ResultsError, match="no result of groups"):
        group_result(planted_lags(), train_group="all", test_group="even")
