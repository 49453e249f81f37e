"""Single-trial betas: one number (or an early and a late one) for each trial and voxel, and the stores that hold them.

A beta needs an assumed HRF. A response of free shape for each trial is not identifiable where trials follow each other every
4 s; the mean response over all trials is (:func:`mean_response`), and shows whether the HRFs fit.

Early and late betas tell a code that changes from one that stays only as well as the HRFs are known. On simulated subjects (20 to 30
runs, 120 to 200 voxels, HRF peaks from 2.7 to 5.7 s, signal-to-noise ratio 1; ridge from early betas to image features, tested on late
ones, and the reverse) least squares separate with the true HRFs gives a dynamics index of 0.00 for a static code, 0.01 for a sustained
and 0.95 for a rotating one; with the canonical HRF for all voxels the static code gets 1.8 and looks reversed. Where each half of the
activity outlasts the trials' spacing (9 s, say), least squares all tells nothing: its betas are noise.
"""

from tempgen.data.betas.fractions import choose_ridge_fractions
from tempgen.data.betas.mean_response import mean_response
from tempgen.data.betas.store import make_betas_store
from tempgen.data.betas.volumes import n_components_of, refuse_volumes_without_betas

__all__ = [
    "choose_ridge_fractions",
    "make_betas_store",
    "mean_response",
    "n_components_of",
    "refuse_volumes_without_betas",
]
