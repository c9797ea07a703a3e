# SPDX-License-Identifier: BSD-2-Clause
"""Brings an image into leatd's image folder: raw, with its content id and its hash tree. On the server itself straight into the
folder, from another machine by leatupload. A file has its own name there only when it is whole."""
import hashlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

import leatboot
import leatdisks
import leatupload
from leatapi import Refused
from leatprogress import Progress

BLOCK = 4096  # of hash trees: an image is lengthened to whole ones with zeros
PIECE = 4 << 20


def copy(source, target):
    """source, and zeros up to a whole block. Zeros become holes."""
    with open(source, "rb") as old, open(target, "xb") as new:
        with Progress("copying", old.seek(0, os.SEEK_END)) as progress:
            old.seek(0)
            while piece := old.read(PIECE):
                progress.add(len(piece))
                if piece.count(0) == len(piece):
                    new.seek(len(piece), os.SEEK_CUR)
                else:
                    new.write(piece)
        new.truncate(new.tell() + -new.tell() % BLOCK)


def digest(path):
    """SHA-256 of a file: the content id of a version."""
    found = hashlib.sha256()
    with open(path, "rb") as file, Progress("hashing", os.path.getsize(path)) as progress:
        while piece := file.read(PIECE):
            found.update(piece)
            progress.add(len(piece))
    return found.hexdigest()


def make_tree(image, tree, content):
    """(root hash, blocks), by tools/mkverity. The salt comes of the content: the same image has the same tree again."""
    run = subprocess.run([Path(__file__).with_name("mkverity"), image, "--tree", tree, "--salt", content],
                         capture_output=True, text=True)
    words = dict(line.replace(" ", "").split("=", 1) for line in run.stdout.splitlines() if "=" in line)
    root = words.get("root_hash", "")
    if run.returncode or ":" not in root:
        raise Refused(f"the hash tree cannot be made: {run.stderr.strip() or run.stdout.strip()}")
    return root.split(":")[0], int(root.split(":")[1])


def make_raw(source, target):
    """A raw image of whole blocks as target."""
    about = leatdisks.look(source)
    if not about["virtual-size"]:
        raise Refused(f"{source} is empty")
    if about["format"] == "raw":
        copy(source, target)
        return
    leatdisks.convert(source, about["format"], target, "raw", "converting")
    with open(target, "r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) + -file.tell() % BLOCK)


def describe(image, tree, with_tree):
    """The version's fields that come of its bytes."""
    fields = {"format": "raw", "content": digest(image)}
    if with_tree:
        fields["root_hash"], fields["root_blocks"] = make_tree(image, tree, fields["content"])
    return fields


def enter(folder, part, stem, with_tree):
    """A whole raw image, in the folder already, gets its tree and its names there. The fields of the new version."""
    tree = Path(folder) / f"{stem}.verity{leatdisks.PART}"
    image_name, tree_name = f"{stem}.raw", f"{stem}.verity"
    try:
        fields = {"source": image_name, **describe(part, tree, with_tree)}
        for file in (part, tree) if with_tree else (part,):
            file.chmod(0o644)
        if with_tree:
            leatdisks.place(tree, Path(folder) / tree_name)
            fields["hash_source"] = tree_name
        leatdisks.place(part, Path(folder) / image_name)
        return fields
    except BaseException:
        forget(folder, image_name)
        raise
    finally:
        for file in (part, tree):
            file.unlink(missing_ok=True)


def new_stem(name):
    return f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def bring(folder, name, source, with_tree):
    """On the server itself. The fields of the new version; nothing is left in the folder if it fails."""
    stem = new_stem(name)
    part = Path(folder) / f"{stem}.raw{leatdisks.PART}"
    leatdisks.sweep(folder)
    try:
        make_raw(source, part)
        return enter(folder, part, stem, with_tree)
    except OSError as error:
        raise Refused(f"{source} cannot be imported into {folder}: {error}") from None
    finally:
        part.unlink(missing_ok=True)


def send(api, args, with_tree):
    """From any machine: the same by uploads, which go on where they were when the same image is imported again."""
    source = args.file
    try:
        with tempfile.TemporaryDirectory(prefix="leatctl-") as work:
            image, tree = Path(source), Path(work) / "tree"
            about = leatdisks.look(source)
            if about["format"] != "raw" or not about["virtual-size"] or image.stat().st_size % BLOCK:
                image = Path(work) / "image"
                make_raw(source, image)
            fields = describe(image, tree, with_tree)
            stem = f"{args.name[:40]}-{fields['content'][:16]}"
            fields.update(leatboot.bring(work, image.absolute(), f"{stem}.raw", args))
            fields["source"] = f"{stem}.raw"
            leatupload.send(api, fields["source"], image, fields["content"])
            if with_tree:
                fields["hash_source"] = f"{stem}.verity"
                leatupload.send(api, fields["hash_source"], tree)
            for boot in ("kernel", "initrd"):
                if boot in fields:
                    fields[boot] = send_boot(api, Path(work) / fields[boot], args.name)
            return fields
    except OSError as error:
        raise Refused(f"{source} cannot be imported: {error}") from None


def send_boot(api, path, name):
    """A kernel or initrd, by a name that its content makes its own."""
    there = f"{name[:40]}-{digest(path)[:16]}{path.suffix}"
    leatupload.send(api, there, path)
    return there


def forget(folder, name):
    for suffix in (".raw", ".verity", ".kernel", ".initrd"):
        (Path(folder) / name).with_suffix(suffix).unlink(missing_ok=True)


def is_local(api, folder):
    """Whether this is the server itself, and the folder may be written to."""
    return api.url.hostname in ("127.0.0.1", "::1", "localhost") and os.access(folder, os.W_OK)
