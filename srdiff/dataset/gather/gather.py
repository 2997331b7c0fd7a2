# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Rebuild a folder of freely licensed photographs from their sources.

    python3 gather.py LIST OUT [--quality Q] [--cache DIR] [--git NAME=CLONE]... [--deb NAME=FILE]...

LIST names the photographs, and sources.tsv beside this script names where they come from: Debian packages of one
version and git repositories. Each photograph is reduced to the size that LIST gives and written as JPEG without chroma
subsampling. OUT/SOURCES.tsv lists author, source and licence of each. A second run continues where the first ended.
"""
import argparse
import csv
import hashlib
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import zlib

from PIL import Image, ImageCms, ImageOps

HERE = pathlib.Path(__file__).parent
Image.MAX_IMAGE_PIXELS = 200_000_000
# What stands behind pictures with a transparent ground: one of these, chosen by the file's name.
GROUNDS = [(236, 234, 228), (205, 212, 219), (214, 205, 190), (190, 204, 188), (120, 130, 140)]


def read_table(path):
    """Return the rows of a tab-separated file as dictionaries."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def write_whole(path, data):
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)


def content_id(data, id):
    """Return the identity of data in the form of id: a git blob's (40 digits) or a SHA-256 (64 digits)."""
    if len(id) == 40:
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return hashlib.sha256(data).hexdigest()


def to_srgb(image):
    """Return the picture as sRGB, upright, and on an opaque ground (see ground)."""
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "P", "PA"):
        image = image.convert("RGBA")
    elif image.mode != "RGB":
        image, profile = image.convert("RGB"), None
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=image.mode)
        except ImageCms.PyCMSError:
            pass  # The profile is of another colour space, or broken: the numbers are sRGB's as far as anyone knows.
    return image


def ground(image, name):
    """Return the picture as RGB; a transparent one lies on the ground that belongs to its name."""
    if image.mode != "RGBA":
        return image
    box = image.getchannel("A").getbbox()
    image = image.crop(box) if box else image
    below = Image.new("RGBA", image.size, GROUNDS[zlib.crc32(name.encode()) % len(GROUNDS)])
    return Image.alpha_composite(below, image).convert("RGB")


def reduce(data, name, side, quality):
    """Return the picture in data as JPEG whose long side is side pixels, or as it is if it is not longer."""
    image = ground(to_srgb(Image.open(io.BytesIO(data))), name)
    scale = side / max(image.size)
    if scale < 1:
        size = [max(1, round(n * scale)) for n in image.size]
        image = image.resize(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, subsampling=0, optimize=True)
    return out.getvalue()


def run(*command, **options):
    """Run a command and return what it prints; end the program with its error if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, **options)
    if done.returncode:
        sys.exit(f"gather: {' '.join(map(str, command))} failed (exit status {done.returncode})")
    return done.stdout


def debian_files(source, local, cache, wanted):
    """Yield (path, content) of the wanted files of a Debian package."""
    package = local or cache / f"{source['name']}_{source['version'].replace(':', '%3a')}.deb"
    if not package.exists():
        folder = cache / f"{source['name']}.part"
        folder.mkdir(parents=True, exist_ok=True)
        run("apt-get", "download", f"{source['name']}={source['version']}", cwd=folder)
        os.replace(next(folder.glob("*.deb")), package)
        folder.rmdir()
    found = hashlib.sha256(package.read_bytes()).hexdigest()
    if found != source["sha256"]:
        sys.exit(f"gather: {package} has SHA-256 {found}, not {source['sha256']}: get version {source['version']}")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpack:
        with tarfile.open(fileobj=unpack.stdout, mode="r|") as tar:
            for member in tar:
                path = member.name.removeprefix("./")
                if member.isfile() and path in wanted:
                    yield path, tar.extractfile(member).read()


def git_files(source, local, cache, wanted):
    """Yield (path, content) of the wanted files of a git repository, out of all of its history."""
    clone = local or cache / (source["name"].replace("/", "+") + ".git")
    if not clone.exists():
        part = clone.with_suffix(".part")
        run("rm", "-rf", part)
        run("git", "clone", "--quiet", "--bare", source["url"], part)
        os.replace(part, clone)
    run("git", "-C", clone, "cat-file", "-e", source["version"] + "^{commit}")
    for path, row in wanted.items():
        yield path, run("git", "-C", clone, "cat-file", "blob", row["id"])


def gather(rows, source, local, out, quality, cache):
    """Write the pictures of one source that are not in out yet."""
    wanted = {}
    for row in rows:
        if not (out / row["file"]).exists():
            wanted.setdefault(row["path"], row)
    if not wanted:
        return
    files = debian_files if source["kind"] == "debian" else git_files
    missing = set(wanted)
    for path, data in files(source, local, cache, wanted):
        for row in (r for r in rows if r["path"] == path):
            if content_id(data, row["id"]) != row["id"]:
                sys.exit(f"gather: {source['name']}: {path} is not the file that the list names ({row['id']})")
            write_whole(out / row["file"], reduce(data, row["file"], int(row["side"]), quality))
        missing.discard(path)
    if missing:
        sys.exit(f"gather: {source['name']} has no {sorted(missing)[0]}: is it version {source['version']}?")


def describe(rows, sources, out):
    """Return SOURCES.tsv of the pictures in out."""
    lines = ["file\twidth\theight\tauthor\tsource\tlicence"]
    for row in rows:
        with Image.open(out / row["file"]) as image:
            width, height = image.size
        source = sources[row["source"]]
        where = f"{source['name']} {source['version']}: {row['path']}"
        lines.append(f"{row['file']}\t{width}\t{height}\t{row['author']}\t{where}\t{row['licence']}")
    return ("\n".join(lines) + "\n").encode()


def named_paths(options):
    """Return NAME=PATH options as a dictionary."""
    return {name: pathlib.Path(path).resolve() for name, _, path in (o.partition("=") for o in options)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=pathlib.Path, help="table of the photographs, such as photos.tsv")
    parser.add_argument("out", type=pathlib.Path, help="folder for the photographs")
    parser.add_argument("--quality", type=int, default=95, help="JPEG quality (default 95)")
    parser.add_argument("--cache", type=pathlib.Path, help="folder for what is downloaded (default OUT/.sources)")
    parser.add_argument("--git", action="append", default=[], metavar="NAME=CLONE", help="a local clone to use")
    parser.add_argument("--deb", action="append", default=[], metavar="NAME=FILE", help="a local package to use")
    options = parser.parse_args()
    rows = read_table(options.list)
    sources = {source["name"]: source for source in read_table(HERE / "sources.tsv")}
    local = named_paths(options.git + options.deb)
    cache = options.cache or options.out / ".sources"
    cache.mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(row["source"] for row in rows):
        print(name, flush=True)
        gather([r for r in rows if r["source"] == name], sources[name], local.get(name), options.out, options.quality, cache)
    write_whole(options.out / "SOURCES.tsv", describe(rows, sources, options.out))


if __name__ == "__main__":
    main()
