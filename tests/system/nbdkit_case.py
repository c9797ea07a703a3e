# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of nbdkit with Leat's plugin share: a played leatd, nbdkit itself, and what it is granted."""
import contextlib
import glob
import json
import os
import socket

import vdisk_case
from leatd_double import Double
from vdisk_case import MIB, Case, can_connect, free_port, wait_for

TOKEN = "x." + "Ab3-_" * 8 + "xyz"
ESHUTDOWN = 108
OTHER = "x." + "Zz9-_" * 8 + "xyz"


def content_of(path):
    with open(path, "rb") as f:
        return f.read()


class Plugin(Case):
    def setUp(self):
        super().setUp()
        self.leatd = Double(self.path("control"))

    def nbdkit(self, *parameters, threads=4, name="nbd"):
        path = self.path(name)
        if os.path.exists(path):
            os.unlink(path)
        p = self.spawn("nbdkit", "-f", "--exit-with-parent", "-t", str(threads), "-U", path, vdisk_case.LEAT_NBD,
                       f"socket={self.leatd.path}", *parameters)
        wait_for(lambda: can_connect(path) or p.poll() is not None, 10, "nbdkit starts")
        self.assertIsNone(p.poll(), self.log_of(p))
        return p

    def nbdkit_by_tcp(self, *options, before=(), parameters=()):
        """It and its port, on all addresses of this host."""
        port = free_port()
        p = self.spawn(*before, "nbdkit", "-f", "--exit-with-parent", "-p", str(port), *options, vdisk_case.LEAT_NBD,
                       f"socket={self.leatd.path}", *parameters)

        def listens():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_for(lambda: listens() or p.poll() is not None, 10, "nbdkit starts")
        self.assertIsNone(p.poll(), self.log_of(p))
        return p, port

    def uri(self, token=TOKEN, name="nbd"):
        return f"nbd+unix:///{token}?socket={self.path(name)}"

    def grant(self, token=TOKEN, **fields):
        self.leatd.grants[token] = {"lease": "l-" + token[2:8], "client": "lab-01", "disk": "debian",
                                    "mode": "read-only", "read_only": True, "format": "raw", **fields}

    def image(self, name="image.raw", size=4 * MIB):
        """Half of it data, half of it a hole."""
        path = self.make_file(name, size // 2)
        os.truncate(path, size)
        return path

    def server_disk(self, size=4 * MIB, **fields):
        image = self.image(size=size)
        self.grant(mode="server", read_only=False, path=image, size=size, difference=self.path("difference"), **fields)
        return image

    def qemu_io(self, *commands, token=TOKEN):
        arguments = [word for command in commands for word in ("-c", command)]
        r = self.run_tool("qemu-io", "-f", "raw", *arguments, self.uri(token))
        self.assertNotIn("failed", r.stdout)
        return r

    def extents(self, token=TOKEN):
        r = self.run_tool("nbdinfo", "--map", "--json", self.uri(token))
        return [(e["offset"], e["length"], e["type"]) for e in json.loads(r.stdout)]

    def children(self, p):
        found = []
        for path in glob.glob(f"/proc/{p.pid}/task/*/children"):
            with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                found += content_of(path).split()
        return found

    def read_as(self, image, *parameters, **fields):
        self.grant(size=4 * MIB, **fields)
        p = self.nbdkit(*parameters)
        self.run_tool("nbdcopy", self.uri(), self.path("copy"))
        self.same_files(image, self.path("copy"))
        return p
