# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Writes the PSNR and SSIM of the luma channel that the tests of srdiff/metrics expect.

From the repository root:

    python -m venv /tmp/goldens
    /tmp/goldens/bin/pip install -r srdiff/metrics/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/metrics/testdata/luma.py
"""

import json
import pathlib

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

HERE = pathlib.Path(__file__).parent


def pictures(width, height, strength):
    """A ramp, and the same with noise that leaves [-1, 1], as in metrics_test.go."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    ramp = ((x * 5 + y * 3 + c * 40) % 256).astype(np.float32) / np.float32(127.5) - np.float32(1)
    i = np.arange(height * width * 3, dtype=np.int64)
    noise = ((i * i * 7919 + i * 104729) % 511).astype(np.float32) / np.float32(255) - np.float32(1)
    return ramp, ramp + np.float32(strength) * noise.reshape(height, width, 3)


def luma(picture, border):
    """Y of BT.601 in 16..235 of a picture rounded to 8 bits, without its border."""
    levels = np.floor((np.clip(picture, -1, 1) + np.float32(1)) * np.float32(127.5) + np.float32(0.5))
    y = 16 + levels.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255
    return y[border:-border, border:-border]


def golden(width, height, strength, border):
    a, b = (luma(p, border) for p in pictures(width, height, strength))
    return {
        "size": [width, height],
        "strength": strength,
        "border": border,
        "psnr": float(peak_signal_noise_ratio(a, b, data_range=255)),
        "ssim": float(
            structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
        ),
    }


goldens = [
    golden(19, 20, 0.25, 4),
    golden(40, 33, 0.0625, 2),
    golden(48, 64, 1, 8),
]
(HERE / "luma.json").write_text(json.dumps(goldens, indent=1) + "\n")
