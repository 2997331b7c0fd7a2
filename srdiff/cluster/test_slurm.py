# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Enlarges pictures by slurm.sh on a Slurm cluster that loses a machine, and compares every result with `srdiff upscale`.

    apt-get install slurm-wlm munge
    make test-slurm        # as root

The cluster is slurmctld and two slurmd on this machine, from the system's packages, with a configuration and keys of their own.
While the array of jobs runs, one slurmd is killed with its jobs, and one job on the other is requeued.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import trial

SHARES = 6

CONFIGURATION = """
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n.spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
SlurmdTimeout=10
InactiveLimit=0
ReturnToService=2
SchedulerParameters=requeue_delay=1
NodeName=first NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]}
NodeName=second NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=all Nodes=first,second Default=YES State=UP
"""


def free_ports(count):
    with contextlib.ExitStack() as closing:
        sockets = [closing.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


class Cluster:
    """Slurm's processes, each with a log in the folder."""

    def __init__(self, folder):
        self.folder, self.processes = folder, {}
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        (folder / "slurm.conf").write_text(CONFIGURATION.format(host=socket.gethostname(), folder=folder, ports=free_ports(3)))
        (folder / "state").mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = [f"--{what}={folder}/munge.{what.split('-')[0]}" for what in ("socket", "pid-file", "log-file", "seed-file")]
        self.start("munged", "munged", "--foreground", "--force", f"--key-file={key}", *files)
        trial.wait((folder / "munge.socket").exists, 30, "the start of munged")
        self.start("slurmctld", "slurmctld", "-D", "-i")
        for node in "first", "second":
            self.start(node, "slurmd", "-D", "-N", node)
        trial.wait(lambda: self.ask("sinfo", "-h", "-o", "%T %D") == "idle 2", 60, "the start of the nodes")

    def start(self, name, program, *arguments):
        with open(self.folder / f"{name}.log", "w") as log:
            path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
            self.processes[name] = subprocess.Popen([path, *arguments], stdout=log, stderr=log, start_new_session=True)

    def ask(self, *command):
        done = subprocess.run(command, capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()

    def running(self, node):
        """The tasks of the array that run on a node."""
        return self.ask("squeue", "-h", "-r", "-t", "running", "-w", node, "-o", "%K").split()

    def close(self):
        for process in self.processes.values():
            trial.kill(process.pid)
            process.wait()
        # slurmstepd leaves slurmd's tree, and is known by its configuration.
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            if self.owns(process):
                trial.kill(int(process.name))

    def owns(self, process):
        with contextlib.suppress(OSError):
            return f"SLURM_CONF={self.folder}/".encode() in (process / "environ").read_bytes() and int(process.name) != os.getpid()
        return False

    def lose(self, node):
        """Kills a slurmd with the jobs on it, and the slurmstepd of each, which is the job's parent."""
        steps = set()
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"SLURMD_NODENAME={node}".encode() in (process / "environ").read_bytes().split(b"\0") and self.owns(process):
                    steps.add(trial.parent(int(process.name)))
        return [name for process in (self.processes[node].pid, *steps) for name in trial.kill(process)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--srdiff", default=".lab/bin/srdiff", help="the program")
    parser.add_argument("--engine", default="auto", help="engine of the jobs and of srdiff upscale")
    parser.add_argument("--small", type=int, default=120, help="number of pictures of 32x32")
    parser.add_argument("--large", type=int, default=2, help="number of pictures of 256x256")
    options = parser.parse_args()
    os.environ["SRDIFF_ENGINE"] = options.engine
    os.environ["PATH"] = f"{pathlib.Path(options.srdiff).resolve().parent}:{os.environ['PATH']}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes end, too

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as closing:
        folder = pathlib.Path(folder)
        pictures, results = folder / "pictures", folder / "results"
        bad = trial.make_pictures(pictures, options.small, options.large)
        count = options.small + options.large
        trial.upscale(options.srdiff, pictures, folder / "wanted")

        cluster = Cluster(folder)
        closing.callback(cluster.close)
        script = trial.ROOT / "srdiff/cluster/slurm.sh"
        command = ["sbatch", "--parsable", f"--array=1-{SHARES}", f"--output={folder}/share%a.txt", str(script), str(SHARES)]
        job = cluster.ask(*command, str(pictures), str(results), "--seed", trial.SEED)
        trial.require(job.isdigit(), f"sbatch accepted the array ({job})")
        there = trial.wait(lambda: results.exists() and len(list(results.glob("*.png"))) > count * 0.1, 300, "the first results")
        trial.wait(lambda: cluster.running("first") and cluster.running("second"), 60, "a task on each node")
        requeued = cluster.running("first")[0]
        lost = cluster.running("second")
        killed = cluster.lose("second")
        print(f"killed node second with share {', '.join(lost)}: {', '.join(killed)}", flush=True)
        said = cluster.ask("scontrol", "requeue", f"{job}_{requeued}")
        there = len(list(results.glob("*.png")))
        print(f"requeued share {requeued} on node first; {there} of {count} results were there {said}", flush=True)
        trial.require(there < count, "the work was not done yet")
        trial.wait(lambda: cluster.ask("sinfo", "-h", "-n", "second", "-o", "%T").startswith("down"), 120, "the loss of the node in Slurm's eyes")
        print("Slurm holds node second for down; it comes back", flush=True)
        cluster.start("second", "slurmd", "-D", "-N", "second")
        trial.wait(lambda: not cluster.ask("squeue", "-h"), 900, "the end of the array")

        for share in sorted(folder.glob("share*.txt")):
            print(share.name, "|", " | ".join(share.read_text().strip().splitlines()[-4:]))
        wanted, made = trial.hashes(folder / "wanted"), trial.hashes(results)
        names = {n for n in made if not n.startswith(".")}
        trial.require(names == set(wanted), f"{len(names)} results, none lost and none too many")
        trial.require(all(made[n] == wanted[n] for n in names), "all have the bytes of srdiff upscale's")
        if left := set(made) - names:
            print(f"the killed tasks left {len(left)} temporary files: {' '.join(left)}")
        print(f"{len(bad)} bad pictures failed in their shares")
    print("passed")


main()
