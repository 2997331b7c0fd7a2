# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Writes the expected values and the small pictures that the tests of srdiff/imaging read.

From the repository root:

    python -m venv /tmp/goldens
    /tmp/goldens/bin/pip install -r srdiff/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/imaging/testdata/goldens.py

Pillow, which comes with scikit-image, writes the files and is the oracle for EXIF orientations.
"""

import io
import json
import pathlib

import numpy as np
import torch
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent


def pattern(width, height):
    """Noise in [-1, 1] from whole numbers. The Go tests compute the same."""
    i = np.arange(height * width * 3, dtype=np.int64)
    values = (i * i * 7919 + i * 104729) % 511
    return (values.astype(np.float32) / np.float32(255) - np.float32(1)).reshape(height, width, 3)


def resized(mode, width, height, to_width, to_height):
    x = torch.from_numpy(pattern(width, height)).permute(2, 0, 1)[None]
    y = torch.nn.functional.interpolate(x, size=(to_height, to_width), mode=mode, align_corners=False)
    return {
        "mode": mode,
        "from": [width, height],
        "to": [to_width, to_height],
        "pix": [float(f"{v:.8g}") for v in y[0].permute(1, 2, 0).flatten().tolist()],
    }


def turned(orientation):
    """A grey 3x2 picture as a viewer shows it."""
    stored = Image.fromarray(np.array([[0, 1, 2], [3, 4, 5]], dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    return np.asarray(ImageOps.exif_transpose(Image.open(file))).tolist()


SIZES = [
    (5, 4, 20, 16),  # x4
    (32, 24, 8, 6),  # x1/4
    (13, 9, 7, 21),  # odd ratios
    (3, 1, 2, 5),
    (1, 1, 3, 2),
    (6, 5, 6, 5),  # nothing to do
]
goldens = {
    "resize": [resized(mode, *sizes) for mode in ("bilinear", "bicubic") for sizes in SIZES],
    "turned": [turned(orientation) for orientation in range(1, 9)],
}
(HERE / "goldens.json").write_text(json.dumps(goldens).replace('{"mode"', '\n{"mode"') + "\n")

# Formats that Go reads but cannot write.
Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(HERE / "cmyk_red.jpg", quality=95)
two = Image.new("RGBA", (4, 2), (10, 20, 30, 255))
two.putpixel((3, 1), (200, 100, 50, 0))
two.save(HERE / "lossless.webp", lossless=True, exact=True)
Image.new("RGBA", (16, 16), (255, 0, 0, 128)).save(HERE / "lossy_alpha.webp", quality=95)
bars = Image.new("RGB", (64, 16))
for bar, colour in enumerate([(0, 0, 0), (255, 255, 255), (0, 255, 0), (99, 99, 99)]):
    bars.paste(colour, (16 * bar, 0, 16 * bar + 16, 16))
bars.save(HERE / "lossy.webp", quality=100)
photo = Image.new("RGB", (16, 8), (0, 0, 255))
photo.paste((255, 0, 0), (0, 0, 8, 8))  # The left half is red, and so is the top once it is turned clockwise.
exif = Image.Exif()
exif[0x0112] = 6
photo.save(HERE / "on_its_side.jpg", quality=95, subsampling=0, exif=exif)
