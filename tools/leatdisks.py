# SPDX-License-Identifier: BSD-2-Clause
"""Disk images as files: what they are, and qemu-img's copies of them, with progress. What is being made has the name's end
.part until it is whole and synced, so that a kill or a full disk leaves nothing under the name itself."""
import contextlib
import errno
import json
import os
import re
import signal
import subprocess
from pathlib import Path

from leatapi import Refused
from leatprogress import Progress

FORMATS = ("raw", "qcow2", "vmdk", "vhdx")
PART = ".part"
LOOK_SECONDS = 0.2  # how often a program's file is looked at
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


def run(*words):
    try:
        return subprocess.run(list(map(str, words)), capture_output=True, text=True)
    except FileNotFoundError:
        raise Refused(f"{words[0]} is missing: install the package qemu-utils") from None


def run_watched(words, what, total, done):
    """run(), with a bar: done() says how many of `total` bytes there are."""
    words = list(map(str, words))
    with Progress(what, total) as progress, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                                             start_new_session=True) as process:
        out = None
        try:
            while out is None:
                try:
                    out, problem = process.communicate(timeout=LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    progress.to(done())
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        if not process.returncode:
            progress.to(total)
    return subprocess.CompletedProcess(words, process.returncode, out, problem)


def length(path):
    """Bytes of a file or a block device."""
    with open(path, "rb") as file:
        return file.seek(0, os.SEEK_END)


def grown(path):
    """Bytes of a file that is being made."""
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def look(path):
    """qemu-img's description. Refused for what is no image, and for one that names other files of this machine: what would
    be read is theirs."""
    path = os.path.abspath(path)  # qemu-img takes other names for options, or for a protocol's
    ended = run("qemu-img", "info", "--output=json", path)
    try:
        about = json.loads(ended.stdout)
    except ValueError:
        raise Refused(f"{path} is no image that qemu-img can read: {ended.stderr.strip()}") from None
    others = [about.get("backing-filename"), about.get("format-specific", {}).get("data", {}).get("data-file")]
    extents = about.get("format-specific", {}).get("data", {}).get("extents") or []
    here = os.path.realpath(path)
    others += [e.get("filename") for e in extents if os.path.dirname(os.path.realpath(e.get("filename", ""))) !=
               os.path.dirname(here)]
    others = [other for other in others if other]
    if others:
        raise Refused(f"{path} is not a whole image, but lies over {others[0]}: make it one with qemu-img convert")
    return about


def new_format(path, wanted=None):
    """What a new file is to be: as wanted, else by its name's end."""
    return wanted or next((f for f in FORMATS if str(path).endswith("." + f)), "raw")


def sync(path):
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def give_name(part, path):
    """As link(2): it takes no name that is there. On exFAT, FAT and what else has no hard links, there is a moment between."""
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.rename(part, path)


def place(part, path):
    """The whole file gets its name, which must be free."""
    sync(part)
    try:
        give_name(part, path)
    except FileExistsError:
        raise Refused(f"{path} is there already") from None
    Path(part).unlink(missing_ok=True)  # leatd may have seen that the file has both names
    sync(Path(path).parent)


def follow(copy, progress, size):
    """qemu-img's per cents, until it ends. The last line of what it says is wrong."""
    text = b""
    while piece := copy.stdout.read1(4096):
        text = (text + piece)[-100:]
        found = re.findall(rb"\((\d+\.\d+)/100%\)", text)
        if found:
            progress.to(int(float(found[-1]) / 100 * size))
    return copy.stderr.read().decode(errors="replace").strip().rpartition("\n")[2]


def convert(source, source_format, target, target_format, what):
    """qemu-img convert, with its per cents as progress. source: an absolute path, or as qemu-img names an image that is no
    file. Refused, and nothing left, if it fails."""
    target = os.path.abspath(target)
    size = json.loads(run("qemu-img", "info", "--output=json", "-f", source_format, source).stdout or "{}").get("virtual-size", 0)
    words = ["qemu-img", "convert", "-p", "-f", source_format, "-O", target_format, str(source), str(target)]
    try:
        with Progress(what, size) as progress, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as copy:
            try:
                problem = follow(copy, progress, size)
            except BaseException:
                copy.kill()
                raise
        if copy.returncode:
            raise Refused(f"{source} cannot be copied to {target}: {problem or 'no reason told'}")
    except BaseException:
        Path(target).unlink(missing_ok=True)
        raise
