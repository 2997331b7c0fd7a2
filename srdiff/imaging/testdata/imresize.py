# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Writes what MATLAB's imresize (bicubic, with antialiasing) makes of small pictures: imresize.json.

The border is repeated, as in the releases of MATLAB that made Set5, Set14 and BSD100, and values are rounded to
8 bits after the columns and again after the rows: so their low-resolution files come out to the last bit.

From the repository root, with numpy alone:

    python srdiff/imaging/testdata/imresize.py
"""

import json
import math
import pathlib

import numpy as np


def keys(x):
    """The cubic convolution kernel of Keys (1981) with a = -0.5."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    if x < 2:
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return 0.0


def along_rows(picture, scale):
    """Resizes the first axis. Beyond the border its last row is repeated."""
    n = picture.shape[0]
    narrow = min(scale, 1.0)  # The kernel is widened for a picture that gets smaller.
    reach = math.ceil(2 / narrow) + 1
    margin = reach + math.ceil(1 / scale)  # The last row of a result that was rounded up may lie beyond the border.
    padded = np.pad(picture, [(margin, margin)] + [(0, 0)] * (picture.ndim - 1), mode="edge")
    rows = []
    for k in range(math.ceil(n * scale - 1e-9)):
        centre = (k + 0.5) / scale - 0.5
        places = range(math.floor(centre) - reach + 1, math.floor(centre) + reach)
        weights = np.array([keys(narrow * (p - centre)) for p in places])
        weights /= weights.sum()
        rows.append(sum(w * padded[p + margin] for w, p in zip(weights, places)))
    return np.stack(rows)


def eight_bits(values):
    return np.clip(np.floor(values + 0.5), 0, 255)


def imresize(picture, scale):
    columns = eight_bits(along_rows(picture, scale))
    return eight_bits(along_rows(columns.swapaxes(0, 1), scale)).swapaxes(0, 1)


def pattern(width, height):
    """Noise in 0..255. The Go tests compute the same."""
    i = np.arange(height * width * 3, dtype=np.int64)
    return ((i * i * 7919 + i * 104729) % 256).astype(float).reshape(height, width, 3)


cases = []
for scale, sizes in {
    "1/2": [(8, 6), (9, 7)], "1/3": [(12, 9), (11, 8)], "1/4": [(16, 12), (13, 9), (3, 2)], "1/8": [(24, 16), (17, 9)],
    "2": [(5, 3)], "3": [(4, 3), (1, 1)], "4": [(4, 3)], "8": [(3, 1)],
}.items():
    up, down = (int(v) for v in (scale + "/1").split("/")[:2])
    for width, height in sizes:
        result = imresize(pattern(width, height), up / down)
        cases.append({
            "scale": [up, down], "from": [width, height], "to": [result.shape[1], result.shape[0]],
            "pix": [int(v) for v in result.flatten()],
        })
text = "[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n"
(pathlib.Path(__file__).parent / "imresize.json").write_text(text)
