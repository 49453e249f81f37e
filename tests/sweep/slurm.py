"""A SLURM of one machine for the tests: controller, one node, no accounting; started as root, ended with the tests."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
ETC = Path("/etc/slurm")
FILES = ("slurm.conf", "cgroup.conf")

STATES = ("idle", "mix", "alloc")
"""In which a node takes jobs."""
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=5
MinJobAge=3600
SlurmdTimeout={slurmd_timeout}
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000
PartitionName=main Nodes={host} Default=YES PriorityTier=1
PartitionName=urgent Nodes={host} PriorityTier=10
"""


def why_no_slurm():
    """What is missing on this machine; None if a SLURM can be started."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        return f"SLURM is not installed (apt-get install slurm-wlm munge): no {', '.join(lacking)}"
    if os.geteuid() != 0:
        return "SLURM's daemons are started as root here"
    if any((ETC / name).exists() for name in FILES):
        return f"this machine has a SLURM of its own ({ETC / FILES[0]})"
    if not socket.gethostbyname(socket.gethostname()).startswith("127."):
        return "the host's name has to resolve to 127.x (/etc/hosts)"
    return None


class Slurm:
    """The daemons, and what tests do to jobs."""

    def __init__(self, folder, *, cpus=2, slurmd_timeout=300):
        self.folder, self.host = folder, socket.gethostname()
        self.cpus, self.slurmd_timeout = cpus, slurmd_timeout

    def start(self):
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        ETC.mkdir(exist_ok=True)
        values = {
            "host": self.host,
            "folder": self.folder,
            "cpus": self.cpus,
            "slurmd_timeout": self.slurmd_timeout,
        }
        (ETC / "slurm.conf").write_text(SLURM_CONF.format(**values))
        (ETC / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        ours = {
            f"--{name}": str(self.folder / f"munge.{suffix}")
            for name, suffix in (
                ("socket", "socket"),
                ("key-file", "key"),
                ("pid-file", "pid"),
                ("log-file", "log"),
                ("seed-file", "seed"),
            )
        }
        run("munged", "--force", *(word for pair in ours.items() for word in pair))
        run("slurmctld")
        self.start_node()

    def start_node(self):
        run("slurmd", "-N", self.host)
        wait_until(self.has_node, "a node that takes jobs")

    def has_node(self):
        return run("sinfo", "-h", "-p", "main", "-o", "%t", check=False).strip() in STATES

    def stop(self):
        run("scancel", "-u", "root", check=False)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.jobs(), "an empty queue", seconds=30)
        for name in ("slurmd", "slurmctld", "munge"):
            self.end(name)
        for pid in stepds():  # one that cannot report to a controller that has gone tries for ever
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        for name in FILES:
            (ETC / name).unlink(missing_ok=True)

    def end(self, name, number=15):
        """End a daemon by its pid file."""
        path = self.folder / f"{name}.pid"
        if not path.is_file():
            return
        pid = int(path.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            wait_until(lambda: not Path(f"/proc/{pid}").exists() or zombie(pid), f"the end of {name}")
        path.unlink(missing_ok=True)

    def jobs(self):
        """State by job."""
        lines = run("squeue", "-h", "-r", "-o", "%i %T", check=False).splitlines()
        return dict(line.split() for line in lines)


def stepds():
    """Processes that watch over steps; this SLURM is the only one of the machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(b"slurmstepd"):
                found.append(int(path.parent.name))
    return found


def zombie(pid):
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()


def run(*command, check=True):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
    assert not check or done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def wait_until(condition, what, *, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.1)
    return found
