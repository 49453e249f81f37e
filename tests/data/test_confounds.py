"""Reading NSD's motion files and fMRIPrep's confounds, and refusing what is broken."""

import numpy as np
import pytest

from tempgen.data.confounds import load_confounds
from tempgen.errors import SourceDataError

FMRIPREP = (
    "trans_x\ttrans_x_derivative1\tframewise_displacement\ta_comp_cor_00\n"
    "0.1\tn/a\tn/a\t0.5\n"
    "0.3\t0.2\t0.2\tn/a\n"
    "0.2\t-0.1\t0.1\t0.4\n"
)


@pytest.mark.parametrize("separator", ["\t", "   "])
def test_motion_files_without_header_are_read_whole(tmp_path, separator):
    motion = np.random.default_rng(0).normal(0, 1, (226, 6))
    path = tmp_path / "motion.tsv"
    path.write_text("\n".join(separator.join(f"{value:.8e}" for value in row) for row in motion) + "\n")
    np.testing.assert_allclose(load_confounds(path), motion, rtol=1e-7)
    with pytest.raises(SourceDataError, match=r"lack trans_x.*no header"):
        load_confounds(path, ["trans_x"])


def test_the_first_difference_of_fmriprep_counts_as_0(tmp_path):
    path = tmp_path / "confounds.tsv"
    path.write_text(FMRIPREP)
    chosen = load_confounds(path, ["framewise_displacement", "trans_x", "trans_x_derivative1"])
    np.testing.assert_array_equal(chosen, [[0, 0.1, 0], [0.2, 0.3, 0.2], [0.1, 0.2, -0.1]])


@pytest.mark.parametrize("columns", [None, ["a_comp_cor_00"]])
def test_any_other_missing_value_is_refused(tmp_path, columns):
    path = tmp_path / "confounds.tsv"
    path.write_text(FMRIPREP)
    with pytest.raises(SourceDataError, match=r"column a_comp_cor_00, row 1 \(from 0\): 'n/a'"):
        load_confounds(path, columns)


def test_columns_that_are_not_there_are_refused_with_those_that_are(tmp_path):
    path = tmp_path / "confounds.tsv"
    path.write_text(FMRIPREP)
    with pytest.raises(
        SourceDataError, match=r"lack csf\. Choose among its columns: trans_x, trans_x_derivative1"
    ):
        load_confounds(path, ["trans_x", "csf"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("trans_x\ttrans_y\n", "no rows"),
        ("1 2\n3\n", r"row 1 \(from 0\), have 1 values; 2 are needed"),
        ("a\tb\n1\t2\t3\n", "have 3 values; 2"),
        ("1 2\n3 x\n", "column number 1, row 1.*'x'"),
        ("1 2\n3 inf\n", "'inf' came; a finite number"),
    ],
)
def test_broken_confounds_files_are_refused(tmp_path, text, message):
    path = tmp_path / "confounds.tsv"
    path.write_text(text)
    with pytest.raises(SourceDataError, match=message):
        load_confounds(path)


def test_a_missing_confounds_file_is_refused(tmp_path):
    with pytest.raises(SourceDataError, match="cannot be read"):
        load_confounds(tmp_path / "confounds.tsv")
