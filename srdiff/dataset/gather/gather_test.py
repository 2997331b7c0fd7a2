# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Tests of gather.py that need neither network nor packages: python3 -m unittest srdiff/dataset/gather/gather_test.py"""
import hashlib
import io
import pathlib
import subprocess
import tempfile
import unittest

from PIL import Image

import gather


def png(image):
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


class Reduce(unittest.TestCase):
    def test_long_side(self):
        for size, side, want in [((400, 200), 100, (100, 50)), ((90, 300), 100, (30, 100)), ((40, 20), 100, (40, 20))]:
            got = Image.open(io.BytesIO(gather.reduce(png(Image.new("RGB", size)), "a.jpg", side, 95)))
            self.assertEqual((got.size, got.mode, got.format), (want, "RGB", "JPEG"))

    def test_keeps_colours(self):
        data = gather.reduce(png(Image.new("RGB", (64, 64), (200, 40, 90))), "a.jpg", 16, 95)
        for got, want in zip(Image.open(io.BytesIO(data)).getpixel((8, 8)), (200, 40, 90)):
            self.assertLessEqual(abs(got - want), 3)

    def test_transparent_ground(self):
        image = Image.new("RGBA", (60, 40))
        image.paste((10, 20, 30, 255), (10, 10, 30, 20))
        image.putpixel((29, 19), (0, 0, 0, 0))
        got = Image.open(io.BytesIO(gather.reduce(png(image), "a.jpg", 100, 95)))
        self.assertEqual(got.size, (20, 10))  # what is empty around it is cropped
        self.assertGreater(min(got.getpixel((19, 9))), 60)  # the ground shows through


class Git(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.clone = self.folder / "clone"
        self.data = png(Image.new("RGB", (50, 30)))
        git = ["git", "-C", self.clone, "-c", "user.name=a", "-c", "user.email=a"]
        subprocess.run(["git", "init", "--quiet", self.clone], check=True)
        (self.clone / "a.png").write_bytes(self.data)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", "a"], check=True)
        version = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
        self.source = {"name": "a", "kind": "git", "version": version}

    def gather(self, id):
        row = {"file": "a.jpg", "path": "a.png", "id": id, "side": "20"}
        gather.gather([row], self.source, self.clone, self.folder / "out", 95, self.folder)
        return (self.folder / "out" / "a.jpg").read_bytes()

    def test_resumes(self):
        id = gather.content_id(self.data, "0" * 40)
        made = self.gather(id)
        (self.folder / "out" / "a.jpg").write_bytes(b"there")
        self.assertEqual(self.gather(id), b"there")
        self.assertEqual(Image.open(io.BytesIO(made)).size, (20, 12))

    def test_missing_content(self):
        with self.assertRaises(SystemExit):
            self.gather("0" * 40)
        self.assertFalse((self.folder / "out").exists())


class Debian(unittest.TestCase):
    def test_other_package(self):
        with tempfile.TemporaryDirectory() as folder:
            package = pathlib.Path(folder) / "a.deb"
            package.write_bytes(b"other")
            source = {"name": "a", "version": "1", "sha256": hashlib.sha256(b"wanted").hexdigest()}
            with self.assertRaises(SystemExit) as error:
                list(gather.debian_files(source, package, pathlib.Path(folder), {}))
            self.assertIn("SHA-256", str(error.exception))


if __name__ == "__main__":
    unittest.main()
