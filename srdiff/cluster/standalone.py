# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""A Spark standalone cluster of processes on this machine, for test_cluster.py and throughput.py."""

import os
import pathlib
import re
import subprocess
import sys

import pyspark
import trial

SPARK = pathlib.Path(pyspark.__file__).parent


class Cluster:
    """A master and workers. Each is a process, with a log in the folder."""

    def __init__(self, folder, workers):
        self.folder, self.processes = folder, {}
        # Each worker offers a core and a GB to Spark, which does not know what they share.
        self.env = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m", "PYSPARK_PYTHON": sys.executable}
        common = ["--host", "127.0.0.1", "--webui-port", "0"]
        self.start("master", "org.apache.spark.deploy.master.Master", *common, "--port", "0")
        self.master = trial.wait(lambda: self.said("master", r"Starting Spark master at (\S+)"), 120, "the start of the master")
        for i in range(workers):
            work = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"work{i}")]
            self.start(f"worker{i}", "org.apache.spark.deploy.worker.Worker", *common, *work, self.master)
        for i in range(workers):
            trial.wait(lambda: self.said(f"worker{i}", r"(Successfully registered)"), 120, "the start of a worker")

    def start(self, name, *arguments):
        with open(self.folder / f"{name}.log", "w") as log:
            command = [SPARK / "bin/spark-class", *arguments]
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=self.env, start_new_session=True)

    def said(self, name, pattern):
        found = re.search(pattern, (self.folder / f"{name}.log").read_text())
        return found and found.group(1)

    def submit(self, *arguments):
        command = [SPARK / "bin/spark-submit", "--master", self.master, "--driver-memory", "512m", "--executor-memory", "640m"]
        command += ["--conf", "spark.executor.cores=1", trial.ROOT / "srdiff/cluster/spark.py", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=open(self.folder / "driver.log", "a"), env=self.env, text=True)

    def close(self):
        for process in self.processes.values():
            trial.kill(process.pid)
            process.wait()
