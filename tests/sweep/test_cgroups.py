"""Limits of control groups, read in file trees as kernels show them."""

import pytest

from tempgen.sweep.cgroups import memory_room_bytes, quota_cores

GB = 10**9


@pytest.fixture
def tree(tmp_path):
    """Write files by path; returns their root."""

    def write(files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(f"{text}\n")
        return tmp_path

    return write


def test_own_group_limits_and_so_does_each_above_it(tree):
    groups = "sys/fs/cgroup/user.slice"
    root = tree(
        {
            "proc/self/cgroup": "0::/user.slice/job_7",
            f"{groups}/job_7/memory.max": 8 * GB,
            f"{groups}/job_7/memory.current": 3 * GB,
            f"{groups}/job_7/memory.stat": f"anon {GB}\ninactive_file {2 * GB}",
            f"{groups}/job_7/cpu.max": "max 100000",
            f"{groups}/memory.max": "max",
            f"{groups}/memory.current": 50 * GB,
            f"{groups}/cpu.max": "350000 100000",
        }
    )
    assert memory_room_bytes(root) == 7 * GB  # files that nobody reads make room
    assert quota_cores(root) == 3.5
    (root / f"{groups}/memory.max").write_text(f"{52 * GB}")
    assert memory_room_bytes(root) == 2 * GB


def test_groups_of_the_first_version_have_a_path_for_each_controller(tree):
    root = tree(
        {
            "proc/self/cgroup": "5:memory:/slurm/job_7\n3:cpu,cpuacct:/slurm\n1:name=systemd:/x\n0::/",
            "sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes": 4 * GB,
            "sys/fs/cgroup/memory/slurm/job_7/memory.usage_in_bytes": GB,
            "sys/fs/cgroup/memory/memory.limit_in_bytes": 9223372036854771712,
            "sys/fs/cgroup/memory/memory.usage_in_bytes": 9 * GB,
            "sys/fs/cgroup/cpu/slurm/cpu.cfs_quota_us": 200000,
            "sys/fs/cgroup/cpu/slurm/cpu.cfs_period_us": 100000,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": -1,
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": 100000,
        }
    )
    assert memory_room_bytes(root) == 3 * GB
    assert quota_cores(root) == 2


@pytest.mark.parametrize("path", ["/docker/4f2a", "/../../outside"])
def test_in_a_container_the_top_of_what_it_sees_is_read(tree, path):
    root = tree(
        {
            "proc/self/cgroup": f"0::{path}",
            "sys/fs/cgroup/memory.max": 2 * GB,
            "sys/fs/cgroup/memory.current": GB,
            "sys/fs/cgroup/cpu.max": "100000 100000",
        }
    )
    assert memory_room_bytes(root) == GB
    assert quota_cores(root) == 1


def test_without_groups_or_limits_there_is_no_limit(tree):
    assert (memory_room_bytes(tree({})), quota_cores(tree({}))) == (None, None)
    root = tree({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "max"})
    assert (memory_room_bytes(root), quota_cores(root)) == (None, None)
