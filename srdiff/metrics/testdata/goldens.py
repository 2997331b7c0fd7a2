# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Writes the values that the tests of srdiff/metrics expect.

From the repository root:

    python -m venv /tmp/goldens
    /tmp/goldens/bin/pip install -r srdiff/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/metrics/testdata/goldens.py
"""

import json
import pathlib

import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

HERE = pathlib.Path(__file__).parent


def ramp(width, height):
    """A smooth picture in [-1, 1]. The Go tests compute the same."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((x * 5 + y * 3 + c * 40) % 256).astype(np.float32) / np.float32(127.5) - np.float32(1)


def noise(width, height):
    i = np.arange(height * width * 3, dtype=np.int64)
    values = (i * i * 7919 + i * 104729) % 511
    return (values.astype(np.float32) / np.float32(255) - np.float32(1)).reshape(height, width, 3)


def unit(pictures):
    return np.clip((pictures.astype(np.float64) + 1) / 2, 0, 1)


def golden(width, height, strength, low):
    a = ramp(width, height)
    b = a + np.float32(strength) * noise(width, height)  # It leaves [-1, 1], to be clamped.
    x, y = unit(a), unit(b)
    down = torch.nn.functional.interpolate(
        torch.from_numpy(b).permute(2, 0, 1)[None], size=(low[1], low[0]), mode="bilinear", align_corners=False
    )
    down = down[0].permute(1, 2, 0).numpy()
    return {
        "size": [width, height],
        "strength": strength,
        "low": low,
        "psnr": float(peak_signal_noise_ratio(x, y, data_range=1)),
        "ssim": float(
            structural_similarity(
                x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1
            )
        ),
        "consistency": float(np.mean((unit(down) - unit(ramp(*low))) ** 2)),
    }


goldens = [
    golden(11, 11, 0.25, [11, 11]),
    golden(32, 32, 0.0625, [8, 8]),
    golden(41, 23, 0.5, [13, 7]),
    golden(16, 64, 2, [4, 16]),
]
(HERE / "goldens.json").write_text(json.dumps(goldens, indent=1) + "\n")
