#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_nbdkit_pause.py PLUGIN LEAT_DIFFERENCE [TestClass.test_name ...]: nbdkit with Leat's plugin as one of several servers:
past a lease's end it neither reads nor writes, and lets go of the disk."""
import fcntl
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import vdisk_case
from nbdkit_case import OTHER, TOKEN, Plugin
from vdisk_case import MIB, RawClient, wait_for

TOOL = sys.argv.pop(2)
TERM = 3
F_OFD_SETLK = 37


class Pause(Plugin):
    def setUp(self):
        super().setUp()
        self.leatd.away, self.leatd.term = "pause", TERM
        self.server_disk()

    def is_free(self):
        return self.run_tool(TOOL, "info", self.path("difference"), ok=False).returncode == 0

    def started(self):
        """nbdkit and a client that has written something."""
        p, port = self.nbdkit_by_tcp()
        client = RawClient(("127.0.0.1", port), TOKEN.encode())
        self.addCleanup(client.socket.close)
        self.assertEqual(client.write(0, b"abcd" * 128), 0)
        self.assertFalse(self.is_free())
        return p, port, client

    def test_pause(self):
        """The lease ends: the file is let go of, with all that was written; who asks for something loses the connection."""
        p, _, client = self.started()
        self.leatd.stop()
        wait_for(self.is_free, 60, "the difference is let go of")
        self.assertIn("stands still", self.log_of(p))
        before = os.stat(self.path("difference")).st_mtime_ns
        with self.assertRaises(ConnectionError):
            client.write(512, b"efgh" * 128)
        self.assertIn("looks for another server", self.log_of(p))
        self.assertEqual(os.stat(self.path("difference")).st_mtime_ns, before)

    def test_goes_on(self):
        """A request that waits when leatd is back is done, on the same connection."""
        p, _, client = self.started()
        self.leatd.stop()
        wait_for(self.is_free, 60, "the difference is let go of")
        back = threading.Timer(0.1, self.leatd.start)
        back.start()
        self.addCleanup(back.join)
        self.assertEqual(client.write(512, b"efgh" * 128), 0)
        self.assertEqual(client.read(0, 1024), b"abcd" * 128 + b"efgh" * 128)
        self.assertIn("goes on", self.log_of(p))
        self.assertFalse(self.is_free())

    def test_not_opened(self):
        """Nor is it opened anew once its time is over, until leatd gives it again."""
        _, port, client = self.started()
        self.leatd.stop()
        wait_for(self.is_free, 60, "the difference is let go of")
        uri = f"nbd://127.0.0.1:{port}/{TOKEN}"
        self.assertNotEqual(self.run_tool("nbdinfo", uri, ok=False).returncode, 0)
        client.socket.close()
        self.leatd.start()
        wait_for(lambda: self.run_tool("nbdinfo", "--size", uri, ok=False).returncode == 0, 60, "it is opened")

    def test_taken(self):
        """Another server has it when the lease is given again: its client is told to look there."""
        p, _, client = self.started()
        self.leatd.stop()
        wait_for(self.is_free, 60, "the difference is let go of")
        with open(self.path("difference"), "r+b") as other:
            fcntl.fcntl(other, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
            self.leatd.start()
            with self.assertRaises(ConnectionError):
                client.read(0, 512)
        self.assertIn("somebody else has the difference open", self.log_of(p))

    def test_readers_go_on(self):
        """Nobody else can take an image that is only read."""
        self.grant(OTHER, path=self.path("image.raw"), size=4 * MIB)
        p, port = self.nbdkit_by_tcp()
        with RawClient(("127.0.0.1", port), OTHER.encode()) as client:
            self.leatd.stop()
            wait_for(lambda: "does not answer" in self.log_of(p), 60, "it is noticed")
            time.sleep(TERM + 1)
            self.assertEqual(len(client.read(0, 512)), 512)

    def test_handed_over(self):
        """A file that another server lets go of in a moment is waited for."""
        self.nbdkit(name="first")
        self.leatd.grants[OTHER] = {**self.leatd.grants[TOKEN], "lease": "l-2"}
        first = RawClient(self.path("first"), TOKEN.encode())
        self.assertEqual(first.write(0, b"abcd" * 128), 0)
        self.nbdkit()
        self.leatd.gone.add("l-" + TOKEN[2:8])  # what it hears with its next renewal, in a second
        with RawClient(self.path("nbd"), OTHER.encode()) as second:
            self.assertEqual(second.read(0, 512), b"abcd" * 128)
        first.socket.close()


class Handshake(Plugin):
    def test_silent(self):
        """Who connects and says nothing, or says it for ever, does not keep his place; who has an export does."""
        self.grant(path=self.image(), size=4 * MIB)
        p, port = self.nbdkit_by_tcp(parameters=["handshake=2", "connections=3"])
        with RawClient(("127.0.0.1", port), TOKEN.encode()) as client:
            silent = []

            def take_place():  # the connection by which nbdkit was waited for may still have one
                s = socket.create_connection(("127.0.0.1", port), 60)
                if len(s.recv(18, socket.MSG_WAITALL)) == 18:
                    silent.append(s)
                else:
                    s.close()
                return len(silent) == 2
            wait_for(take_place, 20, "both are greeted")
            begin = time.monotonic()
            for s in silent:
                self.assertEqual(s.recv(1), b"")
                s.close()
            self.assertGreater(time.monotonic() - begin, 0.5)
            uri = f"nbd://127.0.0.1:{port}/{TOKEN}"
            wait_for(lambda: self.run_tool("nbdinfo", "--size", uri, ok=False).returncode == 0, 60, "their places are free")
            self.assertEqual(len(client.read(0, 512)), 512)
        self.stop(p)
        self.assertEqual(p.returncode, 0)

    def test_switched_off(self):
        """A machine without power is found out: the kernel's timer of an idle connection runs (proc(5): /proc/net/tcp, "tr")."""
        self.grant(path=self.image(), size=4 * MIB)
        _, port = self.nbdkit_by_tcp()

        def timer():
            own = f":{client.socket.getsockname()[1]:04X}"
            lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()
            return [w[5][:2] for w in map(str.split, lines) if w[1].endswith(f":{port:04X}") and w[2].endswith(own)]
        with RawClient(("127.0.0.1", port), TOKEN.encode()) as client:
            self.assertEqual(len(client.read(0, 512)), 512)
            wait_for(lambda: timer() == ["02"], 60, "keepalive's timer, and no other")

    def test_ended(self):
        """SIGTERM ends nbdkit while clients are on that say nothing, before and after their handshake."""
        self.server_disk()
        p, port = self.nbdkit_by_tcp(parameters=["handshake=0"])
        where = ("127.0.0.1", port)
        with RawClient(where, TOKEN.encode()) as client, socket.create_connection(where, 60) as silent:
            self.assertEqual(len(silent.recv(18, socket.MSG_WAITALL)), 18)
            self.assertEqual(len(client.read(0, 512)), 512)
            p.terminate()
            self.assertEqual(p.wait(60), 0)


if __name__ == "__main__":
    vdisk_case.main(__doc__)
