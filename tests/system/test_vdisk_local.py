#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: test_vdisk_local.py LEAT_NBD [TestClass.test_name ...]

Modes local and ram with a local store through leat-nbd: what was written is there after kill -9, a full store, another base
image, an overlay that is too small."""
import os
import random
import signal
import threading
import time

import vdisk_case
from vdisk_case import MIB, NBD_FUA, NBD_TRIM, RawClient

BLOCK = 4096


class Local(vdisk_case.Case):
    def local(self, server, *options, name="leat", store="64M"):
        return self.leat(server, "", "--store", f"{self.path('store')}:{store}", "--mode", "local", "--name", "vm/root",
                         *options, name=name)

    def client(self):
        client = RawClient(self.path("leat"))
        self.addCleanup(client.socket.close)
        return client

    def kill(self, leat, name="leat"):
        self.stop(leat, signal.SIGKILL)
        os.unlink(self.path(name))

    def test_killed_in_the_middle_of_writing(self):
        image = self.make_file("image", 8 * MIB)
        with open(image, "rb") as f:
            base = f.read()
        _, server = self.serve("file", image, flags=("-r",))
        chance = random.Random(11)
        blocks = 8 * MIB // BLOCK
        allowed = [[base[i * BLOCK:(i + 1) * BLOCK]] for i in range(blocks)]  # oldest first; the first is durable
        for _ in range(6):
            leat = self.local(server)
            client = self.client()
            threading.Timer(0.1 + chance.random() * 0.7, lambda: leat.send_signal(signal.SIGKILL)).start()
            acknowledged = [len(versions) - 1 for versions in allowed]
            try:
                while True:
                    i = chance.randrange(blocks)
                    data = chance.randbytes(8) * (BLOCK // 8)
                    allowed[i].append(data)
                    is_durable = chance.random() < 0.05
                    self.assertEqual(client.write(i * BLOCK, data, NBD_FUA if is_durable else 0), 0)
                    acknowledged[i] = len(allowed[i]) - 1
                    if is_durable:
                        allowed[i], acknowledged[i] = allowed[i][-1:], 0
                    if chance.random() < 0.05:
                        marks = list(acknowledged)
                        self.assertEqual(client.flush(), 0)
                        allowed = [versions[mark:] for versions, mark in zip(allowed, marks)]
                        acknowledged = [0] * blocks
            except OSError:
                pass
            self.kill(leat)
            leat = self.local(server)
            client = self.client()
            for i in range(0, blocks, 64):
                data = client.read(i * BLOCK, 64 * BLOCK)
                for k in range(64):
                    found = data[k * BLOCK:(k + 1) * BLOCK]
                    self.assertIn(found, allowed[i + k], f"block {i + k} is not what was flushed, nor newer")
                    allowed[i + k] = [found]
            self.stop(leat)
        with open(image, "rb") as f:
            self.assertEqual(f.read(), base, "the base image has changed")

    def test_file_system(self):
        """A file system that was copied in and flushed is whole after kill -9, also when the next copy was under way."""
        files = self.path("files")
        os.mkdir(files)
        for i in range(20):
            self.make_file(f"files/{i}", 100000 + i * 7000, seed=i)
        base, changed = self.make_file("base", 0), self.make_file("changed", 0)
        self.run_tool("/usr/sbin/mke2fs", "-q", "-t", "ext4", base, "32M")
        self.run_tool("/usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", files, changed, "32M")
        _, server = self.serve("file", base, flags=("-r",))
        leat = self.local(server)
        self.run_tool("nbdcopy", "--flush", changed, leat.uri)
        self.kill(leat)
        leat = self.local(server)
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.same_files(changed, self.path("out"))
        self.run_tool("/usr/sbin/e2fsck", "-fn", self.path("out"))
        copy = self.spawn("nbdcopy", base, leat.uri)
        time.sleep(0.15)
        self.kill(leat)
        copy.wait(timeout=30)
        leat = self.local(server)
        self.run_tool("nbdcopy", leat.uri, self.path("mixed"))
        with open(base, "rb") as b, open(changed, "rb") as c, open(self.path("mixed"), "rb") as m:
            while block := m.read(512):
                self.assertIn(block, (b.read(512), c.read(512)))
        self.stop(leat)

    def test_fio_verify(self):
        image = self.make_file("image", 16 * MIB)
        _, server = self.serve("file", image, flags=("-r",))
        leat = self.local(server)
        job = ("--name=v", "--ioengine=nbd", f"--uri={leat.uri}", "--rw=randwrite", "--bsrange=512-64k", "--size=16M",
               "--io_size=32M", "--iodepth=16", "--verify=crc32c", "--verify_fatal=1", "--fsync=64", "--end_fsync=1",
               f"--aux-path={self.dir}", "--randseed=3")
        self.run_tool("fio", *job, "--do_verify=1", timeout=300)
        self.stop(leat)

    def test_full(self):
        image = self.make_file("image", 32 * MIB)
        _, server = self.serve("file", image, flags=("-r",))
        leat = self.local(server, store="8M")
        client = self.client()
        data = random.Random(5).randbytes(64 << 10)
        errors = [client.write(at, data) for at in range(0, 16 * MIB, len(data))]
        self.assertIn(28, errors, "ENOSPC is said")
        first = errors.index(28)
        self.assertEqual(set(errors[:first]), {0})
        self.assertEqual(self.log_of(leat).count("the local store is full"), 1)
        self.assertEqual(client.write(0, data), 0, "what is held can be overwritten")
        self.assertEqual(client.read(0, len(data)), data)
        with open(image, "rb") as f:
            f.seek(20 * MIB)
            self.assertEqual(client.read(20 * MIB, MIB), f.read(MIB))
        counters = self.counters(leat)
        self.assertGreater(counters["difference"]["full_errors"], 0)
        self.assertEqual(client.command(NBD_TRIM, 0, first * len(data) // 2), 0)
        self.assertEqual(client.flush(), 0)
        self.assertEqual(client.write(16 * MIB, data), 0, "what was given back can be used")
        self.stop(leat)

    def test_another_base_image(self):
        image, other = self.make_file("image", 4 * MIB), self.make_file("other", 4 * MIB, seed=2)
        nbdkit, server = self.serve("file", image, flags=("-r",))
        leat = self.local(server)
        client = self.client()
        self.assertEqual(client.write(0, b"x" * BLOCK), 0)
        self.stop(leat)
        self.stop(nbdkit)
        nbdkit, server = self.serve("file", other, flags=("-r",))
        leat = self.leat(server, "", "--store", self.path("store"), "--mode", "local", "--name", "vm/root", wait=False)
        leat.wait(timeout=20)
        self.assertIn("belongs to another base image", self.log_of(leat))
        self.stop(nbdkit)
        _, server = self.serve("file", image, flags=("-r",))
        leat = self.local(server)
        self.assertEqual(self.client().read(0, BLOCK), b"x" * BLOCK)
        self.stop(leat)

    def test_ram_goes_on_in_the_store(self):
        image, source = self.make_file("image", 32 * MIB), self.make_file("source", 32 * MIB, seed=9)
        _, server = self.serve("file", image, flags=("-r",))
        options = ("--store", f"{self.path('store')}:64M", "--mode", "ram", "--overlay", str(2 * MIB))
        leat = self.leat(server, "", *options)
        self.run_tool("nbdcopy", "--flush", source, leat.uri)
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.same_files(source, self.path("out"))
        self.assertGreater(self.counters(leat)["spill"]["bytes"], 24 * MIB)
        time.sleep(6)  # all that the store knows is on the disk now
        self.kill(leat)
        leat = self.leat(server, "", *options)
        self.run_tool("nbdcopy", leat.uri, self.path("again"))
        self.same_files(image, self.path("again"))
        self.run_tool("nbdcopy", "--flush", source, leat.uri)  # there is room for it again
        self.stop(leat)


if __name__ == "__main__":
    vdisk_case.main(__doc__)
