# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of leat-nbd share: servers, leat-nbd itself, files and tools in a folder of the test's own."""
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from ports import free_port  # noqa: F401: for the tests

LEAT_NBD = None  # main() sets it
MIB = 1 << 20
# Commands, and a flag of one.
NBD_READ, NBD_WRITE, NBD_FLUSH, NBD_TRIM, NBD_CACHE = 0, 1, 3, 4, 5
NBD_FUA = 1


def wait_for(condition, seconds, what, log=lambda: ""):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"timed out after {seconds} s: {what} {log()}")


def can_connect(path):
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
        return True
    except OSError:
        return False


class RawClient:
    """An NBD client that sends just what it is told to, one request after the other: no flush, no goodbye."""

    def __init__(self, path, export=b""):
        """path: of a Unix socket, or (host, port)"""
        self.socket = socket.socket(socket.AF_UNIX if isinstance(path, str) else socket.AF_INET)
        self.socket.connect(path)
        self.socket.settimeout(10)
        self.take(18)
        # Fixed newstyle without zeroes, then NBD_OPT_EXPORT_NAME.
        self.socket.sendall(b"\0\0\0\3" + b"IHAVEOPT" + struct.pack(">II", 1, len(export)) + export)
        self.take(10)
        self.cookie = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def take(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError("leat-nbd is gone")
            data += part
        return data

    def command(self, number, offset=0, length=0, data=b"", flags=0):
        """Sends one and takes its simple reply. Returns the error."""
        self.cookie += 1
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, flags, number, self.cookie, offset, length) + data)
        return struct.unpack(">IIQ", self.take(16))[1]

    def read(self, offset, length):
        """The bytes; None: an error."""
        return None if self.command(NBD_READ, offset, length) else self.take(length)

    def write(self, offset, data, flags=0):
        return self.command(NBD_WRITE, offset, len(data), data, flags)

    def flush(self):
        return self.command(NBD_FLUSH)


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="leat-vdisk-")
        self.processes = []

    def tearDown(self):
        for p in self.processes:
            self.stop(p, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def make_file(self, name, size, seed=1):
        with open(self.path(name), "wb") as f:
            f.write(random.Random(seed).randbytes(size))
        return self.path(name)

    def spawn(self, *command):
        log = open(self.path(f"log{len(self.processes)}"), "wb+")
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        p.log = log.name
        log.close()
        self.processes.append(p)
        return p

    def counters(self, leat):
        """What SIGUSR1 prints."""
        def lines():
            return [x for x in self.log_of(leat).splitlines() if x.startswith("{") and x.endswith("}")]

        seen = len(lines())
        leat.send_signal(signal.SIGUSR1)
        wait_for(lambda: len(lines()) > seen, 5, "leat-nbd prints its counters")
        return json.loads(lines()[-1])

    def stop(self, p, number=signal.SIGTERM):
        if p.poll() is None:
            p.send_signal(number)
            p.wait(timeout=30)

    def log_of(self, p):
        with open(p.log, errors="replace") as f:
            return f.read()

    def run_tool(self, *command, ok=True, timeout=120):
        r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=timeout, text=True, errors="replace")
        if ok:
            self.assertEqual(r.returncode, 0, f"{command}: {r.stdout}")
        return r

    def serve(self, *arguments, name="server", **options):
        """nbdkit on a Unix socket of that name."""
        path = self.path(name)
        if os.path.exists(path):
            os.unlink(path)
        p = self.spawn("nbdkit", "-f", "--exit-with-parent", "-U", path, *options.get("flags", ()), *arguments)
        wait_for(lambda: can_connect(path) or p.poll() is not None, 10, "nbdkit starts")
        self.assertIsNone(p.poll(), self.log_of(p))
        return p, f"unix:{path}"

    def leat(self, server, export="", *options, name="leat", wait=True):
        path = self.path(name)
        p = self.spawn(LEAT_NBD, "--socket", path, *options, server, export)
        p.uri = f"nbd+unix:///?socket={path}"
        if wait:
            wait_for(lambda: can_connect(path), 15, "leat-nbd serves: " + self.log_of(p))
        return p

    def same_files(self, a, b):
        with open(a, "rb") as f, open(b, "rb") as g:
            self.assertTrue(f.read() == g.read(), f"{a} and {b} differ")

    def copy_both_ways(self, server, export, image):
        """A file goes in through the engine, and comes back out through a fresh one."""
        source = self.make_file("source", os.path.getsize(image), seed=7)
        first = self.leat(server, export)
        self.run_tool("nbdinfo", first.uri)
        self.run_tool("nbdcopy", "--flush", source, first.uri)
        self.run_tool("nbdcopy", first.uri, self.path("warm"))
        self.stop(first)
        self.same_files(source, self.path("warm"))
        self.same_files(source, image)
        second = self.leat(server, export, name="leat2")
        self.run_tool("nbdcopy", second.uri, self.path("cold"))
        self.stop(second)
        self.same_files(source, self.path("cold"))


def main(doc):
    """usage: PROGRAM LEAT_NBD [TestClass.test_name ...]"""
    global LEAT_NBD
    if len(sys.argv) < 2:
        sys.exit(doc)
    LEAT_NBD = sys.argv.pop(1)
    unittest.main(verbosity=2)
