# SPDX-License-Identifier: BSD-2-Clause
"""Kernel and initrd of an image: files beside it in the image folder, or taken out of the image itself."""
import json
import re
import shutil
import subprocess
from pathlib import Path

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


def take_out(image, target):
    """The fields of a version: the newest kernel of the image, and its initrd, as target's files."""
    system, *paths = find(image)
    fields = {}
    for name, path in zip(("kernel", "initrd"), paths):
        if not path:
            continue
        file = target.with_suffix("." + name)
        tool("debugfs", "-R", f"dump {path} {file}", system)
        if not file.exists() or not file.stat().st_size:
            raise Refused(f"{path} cannot be read out of {image}")
        fields[name] = file.name
    return fields


def copy_beside(target, **files):
    """The fields of a version: these files, those that are given, as target's."""
    fields = {}
    for name, source in files.items():
        if not source:
            continue
        file = target.with_suffix("." + name)
        try:
            shutil.copyfile(source, file)
        except OSError as error:
            raise Refused(f"{source} cannot be copied to {file.parent}: {error.strerror}") from None
        fields[name] = file.name
    return fields


def bring(folder, source, name, args):
    """The fields that `image import` and `image set` have for kernel, initrd and cmdline. source: the version's file; name: what
    the files are named after."""
    target = Path(folder) / name
    fields = take_out(Path(folder) / source, target) if args.from_image else {}
    fields.update(copy_beside(target, kernel=args.kernel, initrd=args.initrd))
    for file in fields.values():
        (Path(folder) / file).chmod(0o644)
    if args.cmdline is not None:
        fields["cmdline"] = args.cmdline
    return fields
