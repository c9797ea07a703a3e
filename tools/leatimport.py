# SPDX-License-Identifier: BSD-2-Clause
"""Brings an image into leatd's image folder, on the server itself: raw, with its content id and its hash tree."""
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from leatapi import Refused

BLOCK = 4096  # of hash trees: an image is lengthened to whole ones with zeros
PIECE = 4 << 20


class Progress:
    """A bar on the terminal, with rate and time left; nothing where there is none."""

    def __init__(self, total):
        self.total, self.done, self.began, self.shown = total, 0, time.monotonic(), 0.0
        self.visible = sys.stderr.isatty()

    def add(self, size):
        self.done += size
        now = time.monotonic()
        if not self.visible or (now - self.shown < 0.2 and self.done < self.total):
            return
        self.shown = now
        rate = self.done / max(now - self.began, 0.001)
        full = int(30 * self.done / max(self.total, 1))
        left = (self.total - self.done) / max(rate, 1)
        end = "\n" if self.done >= self.total else ""
        print(f"\r[{'#' * full}{'.' * (30 - full)}] {self.done / 2**20:.0f}/{self.total / 2**20:.0f} MiB"
              f" {rate / 2**20:.0f} MiB/s {left:4.0f} s left", end=end, file=sys.stderr, flush=True)


def image_format(path):
    try:
        run = subprocess.run(["qemu-img", "info", "--output=json", path], capture_output=True, text=True, check=True)
        return json.loads(run.stdout)["format"]
    except FileNotFoundError:
        return "raw"
    except (subprocess.CalledProcessError, ValueError, KeyError):
        raise Refused(f"{path} is no image that qemu-img can read") from None


def copy(source, target):
    """SHA-256 of what is in target then: source, and zeros up to a whole block. Zeros become holes."""
    digest = hashlib.sha256()
    with open(source, "rb") as old, open(target, "xb") as new:
        size = old.seek(0, os.SEEK_END)
        if not size:
            raise Refused(f"{source} is empty")
        old.seek(0)
        progress = Progress(size)
        while piece := old.read(PIECE):
            progress.add(len(piece))
            piece += b"\0" * (-len(piece) % BLOCK)
            digest.update(piece)
            if piece.count(0) == len(piece):
                new.seek(len(piece), os.SEEK_CUR)
            else:
                new.write(piece)
        new.truncate(new.tell())
        new.flush()
        os.fsync(new.fileno())
    return digest.hexdigest()


def make_tree(image):
    """(hash tree's file name, root hash, blocks), by tools/mkverity."""
    tree = image.with_suffix(".verity")
    run = subprocess.run([Path(__file__).with_name("mkverity"), image, "--tree", tree], capture_output=True, text=True)
    words = dict(line.replace(" ", "").split("=", 1) for line in run.stdout.splitlines() if "=" in line)
    root = words.get("root_hash", "")
    if run.returncode or ":" not in root:
        raise Refused(f"the hash tree cannot be made: {run.stderr.strip() or run.stdout.strip()}")
    return tree.name, root.split(":")[0], int(root.split(":")[1])


def bring(folder, name, source, with_tree):
    """The fields of the new version. Nothing is left in the folder if it fails."""
    folder = Path(folder)
    target = folder / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.raw"
    converted = None
    try:
        if image_format(source) != "raw":
            converted = target.with_suffix(".new")
            subprocess.run(["qemu-img", "convert", *(["-p"] if sys.stderr.isatty() else []), "-O", "raw", source, converted],
                           check=True, stdout=sys.stderr)
        fields = {"source": target.name, "format": "raw", "content": copy(converted or source, target)}
        if with_tree:
            fields["hash_source"], fields["root_hash"], fields["root_blocks"] = make_tree(target)
        for file in (target, target.with_suffix(".verity")):
            if file.exists():
                file.chmod(0o644)
        return fields
    except (OSError, subprocess.CalledProcessError) as error:
        forget(folder, target.name)
        raise Refused(f"{source} cannot be imported into {folder}: {error}") from None
    except Refused:
        forget(folder, target.name)
        raise
    finally:
        if converted:
            converted.unlink(missing_ok=True)


def forget(folder, name):
    for suffix in (".raw", ".verity", ".kernel", ".initrd"):
        (Path(folder) / name).with_suffix(suffix).unlink(missing_ok=True)
