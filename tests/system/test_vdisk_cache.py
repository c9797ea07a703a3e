#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""leat-nbd with a local store: a second start without a server, kill -9, damage.

usage: test_vdisk_cache.py LEAT_NBD [TestClass.test_name ...]
"""
import os
import random
import signal
import socket
import time

import vdisk_case
from vdisk_case import MIB, wait_for

SILENT = ("--filter=delay",), ("rdelay=1000", "delay-extents=1000")


class Cache(vdisk_case.Case):
    def start(self, image, *options, silent=False, content="v1", store="store"):
        flags, arguments = SILENT if silent else ((), ())
        server, address = self.serve("file", image, *arguments, flags=("-r", *flags))
        leat = self.leat(address, "", "--read-only", "--store", self.path(store), "--content", content, *options)
        return server, leat

    def read_all(self, leat, image, timeout=120):
        self.run_tool("nbdcopy", leat.uri, self.path("copy"), timeout=timeout)
        self.same_files(self.path("copy"), image)
        return self.counters(leat)

    def end(self, server, leat, number=signal.SIGTERM):
        self.stop(leat, number)
        self.stop(server, signal.SIGKILL)
        for name in ("leat", "server"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))

    def sparse_image(self, seed=1):
        """Data and holes in turns; the end lies inside a block."""
        image = self.path(f"image{seed}")
        part = random.Random(seed).randbytes(MIB)
        with open(image, "wb") as f:
            f.truncate(48 * MIB + 1536)
            for i in range(0, 48, 3):
                f.seek(i * MIB)
                f.write(i.to_bytes(4096, "little") + part[4096:])
            f.seek(48 * MIB)
            f.write(part[:1536])
        return image

    def warm_up(self, image):
        server, leat = self.start(image, store="store:256M")
        self.assertEqual(self.read_all(leat, image)["disk_bytes"], 0)
        self.end(server, leat)

    def test_silent_server(self):
        image = self.sparse_image()
        self.warm_up(image)
        server, leat = self.start(image, silent=True)
        counts = self.read_all(leat, image, timeout=30)
        self.assertEqual(counts["network_bytes"], 0)
        self.assertEqual(sum(source["bytes"] for source in counts["sources"].values()), 0)
        self.assertGreater(counts["local"]["bytes"], 16 * MIB)
        self.assertEqual(counts["profile"]["boots"], 1)
        self.assertGreater(counts["hole_bytes"], 30 * MIB)
        self.end(server, leat)

    def test_no_server(self):
        """Nobody listens, or who does says nothing at all; at last the server comes."""
        image = self.sparse_image()
        self.warm_up(image)
        for is_mute in (False, True):
            with socket.socket(socket.AF_UNIX) as mute:
                if is_mute:
                    mute.bind(self.path("server"))
                    mute.listen(16)
                leat = self.leat(f"unix:{self.path('server')}", "", "--read-only", "--store", self.path("store"),
                                 "--content", "v1")
                self.assertEqual(self.read_all(leat, image, timeout=30)["connects"], 0)
            if is_mute:
                os.unlink(self.path("server"))
            server, _ = self.serve("file", image, flags=("-r",))
            wait_for(lambda: self.counters(leat)["connects"] == 1, 30, "the server is there", lambda: self.log_of(leat))
            self.read_all(leat, image)
            self.end(server, leat)

    def test_killed_in_a_fill(self):
        """Again and again; what has been kept is not fetched twice, and right."""
        image = self.make_file("image", 96 * MIB)
        for seconds in (2, 6.5, 1, 7):  # blocks are durable 5 s after they came
            server, leat = self.start(image, "--fill", "200", "--cache", str(4 * MIB), store="store:256M")
            wait_for(lambda: self.counters(leat)["local"]["kept_bytes"] > 0, 20, "the fill goes on")
            time.sleep(seconds)
            self.end(server, leat, signal.SIGKILL)
        server, leat = self.start(image, store="store:256M")
        counts = self.read_all(leat, image)
        kept = 96 * MIB - sum(source["bytes"] for source in counts["sources"].values())
        self.assertGreater(kept, MIB)
        self.assertEqual(counts["local"]["refused"], 0)
        self.end(server, leat)

    def test_fill_then_no_server(self):
        image = self.make_file("image", 64 * MIB)
        server, leat = self.start(image, "--fill", "2000", "--cache", str(4 * MIB), store="store:256M")
        wait_for(lambda: self.counters(leat)["local"]["kept_bytes"] == 64 * MIB, 60, "all of it is kept")
        self.end(server, leat)
        server, leat = self.start(image, "--cache", str(4 * MIB), silent=True)
        self.assertEqual(self.read_all(leat, image, timeout=60)["network_bytes"], 0)
        self.end(server, leat)

    def damage(self, first, end, step):
        """A byte in each `step` bytes of that part of the store."""
        with open(self.path("store"), "r+b") as f:
            for at in range(first, end, step):
                f.seek(at)
                byte = f.read(1)
                f.seek(at)
                f.write(bytes([byte[0] ^ 0x10]))

    def test_damaged_data(self):
        image = self.sparse_image()
        self.warm_up(image)
        self.damage(4 * MIB, 240 * MIB, 40000)  # about every tenth block
        server, leat = self.start(image)
        counts = self.read_all(leat, image)
        self.assertGreater(counts["local"]["refused"], 0)
        self.assertGreater(counts["local"]["bytes"], 0)
        self.end(server, leat)
        server, leat = self.start(image, silent=True)  # it has been put right
        self.assertEqual(self.read_all(leat, image, timeout=30)["local"]["refused"], 0)
        self.end(server, leat)

    def test_damaged_metadata(self):
        image = self.sparse_image()
        self.warm_up(image)
        self.damage(MIB // 2, 255 * MIB, 3000)
        server, leat = self.start(image)
        self.read_all(leat, image)
        self.end(server, leat)
        server, leat = self.start(image, "--store-format")
        self.read_all(leat, image)
        self.end(server, leat)

    def test_another_version(self):
        self.warm_up(self.sparse_image())
        other = self.sparse_image(seed=2)
        server, leat = self.start(other, content="v2")
        self.assertEqual(self.read_all(leat, other)["disk_bytes"], 0)
        self.end(server, leat)
        server, leat = self.start(self.sparse_image(), silent=True)
        self.assertEqual(self.read_all(leat, self.sparse_image(), timeout=30)["network_bytes"], 0)
        self.end(server, leat)

    def refused(self, *options):
        leat = self.leat("unix:/nowhere", "", *options, wait=False)
        wait_for(lambda: leat.poll() is not None, 10, "leat-nbd ends")
        self.assertNotEqual(leat.returncode, 0)
        return self.log_of(leat)

    def test_what_is_no_store_is_left_alone(self):
        text = self.make_file("text", 8 * MIB)
        with open(text, "rb") as f:
            before = f.read()
        self.assertIn("there is no store yet; --store-format", self.refused("--store", text))
        with open(text, "rb") as f:
            self.assertTrue(f.read() == before, "it was changed")
        self.assertIn("give its size", self.refused("--store", self.path("none")))
        self.assertIn("31 ASCII", self.refused("--content", "x" * 40))


if __name__ == "__main__":
    vdisk_case.main(__doc__)
