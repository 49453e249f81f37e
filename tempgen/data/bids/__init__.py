"""BIDS datasets, raw or preprocessed by fMRIPrep."""

from tempgen.data.bids.reader import MOTION_CONFOUNDS, open_bids

__all__ = ["MOTION_CONFOUNDS", "open_bids"]
