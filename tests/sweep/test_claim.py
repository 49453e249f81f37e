"""Claims: one holder at a time, taken over from the dead and not from the living, whatever clocks say."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tempgen.sweep.claim import STALE_S, Claim, is_alive, read_claim, this_process

HOLD = """
import sys, time
from pathlib import Path
from tempgen.sweep.claim import Claim
claim = Claim.take(Path(sys.argv[1]))
print(claim is not None, flush=True)
time.sleep(60)
"""


def holder_in_a_process(path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "True\n"
    return process


def of_another_machine(path, *, age_s):
    path.write_text(json.dumps({"token": "theirs", **this_process(), "host": "elsewhere 1234"}))
    os.utime(path, (time.time() - age_s,) * 2)


def test_claim_is_held_by_one_until_it_is_given_up(tmp_path):
    claim = Claim.take(tmp_path / "claim")
    assert claim is not None
    assert Claim.take(tmp_path / "claim") is None
    with claim.held():
        assert claim.is_own()
    assert Claim.take(tmp_path / "claim") is not None
    assert [path.name for path in tmp_path.iterdir()] == ["claim"]


def test_claim_of_a_live_process_is_kept_and_of_a_dead_one_taken_over(tmp_path):
    process = holder_in_a_process(tmp_path / "claim")
    assert Claim.take(tmp_path / "claim") is None
    process.kill()
    process.wait()
    assert Claim.take(tmp_path / "claim") is not None


def test_claim_of_another_machine_is_taken_over_when_it_is_touched_no_more(tmp_path):
    path = tmp_path / "claim"
    of_another_machine(path, age_s=STALE_S / 2)
    assert Claim.take(path) is None
    of_another_machine(path, age_s=STALE_S * 2)
    assert Claim.take(path) is not None


def test_whoever_holds_a_claim_touches_it(tmp_path):
    claim = Claim.take(tmp_path / "claim")
    os.utime(claim.path, (0, 0))
    with claim.held(beat_s=0.05):
        time.sleep(0.3)
        assert claim.path.stat().st_mtime > 0


def test_a_wrong_clock_neither_loses_a_claim_nor_keeps_one_for_ever(tmp_path, monkeypatch):
    path = tmp_path / "claim"
    for hours in (-5, 5):
        monkeypatch.setattr(
            time, "time", lambda hours=hours: time.clock_gettime(time.CLOCK_REALTIME) + 3600 * hours
        )
        for age_s, alive in ((1.0, True), (STALE_S * 2, False)):
            path.write_text(json.dumps({"token": "theirs", **this_process(), "host": "elsewhere"}))
            stamp = time.clock_gettime(time.CLOCK_REALTIME) - age_s
            os.utime(path, (stamp, stamp))
            assert is_alive(path, read_claim(path)) is alive


def test_job_that_slurm_began_again_takes_its_own_claim_over(tmp_path, monkeypatch):
    path = tmp_path / "claim"
    path.write_text(json.dumps({"token": "before", **this_process(), "host": "first node", "job": "12_3"}))
    assert Claim.take(path) is None
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    monkeypatch.setenv("SLURM_JOB_ID", "15")
    assert Claim.take(path) is None  # another process of the same job, on another node
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert Claim.take(path) is not None


def test_claim_of_another_live_process_of_the_same_allocation_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "15")
    process = holder_in_a_process(tmp_path / "claim")
    assert Claim.take(tmp_path / "claim") is None
    process.kill()
    process.wait()
    assert Claim.take(tmp_path / "claim") is not None


def test_claim_that_cannot_be_written_leaves_no_file(tmp_path, monkeypatch):
    def full(path, *_, **__):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        Claim.take(tmp_path / "claim")
    assert list(tmp_path.iterdir()) == []


def test_damaged_claim_counts_by_its_age_alone(tmp_path):
    path = tmp_path / "claim"
    path.write_text("{")
    assert Claim.take(path) is None
    os.utime(path, (time.time() - 2 * STALE_S,) * 2)
    assert Claim.take(path) is not None
