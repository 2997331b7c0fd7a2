# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""SSIMULACRA2 and butteraugli of the pictures in a folder, against the originals of the same names in another.

    python -m venv .lab/perceptual-venv
    .lab/perceptual-venv/bin/pip install -r srdiff/bench/perceptual/requirements.txt
    srdiff eval --set Set5 --results results --model MODEL.safetensors
    .lab/perceptual-venv/bin/python srdiff/bench/perceptual/perceptual.py results/original results/bicubic results/MODEL

SSIMULACRA2 is at most 100, and more is closer: 90 is hard to tell from the original, 50 is a medium and 30 a low
quality. Butteraugli is a distance, 0 for equal pictures: the greatest over the picture, and the 3-norm. It is measured
where the program butteraugli_main is on the PATH, which is in Debian's package libjxl-devtools (0.7.0); its viewing
conditions are the program's defaults.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
from PIL import Image
from ssimulacra2 import compute_ssimulacra2


def butteraugli(original, result):
    """The greatest distance and the 3-norm."""
    command = ["butteraugli_main", original, result]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.fullmatch(r"\s*([\d.e+-]+)\s+3-norm:\s*([\d.e+-]+)\s*", text)
    if not found:
        raise SystemExit(f"butteraugli_main gave {text!r}: want a distance and its 3-norm, as version 0.7.0 prints them")
    return [float(value) for value in found.groups()]


def pictures(folder):
    found = {path.name: path for path in sorted(pathlib.Path(folder).glob("*.png"))}
    if not found:
        raise SystemExit(f"{folder} has no PNG pictures")
    return found


def pairs(originals, folder):
    """The names that both folders have, which must be the same ones, of the same sizes."""
    a, b = pictures(originals), pictures(folder)
    if a.keys() != b.keys():
        names = ", ".join(sorted(a.keys() ^ b.keys())[:3])
        raise SystemExit(f"{originals} and {folder} have other pictures, such as {names}: want the same names")
    for name in a:
        sizes = [Image.open(path).size for path in (a[name], b[name])]
        if sizes[0] != sizes[1]:
            raise SystemExit(f"{a[name]} and {b[name]} have the sizes {sizes[0]} and {sizes[1]}: want equal ones")
    return [(name, str(a[name]), str(b[name])) for name in a]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("originals", help="folder of PNG pictures")
    parser.add_argument("results", nargs="+", help="folders of PNG pictures of the same names")
    parser.add_argument("--json", action="store_true", help="print every picture's values as JSON")
    options = parser.parse_args()
    work = {folder: pairs(options.originals, folder) for folder in options.results}
    columns = ["ssimulacra2"]
    if shutil.which("butteraugli_main"):
        columns += ["butteraugli", "butteraugli_3norm"]
    else:
        print("butteraugli is not measured: butteraugli_main is missing", file=sys.stderr)
    report = {}
    for folder, list_of_pairs in work.items():
        values = {}
        for name, original, result in list_of_pairs:
            row = [compute_ssimulacra2(original, result)]
            if len(columns) > 1:
                row += butteraugli(original, result)
            values[name] = dict(zip(columns, map(float, row)))
        means = {column: float(np.mean([v[column] for v in values.values()])) for column in columns}
        report[folder] = {"mean": means, "pictures": values}
    if options.json:
        print(json.dumps(report, indent=1))
        return
    print("| | pictures | " + " | ".join(columns) + " |\n|---|---|" + "---|" * len(columns))
    for folder, entry in report.items():
        cells = " | ".join(f"{entry['mean'][column]:.2f}" for column in columns)
        print(f"| {pathlib.Path(folder).name} | {len(entry['pictures'])} | {cells} |")


main()
