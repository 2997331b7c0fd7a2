# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Writes one small picture in the kinds of files that Go cannot write: testdata/kinds.

From the repository root:

    python -m venv /tmp/goldens
    /tmp/goldens/bin/pip install -r srdiff/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/imaging/testdata/kinds.py
"""

import pathlib

import numpy as np
import tifffile
from PIL import Image

HERE = pathlib.Path(__file__).parent / "kinds"
HERE.mkdir(exist_ok=True)

# 20x13 pixels that the tests compute too: smooth, so that JPEG changes little.
y, x = np.mgrid[0:13, 0:20]
rgb = np.stack([x * 12, y * 19, 255 - x * 6 - y * 6], -1).astype(np.uint8)
grey, alpha = rgb[..., 1], (255 - x * 9).astype(np.uint8)
deep = rgb.astype(np.uint16) * 257 + 3  # a value that 8 bits cannot hold
plain, premultiplied = "unassalpha", "assocalpha"


def tiff(name, data, **options):
    options = {"photometric": "rgb", "metadata": None, "software": False, **options}
    tifffile.imwrite(HERE / name, data, **options)


tiff("jpeg.tif", rgb, compression="jpeg", compressionargs={"level": 98}, rowsperstrip=8)
tiff("jpeg_rgb.tif", rgb, compression="jpeg", compressionargs={"level": 98, "outcolorspace": "rgb"})
tiff("jpeg_grey.tif", grey, photometric="minisblack", compression="jpeg", compressionargs={"level": 98})
tiff("jpeg_tiles.tif", rgb, compression="jpeg", compressionargs={"level": 98}, subsampling=(1, 1), tile=(16, 16))
tiff("zstd.tif", rgb, compression="zstd", rowsperstrip=5)
tiff("zstd_tiles.tif", rgb, compression="zstd", tile=(16, 16), predictor=True)
tiff("zstd_deep.tif", deep, compression="zstd", predictor=True)
tiff("zstd_deep_be.tif", deep, compression="zstd", predictor=True, byteorder=">")
tiff("grey_alpha.tif", np.stack([grey, alpha], -1), photometric="minisblack", extrasamples=[plain])
tiff("grey_alpha_lzw.tif", np.stack([grey, alpha], -1), photometric="minisblack", extrasamples=[plain], compression="lzw")
tiff("grey_alpha_deep.tif", np.stack([deep[..., 1], alpha * np.uint16(257)], -1), photometric="minisblack",
     extrasamples=[plain], compression="deflate", predictor=True)
tiff("rgb_alpha.tif", np.concatenate([rgb, alpha[..., None]], -1), extrasamples=[plain], compression="zstd")
tiff("premultiplied.tif", np.concatenate([rgb // 2, alpha[..., None] * 0 + 128], -1).astype(np.uint8), extrasamples=[premultiplied],
     compression="zstd")
tiff("planes.tif", np.moveaxis(rgb, -1, 0), planarconfig="separate")
tiff("planes_packbits.tif", np.moveaxis(rgb, -1, 0), planarconfig="separate", compression="packbits", rowsperstrip=4)
tiff("planes_deep_tiles.tif", np.moveaxis(deep, -1, 0), planarconfig="separate", compression="lzw", tile=(16, 16))
tiff("cmyk.tif", np.concatenate([255 - rgb, rgb[..., :1] * 0], -1), photometric="separated")
tiff("cmyk_deep.tif", np.concatenate([65535 - deep, deep[..., :1] * 0], -1), photometric="separated", compression="deflate")
tiff("white_is_zero.tif", 255 - grey, photometric="miniswhite", compression="zstd")
tiff("big.tif", rgb, bigtiff=True, rowsperstrip=5)
tiff("big_be.tif", rgb, bigtiff=True, byteorder=">", compression="deflate")
tiff("big_deep.tif", deep, bigtiff=True, compression="lzw")
tiff("big_zstd_tiles.tif", rgb, bigtiff=True, compression="zstd", tile=(16, 16))
tiff("big_grey_alpha.tif", np.stack([grey, alpha], -1), bigtiff=True, photometric="minisblack", extrasamples=[plain])
turned = [(274, 3, 1, 6, True)]
tiff("turned.tif", rgb, extratags=turned)
tiff("turned_big_zstd.tif", rgb, bigtiff=True, compression="zstd", extratags=turned)
tiff("about.tif", rgb, resolution=(300, 150), resolutionunit="inch", description="a picture", datetime="2020:01:02 03:04:05")

# Kinds that are refused, and must be named.
tiff("refused_lzma.tif", rgb, compression="lzma")
tiff("refused_webp.tif", rgb, compression="webp")
tiff("refused_jpeg2000.tif", rgb, compression="jpeg2000")
tiff("refused_float.tif", rgb.astype(np.float32) / 255)
tiff("refused_signed.tif", grey.astype(np.int16), photometric="minisblack")
tiff("refused_32.tif", deep.astype(np.uint32))
tiff("refused_float_predictor.tif", rgb.astype(np.float32), compression="zstd", predictor=True)

# A frame that is smaller than its canvas of 40x28, at 10,6: 20x13 pixels. The second frame covers the canvas.
still, large = Image.fromarray(rgb), Image.new("RGB", (40, 28), (9, 9, 9))
canvas = Image.new("RGBA", (40, 28), (0, 0, 0, 0))
canvas.paste(still, (10, 6))
canvas.save(HERE / "offset.webp", save_all=True, append_images=[large], lossless=True, exact=True, duration=100)
canvas.save(HERE / "offset.gif", save_all=True, append_images=[large], duration=100, disposal=2)
large.save(HERE / "default_apart.png", save_all=True, default_image=True, append_images=[still.resize((40, 28)), large])
