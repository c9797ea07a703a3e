# SPDX-License-Identifier: BSD-2-Clause
"""Brings an image into leatd's image folder: raw, with its content id and its hash tree. On the server itself straight into the
folder, from another machine by leatupload. A file has its own name there only when it is whole, and leatd knows the name before
anything of it is there: what comes to nothing is removed, at once or, after a kill, a day later."""
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
from pathlib import Path

import leatboot
import leatdisks
import leatupload
from leatapi import Refused
from leatprogress import Progress

BLOCK = 4096  # of hash trees: an image is lengthened to whole ones with zeros
HASHES = BLOCK // 32  # of a block
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
    with open(path, "rb") as file, Progress("hashing", leatdisks.length(path)) as progress:
        while piece := file.read(PIECE):
            found.update(piece)
            progress.add(len(piece))
    return found.hexdigest()


def tree_bytes(size):
    """Of a hash tree of an image of that size: a block that says what it is, and levels up to one block."""
    total, blocks = BLOCK, size // BLOCK
    while blocks > 1:
        blocks = -(-blocks // HASHES)
        total += blocks * BLOCK
    return total


def make_tree(image, tree, content):
    """(root hash, blocks), by tools/mkverity. The salt comes of the content: the same image has the same tree again."""
    size = leatdisks.length(image)
    whole = tree_bytes(size)
    run = leatdisks.run_watched([Path(__file__).with_name("mkverity"), image, "--tree", tree, "--salt", content],
                                "hash tree", size, lambda: size * min(leatdisks.grown(tree), whole) // whole)
    words = dict(line.replace(" ", "").split("=", 1) for line in run.stdout.splitlines() if "=" in line)
    root = words.get("root_hash", "")
    if (run.returncode or ":" not in root) and shutil.disk_usage(Path(tree).parent).free < size // 64:
        raise Refused(f"the hash tree cannot be made: No space left on the disk of {Path(tree).parent}")
    if run.returncode or ":" not in root:
        raise Refused(f"the hash tree cannot be made: {run.stderr.strip() or run.stdout.strip()}")
    return root.split(":")[0], int(root.split(":")[1])


def make_raw(source, target):
    """A raw image of whole blocks as target."""
    source = os.path.abspath(source)
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


class Brought:
    """The names of files that no version has yet. leatd alone removes them: it knows what versions have."""

    def __init__(self, api):
        self.api, self.names = api, []

    def claim(self, name):
        """Before anything of the file is there. Once more: it has its day again."""
        self.api.ask("POST", "files", {"name": name})
        if name not in self.names:
            self.names.append(name)
        return name

    def drop(self):
        for name in self.names:
            try:
                self.api.ask("DELETE", f"files/{name}")
            except Refused:
                pass  # it was not made, a version has it, or leatd does it a day later
        self.names = []


def enter(brought, folder, part, stem, with_tree):
    """A whole raw image, in the folder already, gets its tree and its names there. The fields of the new version."""
    tree = Path(folder) / f"{stem}.verity{leatdisks.PART}"
    names = {"source": f"{stem}.raw", **({"hash_source": f"{stem}.verity"} if with_tree else {})}
    parts = {"source": part, "hash_source": tree}
    try:
        for name in names.values():
            brought.claim(name)
        fields = describe(part, tree, with_tree)
        for what, name in reversed(names.items()):
            parts[what].chmod(0o644)
            leatdisks.place(parts[what], Path(folder) / brought.claim(name))
        return {**fields, **names}
    finally:
        for file in (part, tree):
            file.unlink(missing_ok=True)


def new_stem(name):
    """No other import's; short enough for leatd's names with any end."""
    return f"{name[:30]}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def bring(brought, folder, name, source, with_tree):
    """On the server itself. The fields of the new version."""
    stem = new_stem(name)
    part = Path(folder) / f"{brought.claim(f'{stem}.raw')}{leatdisks.PART}"
    try:
        make_raw(source, part)
        return enter(brought, folder, part, stem, with_tree)
    except OSError as error:
        raise Refused(f"{source} cannot be imported into {folder}: {error}") from None
    finally:
        part.unlink(missing_ok=True)


def prepare(work, args, with_tree):
    """What is to be sent, as files of the folder work or the given one itself: (image, tree, the fields of the new version)."""
    source = image = os.path.abspath(args.file)
    tree = Path(work) / "tree"
    about = leatdisks.look(source)
    if about["format"] != "raw" or not about["virtual-size"] or leatdisks.length(image) % BLOCK:
        image = Path(work) / "image"
        make_raw(source, image)
    fields = describe(image, tree, with_tree)
    fields["source"] = f"{args.name[:38]}-{fields['content'][:16]}.raw"
    fields.update(leatboot.bring(work, image, fields["source"], args))
    return image, tree, fields


def prepare_in(work, args, with_tree):
    """prepare(); where there is no room for it, says what helps."""
    try:
        return prepare(work, args, with_tree)
    except (OSError, Refused) as error:
        if not re.search("No space left|disk full", str(error)):
            raise
        raise Refused(f"{args.file} cannot be sent: {tempfile.gettempdir()} has no room for what is made of it; set TMPDIR to a "
                      "folder that has as much as the raw image") from None


def send(brought, args, with_tree):
    """From any machine: the same by uploads, which go on where they were when the same image is imported again."""
    try:
        with tempfile.TemporaryDirectory(prefix="leatctl-") as work:
            image, tree, fields = prepare_in(work, args, with_tree)
            send_file(brought, fields["source"], image, fields["content"])
            if with_tree:
                fields["hash_source"] = str(Path(fields["source"]).with_suffix(".verity"))
                send_file(brought, fields["hash_source"], tree)
            for boot in ("kernel", "initrd"):
                if boot in fields:
                    fields[boot] = send_boot(brought, Path(work) / fields[boot], args.name)
            return fields
    except OSError as error:
        raise Refused(f"{args.file} cannot be imported: {error}") from None


def send_file(brought, name, path, content=None):
    """Named only when it is there whole: what has arrived of one that is not is what the same import goes on with."""
    try:
        if leatupload.send(brought.api, name, path, content):
            brought.names.append(name)
    except Refused as error:
        if error.status == 507:  # the server's disk is full: what is there would keep it so
            brought.names.append(name)
        raise


def send_boot(brought, path, name):
    """A kernel or initrd, by a name that its content makes its own."""
    there = f"{name[:30]}-{digest(path)[:16]}{path.suffix}"
    send_file(brought, there, path)
    return there


def is_local(api, folder):
    """Whether this is the server itself, and the folder may be written to."""
    return api.url.hostname in ("127.0.0.1", "::1", "localhost") and os.access(folder, os.W_OK)
