"""What a ridge learns to predict, and what is refused before it is computed."""

import pytest

from tempgen.errors import DecoderError
from tempgen.workflow.ridge_targets import check_memory


def test_ridge_to_tokens_that_does_not_fit_the_machine_is_refused_with_its_size(monkeypatch):
    paper = {"n_trials": 27_000, "n_voxels": 15_724, "n_tr": 6, "n_targets": 257 * 768}
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 24 * 2**30 // 4096}
    monkeypatch.setattr("os.sysconf", pages.__getitem__)
    with pytest.raises(DecoderError, match=r"takes 89 GiB at least, this machine has 24 GiB.*data\.roi"):
        check_memory(**paper)
    check_memory(**paper | {"n_targets": 17 * 96})
