# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Writes the odd pictures that the tests of srdiff/imaging and of the command read.

From the repository root:

    python -m venv /tmp/goldens
    /tmp/goldens/bin/pip install -r srdiff/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/imaging/testdata/pictures.py

They are formats and kinds that Go reads but cannot write.
"""

import pathlib

from PIL import Image, ImageCms

HERE = pathlib.Path(__file__).parent / "pictures"
HERE.mkdir(exist_ok=True)

# The left half is red, the right half blue; turned clockwise (EXIF orientation 6), the top is red.
photo = Image.new("RGB", (16, 8), (0, 0, 255))
photo.paste((255, 0, 0), (0, 0, 8, 8))
exif = Image.Exif()
exif[0x0112] = 6
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
profile = profile[:24] + bytes(12) + profile[36:]  # without the date
(HERE / "srgb.icc").write_bytes(profile)
about = {"exif": exif, "icc_profile": profile}
photo.save(HERE / "about.jpg", quality=95, subsampling=0, **about)
photo.save(HERE / "about.png", **about)
photo.save(HERE / "about.webp", lossless=True, **about)
photo.save(HERE / "about.tif", **about)

photo.save(HERE / "progressive.jpg", quality=95, progressive=True)
photo.convert("CMYK").save(HERE / "cmyk.jpg", quality=95, icc_profile=profile[:16] + b"CMYK" + profile[20:])
photo.convert("LAB").save(HERE / "lab.tif")
photo.convert("F").save(HERE / "float.tif")
photo.convert("1").save(HERE / "bilevel.png")
photo.convert("1").save(HERE / "bilevel.tif", compression="group4")
photo.convert("LA").save(HERE / "grey_alpha.png")
photo.convert("P").save(HERE / "palette.tif")
photo.save(HERE / "jpeg2000.jp2")

# Two frames, red and blue; the WebP animation's are lossy with transparency, which takes a chunk of its own.
frames = [Image.new("RGB", (8, 6), colour) for colour in [(255, 0, 0), (0, 0, 255)]]
for name in ("animated.gif", "animated.png", "pages.tif"):
    frames[0].save(HERE / name, save_all=True, append_images=frames[1:])
frames[0].save(HERE / "animated.webp", save_all=True, append_images=frames[1:], lossless=True)
glass = [Image.new("RGBA", (8, 6), colour) for colour in [(255, 0, 0, 128), (0, 0, 255, 128)]]
glass[0].save(HERE / "animated_glass.webp", save_all=True, append_images=glass[1:], quality=95)
