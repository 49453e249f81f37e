"""Cross-condition generalization: train on one group of trials, test on each, at all lags of an analysis.

Groups are conditions on the trials table, e.g. ``{"early": "session <= 2", "late": "session > 2"}``. The runs that test
are the analysis' own, the same for all groups: a group's decoders are trained on its trials of the training runs, and
tested on its own and on the other groups' trials of the test runs, none of which any decoder has seen.

Folders below the analysis' own::

    NAME/train-GROUP/decoders                     one training a group
    NAME/train-GROUP/test-GROUP/results.zarr      an ordinary result, with a link to those decoders
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product

import xarray as xr

from tempgen.config import Analysis, validate
from tempgen.config.split import SplitConfig
from tempgen.errors import ConfigError
from tempgen.generalization.groups import combine_groups
from tempgen.workflow.evaluation import evaluate_decoders
from tempgen.workflow.places import Places
from tempgen.workflow.recording import Say, prepare_recording
from tempgen.workflow.shared_decoders import share_decoders
from tempgen.workflow.training import train_decoders
from tempgen.workflow.trial_sets import TrialSets

Groups = Mapping[str, str | None]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*$")


def cross_condition(
    analysis: Analysis,
    groups: Groups,
    *,
    train_groups: Groups | None = None,
    name: str = "conditions",
    store: xr.Dataset | None = None,
    say: Say = print,
    overwrite: bool = False,
) -> xr.Dataset:
    """Train on each group of trials and test on each, at the analysis' lags; what is there is kept.

    Parameters
    ----------
    analysis : Analysis
        Its own ``split.train_where`` and ``split.test_where`` hold beside the groups' conditions.
    groups : mapping of str to str or None
        Condition of each group on the columns of :data:`tempgen.config.split.TRIAL_CONDITIONS`; None: all trials. Groups
        may overlap; groups of unequal size train unequal decoders (``n_train`` says so).
    train_groups : mapping of str to str or None, optional
        Groups to train on, where they are not those to test on: ``{"all": None}`` tests one decoder on each group.
    name : str
        Folder of these groups below the analysis' folder, so that several groupings lie beside each other.
    store : xarray.Dataset, optional
        The analysis' store; prepared if None.
    overwrite : bool
        Make again what other groups of the same names made in the same folder.

    Returns
    -------
    xarray.Dataset
        The variables of a result with the further dims ``train_group`` and ``test_group`` in front: see
        :func:`tempgen.generalization.groups.combine_groups`; :func:`tempgen.generalization.groups.group_result` gives one pair as an
        ordinary result.

    Raises
    ------
    ConfigError
        If a name is no folder name, a condition cannot be read, or other groups' decoders or results are in the way.
    SplitError
        If a group has no trial to train on or to test on; known before anything is trained.
    """
    train_groups = groups if train_groups is None else train_groups
    _check_names(name, train_groups, groups)
    store = prepare_recording(analysis, say=say, overwrite=overwrite) if store is None else store
    trained = {train: _part(analysis, name, train, where) for train, where in train_groups.items()}
    tested = {
        (train, test): _part(trained[train], name, test, where, tests=True)
        for train, (test, where) in product(trained, groups.items())
    }
    for part in (*trained.values(), *tested.values()):
        TrialSets.of(part, store)
    for train, part in trained.items():
        say(f"train on {train}: {part.split.train_where or 'all trials'}")
        train_decoders(part, part.fitted_deltas, store=store, say=say, overwrite=overwrite)
    results = {}
    for (train, test), part in tested.items():
        say(f"trained on {train}, test on {test}: {part.split.test_where or 'all trials'}")
        share_decoders(Places(trained[train]), Places(part), overwrite=overwrite)
        results[train, test] = evaluate_decoders(part, store=store, say=say, overwrite=overwrite)
    return combine_groups(results, train_groups=train_groups, test_groups=groups)


def _check_names(name: str, *groups: Groups) -> None:
    if not all(groups):
        raise ConfigError("No group of trials came: give at least one, e.g. {'early': 'session <= 2'}.")
    wrong = [
        given for given in (name, *(group for some in groups for group in some)) if not _NAME.match(given)
    ]
    if wrong:
        raise ConfigError(
            f"{wrong[0]!r} names a folder: use letters, digits, '_', '-' and '.', and begin with a letter or digit."
        )


def _part(analysis: Analysis, name: str, group: str, where: str | None, *, tests: bool = False) -> Analysis:
    """The analysis with one group to train on (or, below it, to test on) and a folder of its own."""
    key, folder = (
        ("test_where", analysis.output_folder) if tests else ("train_where", analysis.output_folder / name)
    )
    conditions = [condition for condition in (getattr(analysis.split, key), where) if condition is not None]
    both = " and ".join(f"({condition})" for condition in conditions) if len(conditions) > 1 else None
    split = validate(
        SplitConfig,
        {**analysis.split.model_dump(), key: both or (conditions or [None])[0]},
        origin=f"group {group!r}",
    )
    place = folder / f"{'test' if tests else 'train'}-{group}"
    return analysis.model_copy(update={"folder": place, "name": f"{analysis.name}-{group}", "split": split})
