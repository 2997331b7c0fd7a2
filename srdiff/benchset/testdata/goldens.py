# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Draws the small sets that the tests of srdiff/benchset measure, and writes what bicubic comes to on them.

From the repository root:

    python -m venv /tmp/goldens
    /tmp/goldens/bin/pip install -r srdiff/metrics/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/benchset/testdata/goldens.py
"""

import json
import pathlib

import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

HERE = pathlib.Path(__file__).parent


def drawn(width, height, seed):
    """Waves, a disc and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    picture = np.stack([np.sin(x / (3 + c) + seed) + np.cos(y / (4 - c)) for c in range(3)], axis=2) * 60 + 128
    picture[(x - width / 2) ** 2 + (y - height / 2) ** 2 < height * 3] = rng.integers(0, 256, 3)
    return eight_bits(picture + rng.normal(0, 4, picture.shape))


def eight_bits(values):
    return np.clip(np.floor(values + 0.5), 0, 255)


def cubic(x):
    x = np.abs(x)
    return np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x <= 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


def rows(n, scale):
    """The matrix of MATLAB's imresize for n pixels; beyond the border the last one is repeated."""
    matrix, narrow = np.zeros((round(n * scale), n)), min(scale, 1)
    for x, weights in enumerate(matrix):
        centre = (x + 0.5) / scale - 0.5
        taps = np.arange(np.floor(centre - 2 / narrow), np.ceil(centre + 2 / narrow) + 1).astype(int)
        values = cubic((taps - centre) * narrow)
        np.add.at(weights, np.clip(taps, 0, n - 1), values / values.sum())
    return matrix


def imresize(picture, scale):
    columns = eight_bits(np.einsum("ij,jkc->ikc", rows(picture.shape[0], scale), picture))
    return eight_bits(np.einsum("ij,kjc->kic", rows(picture.shape[1], scale), columns))


def luma(picture, border):
    return (16 + picture @ np.array([65.481, 128.553, 24.966]) / 255)[border:-border, border:-border]


def golden(folder, name, original, factor):
    height, width = (n // factor * factor for n in original.shape[:2])
    original = original[:height, :width]
    low = imresize(original, 1 / factor)
    result = imresize(low, factor)
    a, b = luma(result, factor), luma(original, factor)
    ssim = structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    return low, {
        "folder": folder,
        "name": name,
        "factor": factor,
        "psnr": float(peak_signal_noise_ratio(a, b, data_range=255)),
        "ssim": float(ssim),
        "lr_psnr": float(peak_signal_noise_ratio(imresize(result, 1 / factor), low, data_range=255)),
    }


def save(picture, *path):
    path = HERE.joinpath(*path)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture.astype(np.uint8)).save(path, optimize=True)


goldens = []
for seed, name in enumerate(["first", "second"]):
    original = drawn(51, 42 + seed, seed)
    low, values = golden("pairs", name, original, 4)
    save(original, "pairs", f"{name}_HR.png")
    save(low, "pairs", f"{name}_LR.png")
    goldens.append(values)
original = drawn(58, 45, 7)
save(original, "alone", "third.png")
goldens += [golden("alone", "third", original, factor)[1] for factor in (2, 3, 4, 8)]
(HERE / "goldens.json").write_text(json.dumps(goldens, indent=1) + "\n")
