# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Tests of workers.py, with small programs in the place of `srdiff worker`."""

import os
import pathlib
import shlex
import sys
import tempfile
import unittest

import workers

# Answers each job, in order; ends without an answer at the input "fatal", as a process that is out of memory.
ANSWERS = """
import json, os, sys
for line in sys.stdin:
    job = json.loads(line)
    if job["input"] == "fatal":
        os.kill(os.getpid(), 9)
    print(json.dumps({"input": job["input"], "ok": True, "made": True, "seconds": 0, "model": os.environ["GOMAXPROCS"]}), flush=True)
"""


class Worker(unittest.TestCase):
    def setUp(self):
        self.worker = workers.Worker(f"{shlex.quote(sys.executable)} -c {shlex.quote(ANSWERS)}", 3)
        self.addCleanup(lambda: self.worker.process and self.worker.end())

    def work(self, *inputs):
        return list(self.worker.work({"input": name, "output": name + ".png"} for name in inputs))

    def test_rows_in_order(self):
        names = [f"{i}" for i in range(10)]
        rows = self.work(*names)
        self.assertEqual([row["input"] for row in rows], names)
        self.assertTrue(all(row["ok"] and row["output"] == row["input"] + ".png" for row in rows))
        self.assertEqual({row["model"] for row in rows}, {"3"})  # the cores that it may use
        self.assertEqual([list(row) for row in rows], [list(workers.COLUMNS)] * 10)
        self.assertIs(type(rows[0]["seconds"]), float)

    def test_one_process_for_all(self):
        self.work("a")
        process = self.worker.process.pid
        self.work("b")
        self.assertEqual(self.worker.process.pid, process)

    def test_lost_process(self):
        rows = self.work("a", "b", "fatal", "c", "d", "e", "f")
        self.assertEqual([row["input"] for row in rows], ["a", "b", "fatal", "c", "d", "e", "f"])
        failed = [row for row in rows if not row["ok"]]
        self.assertIn("fatal", [row["input"] for row in failed])
        self.assertEqual({row["kind"] for row in failed}, {"worker"})
        self.assertEqual(len(failed), 1)

    def test_program_that_ends_at_once(self):
        self.worker.command = ["false"]
        self.assertEqual([row["kind"] for row in self.work("a", "b", "c", "d", "e", "f")], ["worker"] * 6)

    def test_abandoned(self):
        rows = self.worker.work({"input": name, "output": name} for name in "abcdef")
        self.assertEqual(next(rows)["input"], "a")
        rows.close()
        self.assertEqual([row["input"] for row in self.work("x")], ["x"])


class Pictures(unittest.TestCase):
    def test_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in "a.png", "sea/b.JPG", "sea/notes.txt", ".hidden/c.png", ".d.png":
                path = pathlib.Path(folder, name)
                path.parent.mkdir(exist_ok=True)
                path.touch()
            self.assertEqual([name for _, name in workers.pictures(folder)], ["a.png", "sea/b.JPG"])
            self.assertEqual([path for path, _ in workers.pictures(folder)], [os.path.join(folder, n) for n in ("a.png", "sea/b.JPG")])

    def test_list(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("s3://bucket/sea/a.png?region=x\n\n/data/b.png\n")
            file.flush()
            found = [("s3://bucket/sea/a.png?region=x", "bucket/sea/a.png"), ("/data/b.png", "data/b.png")]
            self.assertEqual(list(workers.pictures(file.name)), found)

    def test_under(self):
        self.assertEqual(workers.under("Large/", "sea/a.jpg"), "Large/sea/a.jpg.png")
        self.assertEqual(workers.under("s3://b/large?region=x", "a.jpg"), "s3://b/large/a.jpg.png?region=x")


unittest.main()
