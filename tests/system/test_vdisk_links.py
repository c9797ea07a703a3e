#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the NBD client makes of its servers' abilities and failings: holes, block sizes, fail-over,
silence, another image.

usage: test_vdisk_links.py LEAT_NBD [TestClass.test_name ...]
Needs what test_vdisk_servers.py needs.
"""
import re
import shutil
import signal
import socket
import time

import vdisk_case
from vdisk_case import MIB, Case, free_port, wait_for


class Holes(Case):
    def sparse_image(self):
        """64 MiB with 3 pieces of data; the second is not aligned to anything."""
        path = self.path("image")
        with open(path, "wb") as f:
            f.truncate(64 * MIB)
            for offset, size in ((0, 65536), (20 * MIB + 1000, 70000), (63 * MIB, MIB)):
                f.seek(offset)
                f.write(b"\x5a" * size)
        return path

    def read_all(self, leat, image):
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.same_files(image, self.path("out"))
        return self.counters(leat)

    def test_holes_are_not_fetched(self):
        image = self.sparse_image()
        _, uri = self.serve("file", image)
        leat = self.leat(uri, "", "--mode", "ram")
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read -P 0x5a 0 4k", leat.uri)  # the map has come now
        counts = self.read_all(leat, image)
        self.assertGreater(counts["hole_bytes"], 60 << 20)
        self.assertLess(counts["network_bytes"], 2 << 20)

    def test_large_image(self):
        """70 GiB: more than is asked about unasked; data over the borders of bitmaps and of questions."""
        gib = 1 << 30
        places = [0, 128 * MIB - 4096, gib - 8192, 5 * gib + 12288, 64 * gib - 4096, 69 * gib + 128 * MIB - 8192]
        with open(self.path("image"), "wb") as f:
            f.truncate(70 * gib + 512)
            for i, place in enumerate(places):
                f.seek(place)
                f.write(bytes([i + 1]) * 16384)
        _, uri = self.serve("file", self.path("image"))
        leat = self.leat(uri, "", "--mode", "ram")
        for _ in range(2):  # in the second round every map is there
            commands = [f"read -P {i + 1} {place} 16k" for i, place in enumerate(places)]
            commands += [f"read -P 0 {place + 16384} {100 * MIB}" for place in places]
            commands += [f"read -P 0 {70 * gib} 512", f"read -P 0 {69 * gib + 900 * MIB} 124M"]
            self.run_tool("qemu-io", "-f", "raw", "-r", *[x for c in commands for x in ("-c", c)], leat.uri)
        counts = self.counters(leat)
        self.assertGreater(counts["hole_bytes"], 700 << 20)
        self.assertGreater(counts["hole_bytes"], 10 * counts["network_bytes"])

    def test_server_without_extents(self):
        image = self.sparse_image()
        _, uri = self.serve("--filter=noextents", "file", image)
        leat = self.leat(uri, "", "--mode", "ram")
        counts = self.read_all(leat, image)
        self.assertEqual(counts["hole_bytes"], 0)

    def test_qemu_nbd_holes(self):
        image = self.sparse_image()
        path = self.path("server")
        p = self.spawn("qemu-nbd", "-t", "-f", "raw", "-k", path, "-x", "root1", "-r", image)
        wait_for(lambda: vdisk_case.can_connect(path), 10, self.log_of(p))
        leat = self.leat(f"unix:{path}", "root1", "--mode", "ram")
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read -P 0x5a 0 4k", leat.uri)
        self.assertGreater(self.read_all(leat, image)["hole_bytes"], 60 << 20)

    def test_own_writes_are_no_holes(self):
        """In mode private a hole that was written to, discarded or zeroed shows what is there now."""
        image = self.sparse_image()
        _, uri = self.serve("file", image)
        leat = self.leat(uri)
        self.run_tool("qemu-io", "-f", "raw", "-c", "read -P 0 30M 1M", "-c", "write -P 7 30M 100k",
                      "-c", "write -P 8 40000k 5k", "-c", "write -z 30730k 4k", leat.uri)
        for i in range(1, 3):  # through the cache, and again by an engine that knows nothing
            self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read -P 7 30M 8k", "-c", "read -P 0 30730k 4k",
                          "-c", "read -P 8 40000k 5k", "-c", "read -P 0 40005k 1M", leat.uri)
            self.stop(leat)
            leat = self.leat(uri, name=f"leat{i}")


class BlockSizes(Case):
    def serve_sizes(self, image, least, most):
        return self.serve("--filter=blocksize-policy", "file", image, f"blocksize-minimum={least}",
                          f"blocksize-preferred={least}", f"blocksize-maximum={most}", "blocksize-error-policy=error")[1]

    def check_reads(self, least, most):
        image = self.make_file("image", 20 * MIB)
        leat = self.leat(self.serve_sizes(image, least, most), "", "--mode", "ram", "--cache", str(4 * MIB))
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 1000k 4k", "-c", "read 1020k 70k", leat.uri)
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.same_files(image, self.path("out"))

    def test_minimum_16k(self):
        self.check_reads(16384, 32 * MIB)

    def test_minimum_64k(self):
        self.check_reads(65536, 65536)

    def test_maximum_of_no_round_number(self):
        self.check_reads(4096, 4096 * 11)

    def test_writes_below_the_minimum(self):
        """4 KiB here and there, in units of 64 KiB: what lies around stays."""
        image = self.make_file("image", 4 * MIB)
        with open(image, "rb") as f:
            expected = bytearray(f.read())
        leat = self.leat(self.serve_sizes(image, 65536, MIB))
        commands = []
        for i, (block, count) in enumerate(((0, 1), (15, 1), (16, 1), (30, 4), (100, 200), (1023, 1), (31, 2))):
            commands += ["-c", f"write -P {i + 1} {block * 4}k {count * 4}k"]
            expected[block * 4096:(block + count) * 4096] = bytes([i + 1]) * (count * 4096)
        self.run_tool("qemu-io", "-f", "raw", *commands, leat.uri)
        self.stop(leat)
        with open(image, "rb") as f:
            self.assertTrue(f.read() == bytes(expected))


class FailOver(Case):
    def read_in_the_middle(self, leat, image, between):
        """The first half, then `between`, then all."""
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 0 2M", leat.uri)
        between()
        self.run_tool("nbdcopy", leat.uri, self.path("out"), timeout=30)
        self.same_files(image, self.path("out"))

    def test_second_server(self):
        image = self.make_file("image", 16 * MIB)
        first, a = self.serve("file", image, name="a")
        _, b = self.serve("file", image, name="b")
        leat = self.leat(f"{a},{b}", "", "--mode", "ram")
        self.read_in_the_middle(leat, image, lambda: self.stop(first, signal.SIGKILL))
        self.assertIn("server back", self.log_of(leat))

    def test_first_server_is_never_there(self):
        image = self.make_file("image", 4 * MIB)
        _, b = self.serve("file", image, name="b")
        start = time.monotonic()
        leat = self.leat(f"127.0.0.1:{free_port()},unix:{self.path('nothing')},{b}", "")
        self.assertLess(time.monotonic() - start, 2)
        self.read_in_the_middle(leat, image, lambda: None)

    def test_first_server_does_not_answer(self):
        """It takes connections and says nothing."""
        image = self.make_file("image", 4 * MIB)
        _, b = self.serve("file", image, name="b")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            leat = self.leat(f"127.0.0.1:{s.getsockname()[1]},{b}", "")
            self.read_in_the_middle(leat, image, lambda: None)

    def test_writes_go_on_at_the_second(self):
        """Two servers of the same file: what the first had not flushed comes again to the second."""
        image = self.make_file("image", 16 * MIB)
        source = self.make_file("source", 16 * MIB, seed=4)
        servers = [self.serve("--filter=rate", "file", image, "rate=16M", name=n) for n in "ab"]
        leat = self.leat(",".join(uri for _, uri in servers))
        copy = self.spawn("nbdcopy", "--flush", source, leat.uri)
        time.sleep(1)
        self.stop(servers[0][0], signal.SIGKILL)
        self.assertEqual(copy.wait(timeout=60), 0, self.log_of(copy))
        self.stop(leat)
        self.assertIn("server back", self.log_of(leat))
        self.same_files(source, image)


class Patience(Case):
    def test_idle_connection_is_tried(self):
        image = self.make_file("image", 4 * MIB)
        server, uri = self.serve("file", image)
        leat = self.leat(uri, "", "--idle", "1", "--silence", "1")
        time.sleep(3)
        self.assertNotIn("away", self.log_of(leat))
        server.send_signal(signal.SIGSTOP)
        wait_for(lambda: "owes answers and is silent" in self.log_of(leat), 10, self.log_of(leat))
        server.send_signal(signal.SIGCONT)
        wait_for(lambda: "server back" in self.log_of(leat), 20, self.log_of(leat))

    def test_give_up(self):
        image = self.make_file("image", 4 * MIB)
        server, uri = self.serve("file", image)
        leat = self.leat(uri, "", "--give-up", "2")
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 0 64k", leat.uri)
        self.stop(server, signal.SIGKILL)
        for command in ("read 1M 64k", "write -P 3 2M 64k"):
            start = time.monotonic()
            r = self.run_tool("qemu-io", "-f", "raw", "-c", command, leat.uri, ok=False, timeout=20)
            self.assertIn("Input/output error", r.stdout)
            self.assertLess(time.monotonic() - start, 6)
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 0 64k", leat.uri)  # the cache has it
        self.assertIn("requests fail with I/O errors", self.log_of(leat))
        self.serve("file", image)
        wait_for(lambda: "server back" in self.log_of(leat), 20, self.log_of(leat))
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 1M 64k", leat.uri)


class Connections(Case):
    def count(self, *parameters, filters=(), options=(), write=False):
        """Copies an image, and counts the connections that the server has seen."""
        image = self.make_file("image", 32 * MIB)
        log = self.path("connections")
        _, uri = self.serve("--filter=log", *filters, "--filter=delay", "file", image, f"logfile={log}",
                            "delay-read=10ms", "delay-write=10ms", *parameters)
        leat = self.leat(uri, "", *options)
        if write:
            source = self.make_file("source", 32 * MIB, seed=8)
            self.run_tool("nbdcopy", "--flush", source, leat.uri)
            self.stop(leat)
            self.same_files(source, image)
        else:
            self.run_tool("nbdcopy", leat.uri, self.path("out"))
            self.same_files(image, self.path("out"))
        with open(log) as f:
            return len(set(re.findall(r"connection=(\d+)", f.read())))

    def test_several(self):
        self.assertEqual(self.count(), 4)

    def test_several_for_writes(self):
        self.assertEqual(self.count(write=True), 4)

    def test_not_wanted(self):
        self.assertEqual(self.count(options=("--connections", "1")), 1)

    def test_not_allowed(self):
        self.assertEqual(self.count("multi-conn-mode=disable", filters=["--filter=multi-conn"]), 1)

    def test_server_takes_only_one(self):
        image = self.make_file("image", 16 * MIB)
        path = self.path("server")
        p = self.spawn("qemu-nbd", "-t", "-f", "raw", "-k", path, "-x", "root1", "-r", "-e", "1", image)
        wait_for(lambda: vdisk_case.can_connect(path), 10, self.log_of(p))
        leat = self.leat(f"unix:{path}", "root1")
        self.run_tool("nbdcopy", leat.uri, self.path("out"), timeout=30)
        self.same_files(image, self.path("out"))


class Limits(Case):
    """What a client gets in two seconds; a slow machine gets less, never more."""

    def check_limit(self, option, rate, block, cost):
        """That much a second; each request of a client that is always ahead costs so much of it."""
        _, uri = self.serve("memory", "64M")
        leat = self.leat(uri, "", "--mode", "ram", option, str(rate))
        begin = time.monotonic()
        self.run_tool("fio", "--name=x", "--ioengine=nbd", f"--uri={leat.uri}", "--rw=randrw", f"--bs={block}", "--iodepth=16",
                      "--size=8M", "--time_based", "--runtime=2", "--norandommap")
        seconds = time.monotonic() - begin
        counters = self.counters(leat)
        self.assertGreater(counters["held"], 0)
        self.assertGreater(counters["requests"] * cost, 1.2 * rate)
        # vdisk/limit.h: what is due for the time, a burst of 0.1 s, and one request ahead.
        self.assertLessEqual(counters["requests"] * cost, rate * (seconds + 0.1) + cost)

    def test_iops(self):
        self.check_limit("--iops", 500, "4k", 1)

    def test_bandwidth(self):
        self.check_limit("--bandwidth", 4 * MIB, "64k", 65536)


class AnotherImage(Case):
    def swap(self, *options, seed):
        image = self.make_file("image", 4 * MIB)
        server, uri = self.serve("file", image)
        leat = self.leat(uri, "", *options)
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 0 64k", leat.uri)
        self.stop(server, signal.SIGKILL)
        shutil.move(self.make_file("other", 4 * MIB, seed=seed), image)
        self.serve("file", image)
        return leat

    def test_same_size_other_content(self):
        leat = self.swap("--mode", "ram", seed=2)
        wait_for(lambda: "failed: the export's content is not what it was: another image?" in self.log_of(leat), 15,
                 self.log_of(leat))
        r = self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 1M 4k", leat.uri, ok=False)
        self.assertIn("Input/output error", r.stdout)

    def test_same_content(self):
        leat = self.swap("--mode", "ram", seed=1)
        wait_for(lambda: "server back" in self.log_of(leat), 15, self.log_of(leat))
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 1M 4k", leat.uri)


if __name__ == "__main__":
    vdisk_case.main(__doc__)
