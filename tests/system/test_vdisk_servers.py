#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The streaming engine, as leat-nbd, between real NBD servers and real NBD clients.

usage: test_vdisk_servers.py LEAT_NBD [TestClass.test_name ...]
Needs nbdkit, qemu-nbd, nbd-server, nbdinfo, nbdcopy, nbddump, qemu-io, qemu-img, fio; no root, Unix sockets and loopback only.
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

import vdisk_case
from vdisk_case import MIB, NBD_CACHE, Case, RawClient, can_connect, free_port, wait_for


class Servers(Case):
    def test_nbdkit_file(self):
        image = self.make_file("image", 40 * MIB)
        _, uri = self.serve("file", image)
        self.copy_both_ways(uri, "", image)

    def test_nbdkit_simple_replies(self):
        image = self.make_file("image", 20 * MIB + 512)
        _, uri = self.serve("file", image, flags=["--no-sr"])
        self.copy_both_ways(uri, "", image)

    def test_nbdkit_block_sizes(self):
        image = self.make_file("image", 20 * MIB)
        _, uri = self.serve("--filter=blocksize-policy", "file", image, "blocksize-minimum=4096",
                            "blocksize-preferred=4096", "blocksize-maximum=64K", "blocksize-error-policy=error")
        self.copy_both_ways(uri, "", image)

    def test_nbdkit_sparse(self):
        _, uri = self.serve("memory", "64M")
        leat = self.leat(uri)
        self.run_tool("qemu-io", "-f", "raw", "-c", "read -P 0 0 64M", "-c", "write -P 7 12345k 64k",
                      "-c", "read -P 7 12345k 64k", "-c", "read -P 0 20M 4M", leat.uri)

    def test_qemu_nbd(self):
        image = self.make_file("image", 40 * MIB)
        path = self.path("server")
        p = self.spawn("qemu-nbd", "-t", "-f", "raw", "-k", path, "-x", "root1", "--discard=unmap",
                       "--detect-zeroes=off", "-e", "4", image)
        wait_for(lambda: os.path.exists(path), 10, self.log_of(p))
        self.copy_both_ways(f"unix:{path}", "root1", image)

    def test_nbd_server(self):
        image = self.make_file("image", 40 * MIB)
        port = free_port()
        with open(self.path("config"), "w") as f:
            f.write(f"[generic]\nport={port}\nlistenaddr=127.0.0.1\n[root1]\nexportname={image}\n"
                    "flush=true\nfua=true\ntrim=false\n")
        p = self.spawn("nbd-server", "-C", self.path("config"), "-p", self.path("pid"))

        def is_up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_for(is_up, 10, self.log_of(p))
        try:
            self.copy_both_ways(f"127.0.0.1:{port}", "root1", image)
        finally:
            with open(self.path("pid")) as f:
                os.kill(int(f.read()), signal.SIGTERM)

    def test_unknown_export(self):
        image = self.make_file("image", MIB)
        path = self.path("server")
        p = self.spawn("qemu-nbd", "-t", "-f", "raw", "-k", path, "-x", "root1", image)
        wait_for(lambda: os.path.exists(path), 10, self.log_of(p))
        leat = self.leat(f"unix:{path}", "nothing", wait=False)
        wait_for(lambda: "no such export" in self.log_of(leat), 10, self.log_of(leat))

    def test_not_an_nbd_server(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            leat = self.leat(f"127.0.0.1:{s.getsockname()[1]}", "", wait=False)
            c, _ = s.accept()
            c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            wait_for(lambda: "not an NBD server" in self.log_of(leat), 10, self.log_of(leat))
            c.close()

    def test_server_comes_late(self):
        image = self.make_file("image", MIB)
        leat = self.leat(f"unix:{self.path('server')}", wait=False)
        wait_for(lambda: "try 1" in self.log_of(leat), 10, self.log_of(leat))
        self.serve("file", image)
        wait_for(lambda: can_connect(self.path("leat")), 10, self.log_of(leat))
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.same_files(image, self.path("out"))


class Clients(Case):
    """Other people's clients find nothing strange."""

    def setUp(self):
        super().setUp()
        self.image = self.make_file("image", 8 * MIB)
        self.server, uri = self.serve("file", self.image)
        self.client = self.leat(uri)

    def test_nbdinfo(self):
        info = json.loads(self.run_tool("nbdinfo", "--no-content", "--json", self.client.uri).stdout)["exports"][0]
        self.assertEqual(info["export-size"], 8 * MIB)
        for ability in ("can_cache", "can_flush", "can_fua", "can_multi_conn", "can_trim", "can_zero"):
            self.assertTrue(info[ability], ability)
        self.run_tool("nbdinfo", "--list", self.client.uri)

    def test_nbddump(self):
        self.assertIn("0000000000", self.run_tool("nbddump", "--length=4096", self.client.uri).stdout)

    def test_qemu_img(self):
        self.run_tool("qemu-img", "compare", "-f", "raw", "-F", "raw", self.client.uri, self.image)
        self.run_tool("qemu-img", "convert", "-f", "raw", "-O", "qcow2", self.client.uri, self.path("copy"))
        self.run_tool("qemu-img", "compare", "-f", "qcow2", "-F", "raw", self.path("copy"), self.client.uri)

    def test_qemu_block_driver(self):
        """qcow2 on top of leat-nbd: an image format's own pattern of writes and flushes."""
        self.run_tool("qemu-img", "create", "-f", "qcow2", self.client.uri, "4M")
        self.run_tool("qemu-io", "-f", "qcow2", "-c", "write -P 5 1M 300k", "-c", "discard 1100k 64k", "-c", "flush",
                      "-c", "read -P 5 1M 64k", self.client.uri)
        self.run_tool("qemu-img", "check", "-f", "qcow2", self.client.uri)

    def test_cache_command(self):
        with RawClient(self.path("leat")) as client:
            self.assertEqual(client.command(NBD_CACHE, MIB, MIB), 0)
            self.stop(self.server, signal.SIGKILL)
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 1M 1M", self.client.uri, timeout=10)


class BootProfile(Case):
    """leat-nbd --profile: recorded at the first start, streamed at the next."""

    READS = ["read 3M 64k", "read 100k 4k", "read 7M 300k", "read 3M 8k"]
    BYTES = (64 + 4 + 300) << 10

    def counts(self, leat):
        self.stop(leat)
        return json.loads([line for line in self.log_of(leat).splitlines() if line.startswith("{")][-1])

    def start(self, name, *options):
        leat = self.leat(self.uri, "", "--profile", self.path("profile"), *options, name=name)
        return leat

    def read(self, leat):
        self.run_tool("qemu-io", "-r", "-f", "raw", *[word for line in self.READS for word in ("-c", line)], leat.uri)

    def test_two_boots(self):
        image = self.make_file("image", 16 * MIB)
        _, self.uri = self.serve("file", image)
        first = self.start("one", "--quiet", "1")
        self.read(first)
        wait_for(lambda: os.path.exists(self.path("profile")), 10, "nothing new for a second ends the boot")
        known = os.path.getsize(self.path("profile"))
        self.assertEqual(self.counts(first)["profile"]["bytes"], self.BYTES)
        second = self.start("two")
        wait_for(lambda: self.counters(second)["sources"]["profile"]["bytes"] == self.BYTES, 30, "it is streamed")
        self.read(second)
        counts = self.counts(second)
        self.assertEqual(counts["sources"]["profile"]["bytes"], self.BYTES)
        self.assertEqual(counts["sources"]["profile"]["used_bytes"], self.BYTES)
        self.assertLessEqual(counts["sources"]["demand"]["bytes"], 8192, "what qemu-io itself wants of the image")
        self.assertEqual(counts["sources"]["around"]["bytes"], 0)
        self.assertEqual(counts["profile"]["boots"], 2)
        self.assertLess(os.path.getsize(self.path("profile")), known + 200)
        self.assertFalse(os.path.exists(self.path("profile.new")))

    def test_damaged(self):
        image = self.make_file("image", 16 * MIB)
        _, self.uri = self.serve("file", image)
        first = self.start("one")
        self.read(first)
        self.stop(first)
        with open(self.path("profile"), "r+b") as f:
            f.seek(50)
            f.write(b"\xff")
        second = self.start("two")
        self.read(second)
        self.run_tool("nbdcopy", second.uri, self.path("copy"))
        self.same_files(image, self.path("copy"))
        self.assertIn("it is damaged; this boot makes a new one", self.log_of(second))
        self.assertEqual(self.counts(second)["profile"]["boots"], 1)
        self.stop(self.start("three"))
        with open(self.path("profile"), "rb") as f:
            self.assertEqual(f.read(8), b"LEATPROF")

    def test_counters_on_a_signal(self):
        image = self.make_file("image", MIB)
        _, self.uri = self.serve("file", image)
        leat = self.start("one")
        self.run_tool("nbdcopy", leat.uri, "null:")
        leat.send_signal(signal.SIGUSR1)
        wait_for(lambda: "}\n" in self.log_of(leat), 10, "SIGUSR1 prints counters")
        counts = json.loads([line for line in self.log_of(leat).splitlines() if line.startswith("{")][-1])
        self.assertEqual(counts["ram_bytes"] + counts["network_bytes"], MIB)
        self.assertEqual(sum(counts["latency_us_log2"]), counts["requests"])
        self.assertGreater(counts["rtt_us"], 0)


class Semantics(Case):
    def test_patterns(self):
        """qemu-io writes, zeroes, discards with all alignments and verifies, then on the server itself."""
        image = self.make_file("image", 16 * MIB)
        _, uri = self.serve("file", image)
        leat = self.leat(uri)
        rng = random.Random(3)
        with open(image, "rb") as f:
            expected = bytearray(f.read())
        commands = []
        for i in range(300):
            offset = rng.randrange(0, 4 * MIB) // 512 * 512
            length = max(512, int(rng.choice([512, 4096, 65536, 300000])) // 512 * 512)
            kind = rng.randrange(4)
            pattern = rng.randrange(1, 256)
            if kind < 2:
                fua = "-f " if rng.randrange(4) == 0 else ""
                commands.append(f"write {fua}-P {pattern} {offset} {length}")
                expected[offset:offset + length] = bytes([pattern]) * length
                commands.append(f"read -P {pattern} {offset} {length}")
            elif kind == 2:
                commands.append(f"write -z {offset} {length}")
                expected[offset:offset + length] = bytes(length)
                commands.append(f"read -P 0 {offset} {length}")
            else:
                commands.append("flush")
        script = self.path("script")
        with open(script, "w") as f:
            f.write("\n".join(commands) + "\n")
        with open(script) as f:
            r = subprocess.run(["qemu-io", "-f", "raw", leat.uri], stdin=f, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=120)
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertNotIn("verification failed", r.stdout)
        self.assertNotIn("rror", r.stdout)
        self.stop(leat)
        with open(image, "rb") as f:
            self.assertEqual(f.read(), bytes(expected))

    def test_ram_mode_leaves_the_image(self):
        image = self.make_file("image", 16 * MIB)
        before = self.make_file("before", 16 * MIB)
        source = self.make_file("source", 16 * MIB, seed=5)
        _, uri = self.serve("file", image)
        leat = self.leat(uri, "", "--mode", "ram")
        self.run_tool("nbdcopy", "--flush", source, leat.uri)
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.same_files(source, self.path("out"))
        self.stop(leat)
        self.same_files(before, image)

    def test_full_overlay(self):
        image = self.make_file("image", 16 * MIB)
        _, uri = self.serve("file", image)
        leat = self.leat(uri, "", "--mode", "ram", "--overlay", str(4 * MIB))
        r = self.run_tool("qemu-io", "-f", "raw", "-c", "write -P 1 0 8M", leat.uri, ok=False)
        self.assertIn("Input/output error", r.stdout)
        self.assertIn("overlay of 4 MiB is full", self.log_of(leat))

    def test_read_only(self):
        image = self.make_file("image", MIB)
        _, uri = self.serve("file", image, flags=["-r"])
        leat = self.leat(uri)
        self.assertIn("is_read_only: true", self.run_tool("nbdinfo", leat.uri).stdout)

    def test_server_error_is_an_error(self):
        image = self.make_file("image", 4 * MIB)
        trigger = self.path("trigger")
        _, uri = self.serve("--filter=error", "file", image, "error-pread=EIO", "error-pread-rate=100%",
                            f"error-pread-file={trigger}")
        leat = self.leat(uri)
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 0 64k", leat.uri)
        open(trigger, "w").close()
        r = self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 1M 64k", leat.uri, ok=False)
        self.assertIn("Input/output error", r.stdout)
        os.unlink(trigger)
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 1M 64k", leat.uri)

    def test_cache_hits_need_no_server(self):
        image = self.make_file("image", 8 * MIB)
        server, uri = self.serve("file", image)
        leat = self.leat(uri)
        self.run_tool("nbdcopy", leat.uri, self.path("cold"))
        self.stop(server, signal.SIGKILL)
        self.run_tool("nbdcopy", leat.uri, self.path("warm"), timeout=20)
        self.same_files(image, self.path("warm"))

    def test_many_in_flight(self):
        """With 50 ms for each request, 32 MiB in one minute can only come many at a time."""
        image = self.make_file("image", 32 * MIB)
        _, uri = self.serve("--filter=delay", "file", image, "rdelay=50ms", flags=["-t", "64"])
        leat = self.leat(uri)
        start = time.monotonic()
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.assertLess(time.monotonic() - start, 8)
        self.same_files(image, self.path("out"))


class Outages(Case):
    def restart_while(self, process, image, *extra):
        """Kills and restarts the server again and again until the process ends."""
        kills = 0
        while process.poll() is None:
            time.sleep(0.4)
            if process.poll() is not None:
                break
            self.stop(self.server, signal.SIGKILL)
            kills += 1
            time.sleep(0.1)
            self.server, _ = self.serve(*extra, "file", image, "rate=40M")
        self.assertEqual(process.returncode, 0, self.log_of(process))
        self.assertGreater(kills, 1, "the copy was over before the server was killed twice")

    def test_read_over_restarts(self):
        image = self.make_file("image", 32 * MIB)
        self.server, uri = self.serve("--filter=rate", "file", image, "rate=40M")
        leat = self.leat(uri)
        copy = self.spawn("nbdcopy", leat.uri, self.path("out"))
        self.restart_while(copy, image, "--filter=rate")
        self.same_files(image, self.path("out"))

    def test_write_over_restarts(self):
        image = self.make_file("image", 32 * MIB)
        source = self.make_file("source", 32 * MIB, seed=9)
        self.server, uri = self.serve("--filter=rate", "file", image, "rate=40M")
        leat = self.leat(uri, "", "--unflushed", str(8 * MIB))
        copy = self.spawn("nbdcopy", "--flush", source, leat.uri)
        self.restart_while(copy, image, "--filter=rate")
        self.stop(leat)
        self.same_files(source, image)

    def test_verify_over_restarts(self):
        """fio writes and verifies at random, with flushes, while the server is killed and restarted."""
        image = self.make_file("image", 16 * MIB)
        self.server, uri = self.serve("file", image)
        leat = self.leat(uri, "", "--cache", str(4 * MIB))
        fio = self.spawn("fio", "--name=verify", "--ioengine=nbd", f"--uri={leat.uri}", "--rw=randwrite", "--size=16M",
                         "--bsrange=4k-64k", "--iodepth=16", "--fsync=20", "--verify=crc32c", "--verify_backlog=64",
                         "--verify_state_save=0", "--loops=3", "--rate_iops=600", "--randseed=5")
        kills = 0
        while fio.poll() is None:
            time.sleep(0.6)
            self.stop(self.server, signal.SIGKILL)
            kills += 1
            self.server, _ = self.serve("file", image)
        self.assertEqual(fio.returncode, 0, self.log_of(fio))
        self.assertIn("err= 0", self.log_of(fio))
        self.assertGreater(kills, 4, self.log_of(fio))

    def test_unflushed_writes_are_sent_again(self):
        """The server loses its volatile cache at a restart: what was written comes again."""
        self.make_file("base", 8 * MIB)
        shutil.copy(self.path("base"), self.path("image"))
        self.server, uri = self.serve("file", self.path("image"))
        leat = self.leat(uri)
        self.run_tool("qemu-io", "-f", "raw", "-t", "none", "-c", "write -P 9 1M 64k", leat.uri)
        # qemu-io flushes when it closes; so write by hand, without.
        with RawClient(self.path("leat")) as client:
            self.assertEqual(client.write(2 * MIB, b"\x55" * 4096), 0)
            self.stop(self.server, signal.SIGKILL)
            with open(self.path("image"), "r+b") as f:
                f.seek(2 * MIB)
                f.write(b"\0" * 4096)  # what the power cut has left
            self.server, _ = self.serve("file", self.path("image"))
            wait_for(lambda: "server back" in self.log_of(leat), 10, self.log_of(leat))
            self.assertEqual(client.flush(), 0)
        with open(self.path("image"), "rb") as f:
            f.seek(2 * MIB)
            self.assertEqual(f.read(4096), b"\x55" * 4096)

    def test_silent_server(self):
        # qemu-nbd: nbdkit 1.32 aborts now and then when a client leaves with reads under way.
        image = self.make_file("image", 4 * MIB)
        path = self.path("server")
        self.server = self.spawn("qemu-nbd", "-t", "-f", "raw", "-k", path, "-x", "", "-e", "8", image)
        wait_for(lambda: can_connect(path), 30, "qemu-nbd starts")
        leat = self.leat(f"unix:{path}", "", "--silence", "1")
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 0 4k", leat.uri)
        self.server.send_signal(signal.SIGSTOP)
        copy = self.spawn("nbdcopy", leat.uri, self.path("out"))
        wait_for(lambda: "silent" in self.log_of(leat), 30, self.log_of(leat))
        self.server.send_signal(signal.SIGCONT)
        copy.wait(timeout=60)
        self.assertEqual(copy.returncode, 0)
        self.same_files(image, self.path("out"))

    def check_other_size(self, size):
        image = self.make_file("image", 4 * MIB)
        self.server, uri = self.serve("file", image)
        leat = self.leat(uri)
        self.stop(self.server, signal.SIGKILL)
        os.truncate(image, size)
        self.serve("file", image)
        wait_for(lambda: re.search(r"failed: the export's size was \d+ bytes and is", self.log_of(leat)), 15,
                 self.log_of(leat))
        r = self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 1M 4k", leat.uri, ok=False)
        self.assertIn("Input/output error", r.stdout)

    def test_larger_than_before(self):
        self.check_other_size(8 * MIB)

    def test_smaller_than_before(self):
        self.check_other_size(2 * MIB)


if __name__ == "__main__":
    vdisk_case.main(__doc__)
