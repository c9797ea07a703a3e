# SPDX-License-Identifier: BSD-2-Clause
"""Images that are no files of the image folder, but lie on another server: read through the same parts of nbdkit and QEMU that
serve them (docs/nbdkit-leat.md, "What is served"), by whoever runs leatctl. Keys come from files that he names."""
import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import leatdisks
from leatapi import Refused

NBD = ("nbd://", "nbds://", "nbd+unix://", "nbds+unix://")
NAME = r"[A-Za-z0-9._-]{1,127}"
RBD = re.compile(rf"rbd:({NAME})/({NAME})(?:@({NAME}))?")
CEPH = "/etc/ceph/ceph.conf"
START_SECONDS = 60

# What leatctl's commands that read such an image have; each is the parameter of nbdkit's plugin of that name.
OPTIONS = [("--https-ca", {"metavar": "FILE", "help": "who vouches for servers of https://"}),
           ("--s3", {"metavar": "FILE", "help": "where S3 buckets are, and keys for them"}),
           ("--ceph", {"metavar": "FILE", "default": CEPH, "help": f"Ceph's configuration ({CEPH})"}),
           ("--ceph-user", {"metavar": "NAME", "help": "Ceph's user (admin)"})]


def is_uri(source):
    """As opposed to a file of the image folder."""
    return "://" in source or source.startswith("rbd:")


def s3_plugin():
    """Where nbdkit finds it: installed, or in the build tree that leat-difference is taken from."""
    program = shutil.which("leat-difference")
    built = Path(program).with_name("nbdkit-leat-s3-plugin.so") if program else None
    return built if built and built.exists() else "leat-s3"


def plugin_words(uri, args):
    """nbdkit's plugin for it, and the parameters."""
    if uri.startswith(NBD):
        return ["nbd", f"uri={uri}"]
    if uri.startswith(("http://", "https://")):
        safe = ["protocols=https"] if uri.startswith("https://") else ["protocols=http,https"]
        return ["curl", f"url={uri}", *safe, *([f"cainfo={args.https_ca}"] if args.https_ca else [])]
    if uri.startswith("s3://"):
        if not args.s3:
            raise Refused(f"{uri} is in an S3 bucket: say --s3 FILE, the file that nbdkit's parameter s3 names")
        return [s3_plugin(), f"url={uri}", f"settings={args.s3}"]
    raise Refused(f"{uri} is no image that can be read: there are nbd://, nbd+unix://, http(s)://, s3:// and rbd:")


def rbd_image(uri, args):
    """As qemu-img wants it: as JSON, in which no letter of a name means more."""
    found = RBD.fullmatch(uri)
    if not found:
        raise Refused(f"{uri}: a Ceph image is written rbd:POOL/IMAGE or rbd:POOL/IMAGE@SNAPSHOT")
    if not Path(args.ceph).exists():
        raise Refused(f"{uri} is in a Ceph cluster, and there is no {args.ceph}: say --ceph FILE, Ceph's configuration")
    names = dict(zip(("pool", "image", "snapshot"), found.groups()), conf=str(args.ceph), user=args.ceph_user)
    return "json:" + json.dumps({"file": {"driver": "rbd", **{key: name for key, name in names.items() if name}}})


def wait_for(ready, nbdkit, log):
    """Until nbdkit takes connections: it writes that file then. Its socket is there before."""
    end = time.monotonic() + START_SECONDS
    while not ready.exists():
        if nbdkit.poll() is not None or time.monotonic() > end:
            raise Refused(last_error(log) or "nbdkit does not start")
        time.sleep(0.02)


def last_error(log):
    """The last that nbdkit or a plugin has said of what is wrong; "" when nothing is."""
    lines = [line.split("error: ", 1)[1] for line in log.read_text(errors="replace").splitlines() if "error: " in line]
    return lines[-1] if lines else ""


def explained(uri, error, reason):
    """qemu-img's own words, if it is about the other side; else why the image cannot be read."""
    return error if "error while writing" in str(error) else Refused(f"{uri} cannot be read: {reason}")


@contextlib.contextmanager
def opened(uri, args):
    """Gives what qemu-img reads the image under, as long as the context lasts. Refused says why an image cannot be read."""
    if uri.startswith("rbd:"):
        image = rbd_image(uri, args)
        try:
            yield image
        except Refused as error:
            raise explained(uri, error, str(error).replace(image, uri)) from None
        return
    words = plugin_words(uri, args)
    with tempfile.TemporaryDirectory(prefix="leatctl-") as folder:
        socket, ready, log = (Path(folder) / name for name in ("nbd", "pid", "log"))
        # Where this process is killed, nbdkit ends.
        words = ["nbdkit", "-f", "--exit-with-parent", "--readonly", "-t", "8", "-P", ready, "-U", socket, *words]
        try:
            with open(log, "w", encoding="utf-8") as out:
                nbdkit = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        except FileNotFoundError:
            raise Refused("nbdkit is missing: install the package nbdkit") from None
        try:
            wait_for(ready, nbdkit, log)
            yield f"nbd+unix:///?socket={socket}"
        except Refused as error:
            raise explained(uri, error, last_error(log) or error) from None
        finally:
            nbdkit.kill()
            nbdkit.wait()


def size(uri, args):
    """Bytes of a raw image there."""
    with opened(uri, args) as image:
        ended = leatdisks.run("qemu-img", "info", "--output=json", "-f", "raw", image)
        if ended.returncode:
            raise Refused(ended.stderr.strip().rpartition("\n")[2].removeprefix("qemu-img: "))
        return json.loads(ended.stdout)["virtual-size"]
