#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Mode server: clients with an export of their own each, a qcow2 layer that qemu-nbd keeps over one shared image.

usage: test_vdisk_clients.py LEAT_NBD [TestClass.test_name ...]
Needs qemu-nbd, qemu-io, qemu-img, nbdkit, nbdcopy, fio; no root, Unix sockets only.
"""
import hashlib
import json
import os
import random
import signal
import time

import vdisk_case
from vdisk_case import MIB, Case, can_connect, wait_for

SIZE = 32 * MIB


class Layers(Case):
    def setUp(self):
        super().setUp()
        self.image = self.make_file("image", SIZE)
        self.sum = self.sum_of(self.image)
        self.servers = {}

    def sum_of(self, path):
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).digest()

    def layer(self, name, size=None):
        """A client's empty layer over the image."""
        path = self.path(f"{name}.qcow2")
        self.run_tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", self.image, "-F", "raw", path,
                      *([str(size)] if size else []))
        return path

    def qemu_nbd(self, name, path, *options, form="qcow2"):
        socket = self.path(f"{name}.server")
        if os.path.exists(socket):
            os.unlink(socket)
        p = self.spawn("qemu-nbd", "-t", "-e", "8", "-f", form, "-k", socket, "-x", name, *options, path)
        wait_for(lambda: can_connect(socket), 10, self.log_of(p))
        self.servers[name] = p
        return f"unix:{socket}"

    def serve_image(self):
        return self.qemu_nbd("shared", self.image, "-r", form="raw")

    def serve_layer(self, name, *options):
        return self.qemu_nbd(name, self.path(f"{name}.qcow2"), "-A", "--discard=unmap", *options)

    def composed(self, clients, *options, wait=True, name="leat"):
        """leat-nbd with a disk for each of the clients; its `uris` say where."""
        uris = {c: f"nbd+unix:///?socket={self.path(f'{name}-{c}')}" for c in clients}
        layers = ",".join(f"unix:{self.path(f'{c}.server')}" for c in clients)
        p = self.spawn(vdisk_case.LEAT_NBD, "--mode", "server", "--client-server", layers,
                       *[x for c in clients for x in ("--client", f"{c}={self.path(f'{name}-{c}')}")], *options,
                       f"unix:{self.path('shared.server')}", "shared")
        p.uris = uris
        for c in clients if wait else ():
            wait_for(lambda c=c: can_connect(self.path(f"{name}-{c}")), 15, "leat-nbd serves", lambda: self.log_of(p))
        return p

    def qemu_io(self, uri, *commands, ok=True):
        return self.run_tool("qemu-io", "-f", "raw", *[x for c in commands for x in ("-c", c)], uri, ok=ok)

    def last_counts(self, leat):
        """Of each client, after the end."""
        self.stop(leat)
        lines = [json.loads(x) for x in self.log_of(leat).splitlines() if x.startswith("{")]
        return {x["disk"]: x for x in lines}

    def check_unchanged(self):
        self.assertEqual(self.sum_of(self.image), self.sum, "the shared image has changed")

    def fetched(self, counts):
        return sum(s["bytes"] for s in counts["sources"].values())

    def test_equal_blocks_are_fetched_once(self):
        clients = ["a", "b", "c"]
        for c in clients:
            self.layer(c)
        self.run_tool("qemu-io", "-f", "qcow2", "-c", "write -P 0xbb 3M 1M", self.path("b.qcow2"))
        self.serve_image()
        for c in clients:
            self.serve_layer(c)
        leat = self.composed(clients)
        for c in clients:
            self.run_tool("nbdcopy", leat.uris[c], self.path(f"out-{c}"))
        self.same_files(self.image, self.path("out-a"))
        self.same_files(self.image, self.path("out-c"))
        self.qemu_io(leat.uris["b"], "read -P 0xbb 3M 1M")
        counts = self.last_counts(leat)
        shared = self.fetched(counts["a"]["shared"])
        print(f"\n{SIZE} bytes read by each of 3 clients: {shared} fetched of the image, of the layers "
              f"{[self.fetched(counts[c]) for c in clients]}")
        self.assertLessEqual(shared, SIZE * 1.02)
        self.assertEqual(self.fetched(counts["a"]), 0)
        self.assertLessEqual(self.fetched(counts["b"]), 3 * MIB)  # 1 MiB, and reads that lie over its ends
        for c in clients:
            all_bytes = sum(counts[c][k] for k in ("ram_bytes", "disk_bytes", "network_bytes", "hole_bytes"))
            self.assertGreaterEqual(all_bytes, SIZE)
            self.assertLess(all_bytes, SIZE + 2 * MIB, "bytes are counted once")
        self.check_unchanged()

    def test_writes_are_the_clients_own(self):
        for c in "ab":
            self.layer(c)
        self.serve_image()
        for c in "ab":
            self.serve_layer(c)
        leat = self.composed("ab")
        self.qemu_io(leat.uris["a"], "read 0 4M", "write -P 0xaa 1M 100k", "write -z 2M 64k", "discard 3M 128k",
                     "write -P 7 4095k 2k", "flush", "read -P 0xaa 1M 100k", "read -P 0 2M 64k", "read -P 7 4095k 2k")
        self.qemu_io(leat.uris["b"], "write -P 0xbb 1050k 100k", "flush", "read -P 0xbb 1050k 100k")
        with open(self.image, "rb") as f:
            expected = {"a": bytearray(f.read())}
        expected["b"] = bytearray(expected["a"])
        for c, offset, size, byte in (("a", 1024, 100, 0xaa), ("a", 2048, 64, 0), ("a", 3072, 128, 0), ("a", 4095, 2, 7),
                                      ("b", 1050, 100, 0xbb)):
            expected[c][offset << 10:(offset + size) << 10] = bytes([byte]) * (size << 10)
        for c in "ab":
            with open(self.path(f"expected-{c}"), "wb") as f:
                f.write(expected[c])
            self.run_tool("qemu-img", "compare", "-f", "raw", "-F", "raw", leat.uris[c], self.path(f"expected-{c}"))
        self.stop(leat)
        again = self.composed("ab", name="again")  # what is below is asked anew
        for c in "ab":
            self.run_tool("qemu-img", "compare", "-f", "raw", "-F", "raw", again.uris[c], self.path(f"expected-{c}"))
        self.stop(again)
        for c in "ab":
            self.stop(self.servers[c])
            self.run_tool("qemu-img", "compare", "-f", "qcow2", "-F", "raw", self.path(f"{c}.qcow2"),
                          self.path(f"expected-{c}"))
        self.check_unchanged()

    def test_verify_over_restarts(self):
        """fio writes and verifies on both clients while one of the three servers after the other is killed."""
        for c in "ab":
            self.layer(c)
        self.serve_image()
        for c in "ab":
            self.serve_layer(c)
        leat = self.composed("ab", "--cache", str(8 * MIB))
        jobs = [self.spawn("fio", "--name=verify", "--ioengine=nbd", f"--uri={leat.uris[c]}", "--rw=randwrite", "--size=16M",
                           "--bsrange=4k-64k", "--iodepth=16", "--fsync=20", "--verify=crc32c", "--verify_backlog=64",
                           "--verify_state_save=0", "--loops=2", "--rate_iops=300", f"--randseed={ord(c)}") for c in "ab"]
        chance, kills = random.Random(3), 0
        while any(job.poll() is None for job in jobs):
            time.sleep(0.5)
            name = chance.choice(["a", "b", "shared"])
            self.stop(self.servers[name], signal.SIGKILL)
            kills += 1
            time.sleep(0.1)
            self.serve_image() if name == "shared" else self.serve_layer(name)
        for job in jobs:
            self.assertEqual(job.returncode, 0, self.log_of(job))
            self.assertIn("err= 0", self.log_of(job))
        self.assertGreater(kills, 4)
        for c in "ab":
            self.run_tool("nbdcopy", leat.uris[c], self.path(f"out-{c}"))
        self.stop(leat)
        for c in "ab":
            self.stop(self.servers[c])
            self.run_tool("qemu-img", "compare", "-f", "qcow2", "-F", "raw", self.path(f"{c}.qcow2"), self.path(f"out-{c}"))
            check = self.run_tool("qemu-img", "check", "-q", "-f", "qcow2", self.path(f"{c}.qcow2"), ok=False)
            self.assertIn(check.returncode, (0, 3), check.stdout)  # 3: clusters that a killed qemu-nbd has lost sight of
        self.check_unchanged()

    def test_lost_image_and_lost_layer(self):
        """What needs the server that is away waits; what needs the other does not."""
        self.layer("a")
        self.run_tool("qemu-io", "-f", "qcow2", "-c", "write -P 0xaa 1M 1M", self.path("a.qcow2"))
        self.serve_image()
        self.serve_layer("a")
        leat = self.composed("a", "--give-up", "2")
        self.qemu_io(leat.uris["a"], "read 20M 4k")
        self.stop(self.servers["shared"], signal.SIGKILL)
        wait_for(lambda: "(shared image)': server away" in self.log_of(leat), 10, self.log_of(leat))
        self.qemu_io(leat.uris["a"], "read -P 0xaa 1M 64k", "write -P 0xab 1M 64k", "flush", "read -P 0xab 1M 64k")
        self.assertIn("Input/output error", self.qemu_io(leat.uris["a"], "read 10M 4k", ok=False).stdout)
        self.serve_image()
        wait_for(lambda: "(shared image)': server back" in self.log_of(leat), 10, self.log_of(leat))
        self.qemu_io(leat.uris["a"], "read 10M 4k")
        self.stop(self.servers["a"], signal.SIGKILL)
        wait_for(lambda: "'a': server away" in self.log_of(leat), 10, self.log_of(leat))
        self.qemu_io(leat.uris["a"], "read 11M 4k")
        self.assertIn("Input/output error", self.qemu_io(leat.uris["a"], "write 10M 4k", ok=False).stdout)

    def refused(self, *words):
        """It ends if that is known before it serves, else nothing can be read from it."""
        leat = self.composed("a", wait=False)
        wait_for(lambda: "disk 'a': failed" in self.log_of(leat), 10, "refused", lambda: self.log_of(leat))
        if can_connect(self.path("leat-a")):
            self.assertIn("Input/output error", self.qemu_io(leat.uris["a"], "read 10M 4k", ok=False).stdout)
        self.stop(leat)
        failed = [x for x in self.log_of(leat).splitlines() if "disk 'a': failed" in x]
        self.assertEqual(len(failed), 1, self.log_of(leat))
        for word in words:
            self.assertIn(word, failed[0])

    def test_exports_that_do_not_belong_together(self):
        self.serve_image()
        self.layer("a", SIZE + MIB)
        self.serve_layer("a")
        self.refused("'a'", "'shared'", str(SIZE), str(SIZE + MIB))
        self.stop(self.servers["a"])
        self.layer("a")
        self.serve_layer("a", "-r")
        self.refused("'a'", "'shared'", "read-only")
        self.stop(self.servers["a"])
        self.image = self.make_file("another", SIZE, seed=2)
        self.layer("a")
        self.serve_layer("a")
        self.refused("'a'", "'shared'", "they differ")

    def test_server_that_tells_no_depth(self):
        self.layer("a")
        self.serve_image()
        self.qemu_nbd("a", self.path("a.qcow2"))  # without -A
        leat = self.composed("a")
        self.qemu_io(leat.uris["a"], "write -P 1 1M 64k", "read -P 1 1M 64k")
        self.assertIn("nothing is shared", self.log_of(leat))
        self.run_tool("nbdcopy", leat.uris["a"], self.path("out"))
        counts = self.last_counts(leat)["a"]
        self.assertEqual(self.fetched(counts["shared"]), 0)
        self.assertGreaterEqual(self.fetched(counts), SIZE - MIB)

    def test_layer_told_by_holes(self):
        """A server that calls what is the image's a hole, without saying that it reads as zeros."""
        with open(self.image, "rb") as f:
            whole = bytearray(f.read())
        whole[SIZE // 2:] = bytes([0xcc]) * (SIZE // 2)
        view = self.path("view")
        with open(view, "wb") as f:
            f.write(whole)
        self.serve_image()
        self.serve("eval", "get_size=echo 32M", "can_write=exit 0", "can_flush=exit 0", "flush=exit 0", "can_extents=exit 0",
                   f"pread=dd status=none if={view} skip=$4 count=$3 iflag=count_bytes,skip_bytes",
                   f"pwrite=dd status=none of={view} seek=$4 conv=notrunc oflag=seek_bytes",
                   "extents=echo 0 16M hole; echo 16M 16M", name="a.server")
        for options, is_shared in ((("--client-holes",), True), ((), False)):
            leat = self.composed("a", *options, name=f"leat{is_shared}")
            self.qemu_io(leat.uris["a"], "write -P 0xdd 1M 4k", "flush", "read -P 0xdd 1M 4k", "read 2M 4M",
                         "read -P 0xcc 20M 64k")
            counts = self.last_counts(leat)["a"]
            self.assertEqual(self.fetched(counts["shared"]) >= 4 * MIB, is_shared)
            self.assertEqual(self.fetched(counts) >= 4 * MIB, not is_shared)
        self.check_unchanged()

    def test_profile_is_the_images(self):
        """The boot of one client is streamed to the next, from the shared image."""
        for c in "ab":
            self.layer(c)
        self.serve_image()
        for c in "ab":
            self.serve_layer(c)
        options = "--profile", self.path("profile"), "--quiet", "1"
        first = self.composed("a", *options)
        self.qemu_io(first.uris["a"], "read 3M 64k", "read 7M 300k", "read 100k 4k")
        wait_for(lambda: os.path.exists(self.path("profile")), 10, "the boot ends")
        self.stop(first)
        second = self.composed("b", *options, name="second")
        wait_for(lambda: self.counters(second)["shared"]["sources"]["profile"]["bytes"] == (64 + 300 + 4) << 10, 10,
                 "the profile is streamed")
        self.qemu_io(second.uris["b"], "read 7M 300k")
        self.assertEqual(self.last_counts(second)["b"]["shared"]["sources"]["profile"]["used_bytes"], 300 << 10)


if __name__ == "__main__":
    vdisk_case.main(__doc__)
