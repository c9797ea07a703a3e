# SPDX-License-Identifier: BSD-2-Clause
"""Kernel and initrd of an image: files beside it in the image folder, or taken out of the image itself."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import leatdisks
from leatapi import Refused

SECTOR = 512
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"  # where Debian has debugfs and sfdisk


def tool(*words):
    """What the program prints; "" when it fails."""
    try:
        run = subprocess.run(words, capture_output=True, text=True, env={"PATH": PATH, "DEBUGFS_PAGER": "cat"})
    except FileNotFoundError:
        raise Refused(f"{words[0]} is needed to look into an image: install e2fsprogs and fdisk") from None
    return run.stdout if run.returncode == 0 else ""


def offsets(image):
    """Where file systems may begin: at 0, and at each partition."""
    table = tool("sfdisk", "--json", str(image))
    parts = json.loads(table)["partitiontable"]["partitions"] if table else []
    return [0] + [part["start"] * SECTOR for part in parts]


def version_of(name):
    """6.1.0-9 comes before 6.1.0-13."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def find(image):
    """(debugfs' name of the file system, path of the kernel, path of the initrd or None): the newest of the image."""
    for offset in offsets(image):
        system = f"{image}?offset={offset}"
        for folder in ("/boot", "/"):
            # ls -p: /inode/mode/uid/gid/name/size/
            names = [line.split("/")[5] for line in tool("debugfs", "-R", f"ls -p {folder}", system).splitlines()
                     if line.count("/") >= 7]
            kernels = sorted((n for n in names if n.startswith("vmlinuz-")), key=version_of)
            if not kernels:
                continue
            kernel = kernels[-1]
            initrd = kernel.replace("vmlinuz", "initrd.img", 1)
            place = folder.rstrip("/")
            return system, f"{place}/{kernel}", f"{place}/{initrd}" if initrd in names else None
    raise Refused(f"{image} has no ext4 file system with a /boot/vmlinuz-VERSION")


def take_out(image, target, claim):
    """The fields of a version: the newest kernel of the image, and its initrd, as target's files."""
    if not os.access(image, os.R_OK):
        raise Refused(f"{image} cannot be read: run this on the server itself, as root or as leatd's user")
    system, *paths = find(image)
    fields = {}
    for name, path in zip(("kernel", "initrd"), paths):
        if not path:
            continue
        # stat's line: User: 0   Group: 0   Project: 0   Size: 123
        found = re.search(r"Size: (\d+)", tool("debugfs", "-R", f"stat {path}", system))

        def dump(part, path=path, size=int(found[1]) if found else 0):
            tool("debugfs", "-R", f"dump {path} {part}", system)
            if not part.exists() or not size or part.stat().st_size != size:
                raise Refused(f"{path} cannot be read out of {image} into {part.parent}: is its disk full?")
        fields[name] = make(target.with_suffix("." + name), dump, claim)
    return fields


def make(file, write, claim):
    """The name of the file, which has it only when it is whole."""
    part = file.with_name(file.name + leatdisks.PART)
    claim(file.name)
    try:
        write(part)
        part.chmod(0o644)
        leatdisks.place(part, file)
        return file.name
    finally:
        part.unlink(missing_ok=True)


def copy_beside(target, claim, **files):
    """The fields of a version: these files, those that are given, as target's."""
    fields = {}
    for name, source in files.items():
        if not source:
            continue
        try:
            fields[name] = make(target.with_suffix("." + name), lambda part, source=source: shutil.copyfile(source, part), claim)
        except OSError as error:
            raise Refused(f"{source} cannot be copied to {target.parent}: {error.strerror}") from None
    return fields


def bring(folder, source, name, args, claim=lambda name: None):
    """The fields that `image import` and `image set` have for kernel, initrd and cmdline. source: the version's file; name: what
    the files are named after; claim is told each name before anything of the file is there."""
    target = Path(folder) / name
    fields = take_out(Path(folder) / source, target, claim) if args.from_image else {}
    fields.update(copy_beside(target, claim, kernel=args.kernel, initrd=args.initrd))
    if args.cmdline is not None:
        fields["cmdline"] = args.cmdline
    return fields
