# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Writes the NIQE values that the tests of srdiff/metrics expect, by BasicSR's implementation.

From the repository root:

    python -m venv /tmp/goldens
    /tmp/goldens/bin/pip install -r srdiff/metrics/testdata/requirements.txt
    /tmp/goldens/bin/pip install --no-deps -r srdiff/metrics/testdata/niqe_requirements.txt
    SRDIFF_NIQE_PICTURES=/tmp/pictures go test ./srdiff/metrics -run TestNIQEPictures
    /tmp/goldens/bin/python srdiff/metrics/testdata/niqe.py /tmp/pictures srdiff/metrics/testdata/niqe.json

BasicSR's niqe.py is run alone, without the rest of the package, which needs torch. In place of its imresize it
gets the one below, which is the same function of numpy; with it the value for the picture baboon.png that
BasicSR's comments give for MATLAB R2021a, 5.7296, comes out.
"""

import importlib.util
import json
import pathlib
import sys
import types

import numpy as np
from PIL import Image


def cubic(x):
    x = np.abs(x)
    return np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x <= 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


def rows(n, scale):
    """The matrix of MATLAB's imresize for n pixels made smaller."""
    matrix = np.zeros((round(n * scale), n))
    for x, weights in enumerate(matrix):
        centre = (x + 0.5) / scale - 0.5
        taps = np.arange(np.floor(centre - 2 / scale), np.ceil(centre + 2 / scale) + 1).astype(int)
        values = cubic((taps - centre) * scale)
        mirrored = np.where(taps < 0, -1 - taps, np.where(taps >= n, 2 * n - 1 - taps, taps))
        np.add.at(weights, mirrored, values / values.sum())
    return matrix


def imresize(picture, scale, antialiasing):
    return rows(picture.shape[0], scale) @ picture @ rows(picture.shape[1], scale).T


def basicsr():
    """BasicSR's module and its parameters."""
    folder = pathlib.Path(importlib.util.find_spec("basicsr").submodule_search_locations[0]) / "metrics"
    stubs = {
        "cv2": {},
        "basicsr": {},
        "basicsr.metrics": {},
        "basicsr.metrics.metric_util": {"reorder_image": None, "to_y_channel": None},
        "basicsr.utils": {},
        "basicsr.utils.matlab_functions": {"imresize": imresize},
        "basicsr.utils.registry": {"METRIC_REGISTRY": types.SimpleNamespace(register=lambda: lambda f: f)},
    }
    for name, members in stubs.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)
    spec = importlib.util.spec_from_file_location("niqe", folder / "niqe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, np.load(folder / "niqe_pris_params.npz")


def luma(path):
    r, g, b = np.moveaxis(np.array(Image.open(path).convert("RGB")).astype(int), 2, 0)
    return ((65481 * r + 128553 * g + 24966 * b + 127500) // 255000 + 16).astype(np.float64)


def fitted(module, window, folder):
    """The parameters for the pictures fit*.png, by the paper's threshold of sharpness."""
    features = []
    for path in sorted(pathlib.Path(folder).glob("fit*.png")):
        scales = [luma(path)]
        scales.append(imresize(scales[0], 0.5, True))
        sharpness, of_blocks, normal = [], [], []
        for y in scales:
            mu = module.convolve(y, window, mode="nearest")
            sigma = np.sqrt(np.abs(module.convolve(y**2, window, mode="nearest") - mu**2))
            normal.append((y - mu) / (sigma + 1))
            if y is scales[0]:
                whole = sigma
        for top in range(0, whole.shape[0], 96):
            for left in range(0, whole.shape[1], 96):
                sharpness.append(whole[top : top + 96, left : left + 96].mean())
                block = []
                for n, scale in zip(normal, (1, 2)):
                    part = n[top // scale : (top + 96) // scale, left // scale : (left + 96) // scale]
                    block += module.compute_feature(part)
                of_blocks.append(block)
        features += [b for s, b in zip(sharpness, of_blocks) if s > 0.75 * max(sharpness)]
    covariance = np.cov(np.array(features), rowvar=False)
    return {
        "blocks": len(features),
        "mean": np.mean(features, axis=0).tolist(),
        "covariance": [row[: i + 1].tolist() for i, row in enumerate(covariance)],
    }


def main(folder, out):
    module, published = basicsr()
    ours = json.loads((pathlib.Path(__file__).parent.parent / "niqe.json").read_text())
    covariance = np.zeros((36, 36))
    for i, row in enumerate(ours["covariance"]):
        covariance[i, : i + 1] = covariance[: i + 1, i] = row
    window = published["gaussian_window"]
    values = {}
    for path in sorted(set(pathlib.Path(folder).glob("*.png")) - set(pathlib.Path(folder).glob("fit*.png"))):
        y = luma(path)
        values[path.stem] = {
            "niqe": module.niqe(y, np.array(ours["mean"])[None], covariance, window),  # with srdiff's parameters
            "basicsr": module.niqe(y, published["mu_pris_param"], published["cov_pris_param"], window),
        }
    report = {"pictures": values, "fitted": fitted(module, window, folder)}
    pathlib.Path(out).write_text(json.dumps(report) + "\n")


main(*sys.argv[1:])
