#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_nbdkit_leat.py PLUGIN LEAT_DIFFERENCE [TestClass.test_name ...]: nbdkit with Leat's plugin, a played
leatd, and NBD clients of others."""
import errno
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import vdisk_case
from nbdkit_case import ESHUTDOWN, OTHER, TOKEN, Plugin, content_of
from vdisk_case import MIB, RawClient, wait_for

TOOL = sys.argv.pop(2)


class Shared(Plugin):
    def test_read(self):
        image = self.image()
        self.grant(path=image, size=4 * MIB)
        p = self.nbdkit()
        self.run_tool("nbdcopy", self.uri(), self.path("copy"))
        self.same_files(image, self.path("copy"))
        info = json.loads(self.run_tool("nbdinfo", "--no-content", "--json", self.uri()).stdout)["exports"][0]
        self.assertTrue(info["is_read_only"] and info["can_multi_conn"])
        self.assertEqual(self.extents(), [(0, 2 * MIB, 0), (2 * MIB, 2 * MIB, 3)])
        wait_for(lambda: self.leatd.count("close") > 0, 5, "leases are closed")
        self.stop(p)

    def test_larger_than_its_image(self):
        image = self.image()
        self.grant(path=image, size=5 * MIB)
        self.nbdkit()
        self.run_tool("nbdcopy", self.uri(), self.path("copy"))
        os.truncate(image, 5 * MIB)
        self.same_files(image, self.path("copy"))

    def test_cut(self):
        """An image that is cut while it is served: an I/O error for what is gone, again and again, and nothing else."""
        image = self.image()
        self.grant(path=image, size=4 * MIB)
        p = self.nbdkit()
        with open(image, "rb") as f:
            content = f.read()
        with RawClient(self.path("nbd"), TOKEN.encode()) as client:
            for _ in range(2):
                self.assertEqual(client.read(MIB, 65536), content[MIB:MIB + 65536])
            os.truncate(image, 65536)
            for _ in range(20):
                self.assertEqual(client.command(0, MIB, 65536), errno.EIO)
                self.assertEqual(client.read(0, 4096), content[:4096])
            with open(image, "wb") as f:
                f.write(content)
            self.assertEqual(client.read(MIB, 65536), content[MIB:MIB + 65536])
        self.stop(p)

    def test_nothing_at_all(self):
        self.grant(size=MIB)
        self.nbdkit()
        self.assertEqual(self.extents(), [(0, MIB, 3)])

    def test_write_refused(self):
        self.grant(path=self.image(), size=4 * MIB)
        self.nbdkit()
        r = self.run_tool("qemu-io", "-f", "raw", "-c", "write 0 4k", self.uri(), ok=False)
        self.assertNotEqual(r.returncode, 0)


def raw_options(path, options):
    """Sends options in the handshake, and returns the type of the first reply of each."""
    types = []
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        s.recv(18, socket.MSG_WAITALL)
        s.sendall(struct.pack(">I", 3))
        for option, data in options:
            s.sendall(b"IHAVEOPT" + struct.pack(">II", option, len(data)) + data)
            reply = s.recv(20, socket.MSG_WAITALL)
            if len(reply) < 20:
                types.append(None)
                break
            kind, length = struct.unpack(">II", reply[12:])
            types.append((kind, s.recv(length, socket.MSG_WAITALL) if length else b""))
    return types


OPT_GO, OPT_LIST, OPT_INFO = 7, 3, 6
REP_ACK, ERR_UNKNOWN, ERR_INVALID = 1, 0x80000006, 0x80000003  # INVALID: a NUL in it


class Refused(Plugin):
    def go(self, name, option=OPT_GO):
        return raw_options(self.path("nbd"), [(option, struct.pack(">I", len(name)) + name + b"\0\0")])[0]

    def test_names(self):
        """Whatever is wrong with a name, the answer is the same, and what cannot be a token is not asked for."""
        self.grant(path=self.image(), size=4 * MIB)
        self.grant(OTHER, path=self.path("nowhere"), size=4 * MIB)  # known, but cannot be opened
        self.leatd.grants["x.nonsense"] = b"[1]\n"
        self.leatd.grants["x.busy"] = {"error": "another machine writes it", "reason": "busy", "holder": "lab-02"}
        self.leatd.grants["x.writable"] = {**self.leatd.grants[TOKEN], "read_only": False}
        p = self.nbdkit()
        names = [b"", b"debian", b"x.", b"x.unknown", OTHER.encode(), b"x.nonsense", b"x.busy", b"x.writable",
                 b"A" * 4096, b"x." + b"A" * 4094, b"\xff" * 4096, b"../../etc/passwd", b"x.a\nb", b'x.a"b', b"x.a%sb"]
        answers = {self.go(name, option) for name in names for option in (OPT_GO, OPT_INFO)}
        self.assertEqual(len(answers), 1, answers)
        self.assertEqual(answers.pop()[0], ERR_UNKNOWN)
        self.assertEqual({r["token"] for r in self.leatd.asked if r["op"] == "open"},
                         {"x.unknown", OTHER, "x.nonsense", "x.busy", "x.writable"})
        log = self.log_of(p)
        self.assertIn("lab-02", log)
        self.assertNotIn(OTHER, log)
        self.run_tool("nbdinfo", "--size", self.uri())

    def test_connections(self):
        """One address has a bounded number of connections, also of those that stay in the handshake; others have theirs."""
        self.grant(path=self.image(), size=4 * MIB)
        p, port = self.nbdkit_by_tcp(parameters=["connections=8"])

        def connect(address="127.0.0.1"):
            s = socket.socket()
            s.settimeout(10)
            s.bind((address, 0))
            s.connect(("127.0.0.1", port))
            return s, s.recv(18, socket.MSG_WAITALL)
        self.run_tool("nbdinfo", "--size", f"nbd://127.0.0.1:{port}/{TOKEN}")
        for _ in range(2):
            held = [connect() for _ in range(12)]
            greeted = sum(len(greeting) == 18 for _, greeting in held)
            self.assertLessEqual(greeted, 8)
            self.assertGreaterEqual(greeted, 7)  # nbdinfo's may not have ended
            other, greeting = connect("127.0.0.2")
            self.assertEqual(len(greeting), 18)
            for s, _ in [*held, (other, b"")]:
                s.close()
            wait_for(lambda: self.run_tool("nbdinfo", "--size", f"nbd://127.0.0.1:{port}/{TOKEN}", ok=False).returncode == 0, 5,
                     "they no longer count")
        self.assertIn("as many connections as it may", self.log_of(p))
        self.stop(p)
        self.assertEqual(p.returncode, 0)

    def test_few_files(self):
        """Connections for which there are no files are refused, and nbdkit goes on."""
        self.grant(path=self.image(), size=4 * MIB)
        p, port = self.nbdkit_by_tcp(before=["prlimit", "--nofile=256:256"], parameters=["connections=0"])
        held = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(300)]
        wait_for(lambda: "LimitNOFILE" in self.log_of(p), 10, "they are refused")
        self.assertNotIn("Too many open files", self.log_of(p))
        for s in held:
            s.close()
        wait_for(lambda: self.run_tool("nbdinfo", "--size", f"nbd://127.0.0.1:{port}/{TOKEN}", ok=False).returncode == 0, 10,
                 "it serves again")

    def test_any_bytes(self):
        self.grant(path=self.image(), size=4 * MIB)
        p = self.nbdkit()
        chance = random.Random(7)
        for _ in range(200):
            name = chance.randbytes(chance.choice((1, 3, 40, 127, 128, 4096)))
            answer = self.go((b"x." if chance.random() < 0.5 else b"") + name[:4094])
            self.assertIn(answer and answer[0], (None, ERR_UNKNOWN, ERR_INVALID))
        self.assertIsNone(p.poll())
        self.run_tool("nbdinfo", "--size", self.uri())

    def test_list(self):
        self.grant(path=self.image(), size=4 * MIB)
        self.nbdkit()
        self.assertEqual(raw_options(self.path("nbd"), [(OPT_LIST, b"")]), [(REP_ACK, b"")])

    def test_size(self):
        """An image that is larger than leatd knows is another one."""
        self.grant(path=self.image(), size=2 * MIB)
        p = self.nbdkit()
        self.assertNotEqual(self.run_tool("nbdinfo", self.uri(), ok=False).returncode, 0)
        self.assertIn("bytes, and leatd knows of", self.log_of(p))

    def test_peer(self):
        """The client's address goes to leatd, without its port."""
        self.grant(path=self.image(), size=4 * MIB)
        p, port = self.nbdkit_by_tcp()
        self.run_tool("nbdinfo", "--size", f"nbd://127.0.0.1:{port}/{TOKEN}")
        self.run_tool("nbdinfo", "--size", f"nbd://[::1]:{port}/{TOKEN}")
        self.assertEqual([r["peer"] for r in self.leatd.asked if r["op"] == "open"], ["127.0.0.1", "::1"])
        self.assertIsNone(p.poll())

    def test_no_address(self):
        """A client of whom nobody knows where it comes from is not taken for one of this host."""
        self.grant(path=self.image(), size=4 * MIB)
        log = open(self.path("log"), "wb")
        with log, subprocess.Popen(["nbdkit", "-s", vdisk_case.LEAT_NBD, f"socket={self.leatd.path}"], stderr=log,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
            self.processes.append(p)
            self.assertEqual(len(p.stdout.read(18)), 18)
            name = TOKEN.encode()
            p.stdin.write(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">III", OPT_GO, len(name) + 6, len(name)) + name
                          + b"\0\0")
            p.stdin.flush()
            self.assertEqual(struct.unpack(">I", p.stdout.read(20)[12:16])[0], ERR_UNKNOWN)
            p.stdin.close()
        self.assertEqual(self.leatd.count("open"), 0)
        with open(self.path("log")) as f:
            self.assertIn("not known", f.read())

    def test_tls(self):
        """As it is run: with TLS required and a key for each client, plain text gets nothing."""
        self.grant(path=self.image(), size=4 * MIB)
        for name, key in (("keys", "11" * 32), ("wrong", "22" * 32)):
            with open(self.path(name), "w") as f:
                f.write(f"lab-01:{key}\n")
        p, port = self.nbdkit_by_tcp("--tls=require", f"--tls-psk={self.path('keys')}")
        with_key = f"nbds://lab-01@127.0.0.1:{port}/{TOKEN}?tls-psk-file="
        wait_for(lambda: self.run_tool("nbdinfo", "--size", with_key + self.path("keys"), ok=False).returncode == 0, 10,
                 "a client with its key is served: " + self.log_of(p))
        asked = self.leatd.count("open")
        for uri in (f"nbd://127.0.0.1:{port}/{TOKEN}", with_key + self.path("wrong")):
            self.assertNotEqual(self.run_tool("nbdinfo", uri, ok=False).returncode, 0)
        self.assertEqual(self.leatd.count("open"), asked)


class Differences(Plugin):
    def test_layers(self):
        image = self.server_disk()
        before = content_of(image)
        self.nbdkit()
        self.qemu_io("write -P 7 64k 4k", "write -P 8 1k 512", "write -z -u 128k 64k", "discard 256k 4k",
                     f"write -P 9 {3 * MIB} 4k", "read -P 7 64k 4k", "read -P 8 1k 512", "read -P 0 128k 64k", "flush")
        K = 1024
        self.assertEqual(self.extents(), [
            (0, 4 * K, 0), (4 * K, 60 * K, 1), (64 * K, 4 * K, 0), (68 * K, 60 * K, 1), (128 * K, 64 * K, 2),
            (192 * K, 64 * K, 1), (256 * K, 4 * K, 2), (260 * K, 2 * MIB - 260 * K, 1),
            (2 * MIB, MIB, 3), (3 * MIB, 4 * K, 0), (3 * MIB + 4 * K, MIB - 4 * K, 3)])
        self.assertEqual(content_of(image), before)

    def test_private_extents(self):
        """Nobody shares its image: extents are what the disk's own content is."""
        self.server_disk()
        self.leatd.grants[TOKEN]["mode"] = "private"
        self.nbdkit()
        self.qemu_io(f"write -P 9 {3 * MIB} 4k")
        self.assertEqual(self.extents(), [(0, 2 * MIB, 0), (2 * MIB, MIB, 3), (3 * MIB, 4096, 0),
                                          (3 * MIB + 4096, MIB - 4096, 3)])

    def test_without_image(self):
        self.grant(mode="private", read_only=False, size=4 * MIB, difference=self.path("difference"))
        self.nbdkit()
        source = self.make_file("source", 4 * MIB, seed=5)
        self.run_tool("nbdcopy", "--flush", source, self.uri())
        self.run_tool("nbdcopy", self.uri(), self.path("copy"))
        self.same_files(source, self.path("copy"))

    def test_second_writer(self):
        """Should two leases ever be given for one difference, the file's lock decides."""
        self.server_disk()
        self.leatd.grants[OTHER] = {**self.leatd.grants[TOKEN], "lease": "l-2", "client": "lab-02"}
        self.nbdkit(name="first")
        second = self.nbdkit()
        with subprocess.Popen(["qemu-io", "-f", "raw", self.uri(name="first")], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL) as writer:
            wait_for(lambda: self.leatd.count("open") > 0 and os.path.exists(self.path("difference")), 5, "opens")
            time.sleep(0.2)
            r = self.run_tool("nbdinfo", self.uri(OTHER), ok=False)
            self.assertNotEqual(r.returncode, 0)
            self.assertIn("somebody else has the difference open", self.log_of(second))
            writer.stdin.close()
        wait_for(lambda: self.run_tool("nbdinfo", self.uri(OTHER), ok=False).returncode == 0, 5, "it is free again")

    def test_lost(self):
        """A file that has been confirmed, and is not there, is an error and not a new one."""
        self.server_disk()
        p = self.nbdkit()
        self.qemu_io("write -P 7 0 4k", "flush")
        wait_for(lambda: self.leatd.count("close") > 0, 5, "it is closed")
        os.rename(self.path("difference"), self.path("lost"))
        self.assertNotEqual(self.run_tool("nbdinfo", self.uri(), ok=False).returncode, 0)
        self.assertFalse(os.path.exists(self.path("difference")))
        self.assertIn("is not there now", self.log_of(p))
        os.rename(self.path("lost"), self.path("difference"))
        self.qemu_io("read -P 7 0 4k")

    def test_not_confirmed(self):
        """Nothing is written to a new file before leatd knows that it is there."""
        self.server_disk()
        self.leatd.do_renew = lambda _: {"error": "the database cannot be used now", "reason": "later"}
        p = self.nbdkit()
        self.assertNotEqual(self.run_tool("nbdinfo", self.uri(), ok=False).returncode, 0)
        self.assertIn("has not confirmed", self.log_of(p))
        del self.leatd.do_renew
        self.qemu_io("write -P 7 0 4k")

    def test_limit(self):
        self.server_disk()
        self.nbdkit("limit=1M")
        r = self.run_tool("qemu-io", "-f", "raw", "-c", "write 0 512k", "-c", "write 1M 2M", self.uri(), ok=False)
        self.assertIn("No space left", r.stdout)
        self.qemu_io("write -P 3 0 512k", "read -P 3 0 512k")

    def test_like_qcow2(self):
        """Random operations give what QEMU's own overlay gives."""
        image = self.server_disk()
        self.run_tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, self.path("overlay"))
        self.nbdkit()
        chance = random.Random(int(os.environ.get("LEAT_SEED", "11")))
        commands = []
        for _ in range(400):
            offset = chance.randrange(4 * MIB) // 512 * 512
            length = min(4 * MIB - offset, chance.choice((512, 1024, 4096, 5120, 12288, 65536, 200 * 1024)))
            kind = chance.choice(("write", "write", "write", "zero", "unmap", "discard", "flush"))
            if kind == "discard":  # what is less than a cluster QEMU leaves alone, and so do we: whole ones of both
                offset, length = offset // 65536 * 65536, 65536
            commands.append({"write": f"write -q -P {chance.randrange(256)} {offset} {length}",
                             "zero": f"write -q -z {offset} {length}", "unmap": f"write -q -z -u {offset} {length}",
                             "discard": f"discard -q {offset} {length}", "flush": "flush"}[kind])
        arguments = [word for command in commands for word in ("-c", command)]
        self.run_tool("qemu-io", "-d", "unmap", "-f", "raw", *arguments, self.uri())
        self.run_tool("qemu-io", "-d", "unmap", "-f", "qcow2", *arguments, self.path("overlay"))
        # Not read by qemu-img, which takes what is HOLE without ZERO for empty.
        self.run_tool("nbdcopy", self.uri(), self.path("copy"))
        r = self.run_tool("qemu-img", "compare", "-f", "qcow2", "-F", "raw", self.path("overlay"), self.path("copy"), ok=False)
        self.assertIn("Images are identical", r.stdout)


class Crashes(Plugin):
    def test_killed(self):
        """kill -9 of nbdkit while several write: what was flushed is there, the rest is old or new."""
        size, unit = 16 * MIB, 4096
        image = self.server_disk(size)
        base = content_of(image)
        flushed, tried = {}, {}
        for turn in range(4):
            p = self.nbdkit()
            killer = threading.Timer(0.3 + 0.2 * turn, lambda: p.send_signal(signal.SIGKILL))
            self.write_until_killed(random.Random(turn), size // unit, unit, turn, flushed, tried, killer)
            p.wait()
            killer.join()
            p = self.nbdkit()
            self.run_tool("nbdcopy", self.uri(), self.path("copy"))
            content = content_of(self.path("copy"))
            for unit_number in range(size // unit):
                at = unit_number * unit
                is_ = content[at:at + unit]
                may = {flushed.get(unit_number, base[at:at + unit])} | tried.get(unit_number, set())
                self.assertIn(is_, may, f"unit {unit_number}, turn {turn}")
                flushed[unit_number] = is_
            tried.clear()
            self.stop(p)

    def write_until_killed(self, chance, units, unit, turn, flushed, tried, killer):
        """Writes and flushes by turns, each waited for: what a flush covers is known."""
        with RawClient(self.path("nbd"), TOKEN.encode()) as client:
            killer.start()
            since = {}
            try:
                for n in range(1 << 30):
                    if n % 8 == 7:
                        self.assertEqual(client.command(3), 0)
                        flushed.update(since)
                        for number in since:
                            tried.pop(number, None)
                        since = {}
                        continue
                    number = chance.randrange(units)
                    data = struct.pack(">II", turn, n) * (unit // 8)
                    tried.setdefault(number, set()).add(data)
                    self.assertEqual(client.command(1, number * unit, unit, data), 0)
                    since[number] = data
            except (OSError, struct.error):  # an answer that was cut
                return


class Tool(Plugin):
    def tool(self, *words, ok=True):
        return self.run_tool(TOOL, *words, ok=ok)

    def info(self, command="info"):
        return json.loads(self.tool(command, self.path("difference")).stdout)

    def test_info_reset(self):
        self.tool("create", self.path("difference"), "image.raw", str(4 * MIB))
        self.assertEqual(self.info()["data"], 0)
        self.server_disk()
        p = self.nbdkit()
        self.qemu_io("write -P 7 64k 8k", "write -z -u 128k 64k")
        wait_for(lambda: self.leatd.count("close") > 0, 5, "it is closed")
        info = self.info("check")
        self.assertEqual((info["image"], info["size"], info["data"], info["zero"], info["closed"], info["damaged_pages"]),
                         ("image.raw", 4 * MIB, 8192, 65536, True, 0))
        self.tool("reset", self.path("difference"))
        self.assertEqual((self.info()["data"], self.info()["zero"]), (0, 0))
        self.assertLess(self.info()["used"], 65536)
        self.assertEqual(self.tool("create", self.path("difference"), "x", "4096", ok=False).returncode, 2)
        self.stop(p)

    def test_damaged(self):
        self.server_disk()
        p = self.nbdkit()
        self.qemu_io("write -P 7 64k 8k")
        wait_for(lambda: self.leatd.count("close") > 0, 5, "it is closed")
        self.stop(p)
        with open(self.path("difference"), "r+b") as f:
            for at in (8192 + 100, 12288 + 100):
                f.seek(at)
                f.write(b"\x55")
        r = self.tool("check", self.path("difference"), ok=False)
        self.assertEqual(r.returncode, 1, r.stdout)
        self.assertEqual(json.loads(r.stdout)["damaged_pages"], 1)

    def test_busy(self):
        """What somebody writes is left alone."""
        self.server_disk()
        self.nbdkit()
        with subprocess.Popen(["qemu-io", "-f", "raw", self.uri()], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL) as writer:
            wait_for(lambda: os.path.exists(self.path("difference")), 5, "opens")
            for command in ("info", "check", "reset"):
                r = self.tool(command, self.path("difference"), ok=False)
                self.assertEqual(r.returncode, 2)
                self.assertIn("somebody else has the difference open", r.stdout)
            writer.stdin.close()

    def test_merge(self):
        image = self.server_disk()
        p = self.nbdkit()
        self.qemu_io("write -P 7 1k 512", "write -z -u 128k 64k", f"write -P 8 {3 * MIB} 64k")
        wait_for(lambda: self.leatd.count("close") > 0, 5, "it is closed")
        self.run_tool("nbdcopy", self.uri(), self.path("copy"))
        wait_for(lambda: self.leatd.count("close") > 1, 5, "it is closed")
        self.stop(p)
        self.tool("merge", self.path("difference"), image, "raw", self.path("merged"))
        self.same_files(self.path("copy"), self.path("merged"))
        self.assertLess(os.stat(self.path("merged")).st_blocks * 512, 3 * MIB)
        self.run_tool("qemu-img", "convert", "-f", "raw", "-O", "qcow2", image, self.path("image"))
        r = self.tool("merge", self.path("difference"), self.path("image"), "qcow2", self.path("other"), ok=False)
        self.assertIn("belongs to image 'image.raw'", r.stdout)
        r = self.tool("merge", self.path("difference"), image, "raw", self.path("merged"), ok=False)
        self.assertIn("File exists", r.stdout)


class Leases(Plugin):
    def writer(self):
        p = subprocess.Popen(["qemu-io", "-f", "raw", self.uri()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        self.processes.append(p)
        return p

    def say(self, writer, command):
        writer.stdin.write(command + "\n")
        writer.stdin.flush()

    def test_away(self):
        """A leatd that is away: who is on goes on, also by a new connection; nobody new comes on."""
        self.server_disk()
        self.grant(OTHER, path=self.path("image.raw"), size=4 * MIB)
        p = self.nbdkit()
        writer = self.writer()
        self.say(writer, "write -P 1 0 4k")
        wait_for(lambda: self.leatd.count("renew") > 1, 60, "the difference is confirmed, and leases are renewed")
        self.leatd.stop()
        wait_for(lambda: "leatd does not answer" in self.log_of(p), 10, "it is noticed")
        self.qemu_io("read -P 1 0 4k", "write -P 2 4k 4k")  # another connection
        self.assertNotEqual(self.run_tool("nbdinfo", self.uri(OTHER), ok=False).returncode, 0)
        self.say(writer, "read -P 2 4k 4k")
        self.say(writer, "quit")
        out = writer.communicate(timeout=20)[0]
        self.assertNotIn("failed", out)
        self.assertIn("read 4096/4096", out)
        self.qemu_io("read -P 2 4k 4k")  # all had gone: the grant still holds
        closes = self.leatd.count("close")
        self.leatd.start()
        wait_for(lambda: self.leatd.count("close") > closes, 10, "what it missed is told")
        self.run_tool("nbdinfo", "--size", self.uri(OTHER))

    def test_expired_while_away(self):
        self.server_disk()
        self.leatd.term = 2
        p = self.nbdkit()
        writer = self.writer()
        self.say(writer, "write -P 1 0 4k")
        wait_for(lambda: self.leatd.count("open") > 0, 5, "opened")
        self.leatd.stop()
        self.say(writer, "quit")
        writer.communicate(timeout=20)
        time.sleep(3.5)
        self.assertNotEqual(self.run_tool("nbdinfo", self.uri(), ok=False).returncode, 0)
        self.assertIsNone(p.poll())

    def test_gone(self):
        """A lease that is taken away ends its connections, and no write goes through any more."""
        self.server_disk()
        p, port = self.nbdkit_by_tcp()
        with RawClient(("127.0.0.1", port), TOKEN.encode()) as client:
            self.assertEqual(client.command(1, 0, 4, b"abcd"), 0)
            self.leatd.gone.add("l-" + TOKEN[2:8])
            with self.assertRaises(ConnectionError, msg="the connection is cut"):
                client.take(1)
        wait_for(lambda: "taken away" in self.log_of(p), 5, "the log says so")

    def test_restarted(self):
        """A machine that has started again gets its disk at once, while its old connection still is there."""
        self.server_disk(renew=60)
        self.nbdkit()
        with RawClient(self.path("nbd"), TOKEN.encode()) as old:
            self.assertEqual(old.write(0, b"abcd" * 128), 0)
            self.leatd.gone.add("l-" + TOKEN[2:8])
            self.leatd.grants[OTHER] = {**self.leatd.grants[TOKEN], "lease": "l-2"}
            with RawClient(self.path("nbd"), OTHER.encode()) as new:
                self.assertEqual(new.read(0, 512), b"abcd" * 128)
                self.assertEqual(new.write(512, b"efgh" * 128), 0)
                self.assertEqual([old.command(0, 0, 512), old.write(0, bytes(512)), old.flush()], [ESHUTDOWN] * 3)
            with RawClient(self.path("nbd"), OTHER.encode()) as new:
                self.assertEqual(new.read(0, 1024), b"abcd" * 128 + b"efgh" * 128)

    def test_two_in_one(self):
        """Two good leases for one difference, in one nbdkit: the second is told who is there."""
        self.server_disk(renew=60)
        self.leatd.grants[OTHER] = {**self.leatd.grants[TOKEN], "lease": "l-2", "client": "lab-02"}
        p = self.nbdkit()
        with RawClient(self.path("nbd"), TOKEN.encode()) as first:
            self.assertNotEqual(self.run_tool("nbdinfo", self.uri(OTHER), ok=False).returncode, 0)
            self.assertIn("lab-01 has its difference open", self.log_of(p))
            self.assertEqual(first.write(0, bytes(512)), 0)
        wait_for(lambda: self.run_tool("nbdinfo", self.uri(OTHER), ok=False).returncode == 0, 20, "it is free again")

    def test_silent(self):
        """A leatd that takes questions and answers none: who is on comes back soon, whoever else asks."""
        self.server_disk(renew=60)
        p = self.nbdkit()
        with RawClient(self.path("nbd"), TOKEN.encode()):
            self.leatd.goes_on.clear()
            others = [subprocess.Popen(["nbdinfo", self.uri(f"x.made-up{n}")], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL) for n in range(6)]
            self.processes += others
            start = time.monotonic()
            self.qemu_io("write -P 1 0 4k")
            self.assertLess(time.monotonic() - start, 20, "the first, who finds it out")
            self.assertIn("leatd does not answer", self.log_of(p))
            start = time.monotonic()
            self.qemu_io("read -P 1 0 4k")
            self.assertLess(time.monotonic() - start, 5, "as long as a leatd that is known to be away is not waited for")
            for other in others:
                self.assertNotEqual(other.wait(20), 0)
            self.leatd.goes_on.set()
        wait_for(lambda: "leatd answers again" in self.log_of(p), 10, "it is noticed")

    def test_opens_at_once(self):
        """One whose answer is late keeps nobody else waiting."""
        self.server_disk()
        self.grant(OTHER, path=self.path("image.raw"), size=4 * MIB)
        late = self.leatd.late[OTHER] = threading.Event()
        self.nbdkit()
        other = subprocess.Popen(["nbdinfo", self.uri(OTHER)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(other)
        try:
            wait_for(lambda: len(self.leatd.open) > 0, 60, "it is asked for")
            self.qemu_io("read 0 4k")
            self.assertIsNone(other.poll())
        finally:
            late.set()
        self.assertEqual(other.wait(60), 0)

    def test_slow_image(self):
        """An image that takes its time keeps nobody else waiting."""
        self.server_disk()
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            self.grant(OTHER, uri=f"nbd://127.0.0.1:{silent.getsockname()[1]}", size=4 * MIB)
            self.nbdkit()
            other = subprocess.Popen(["nbdinfo", self.uri(OTHER)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.processes.append(other)
            with silent.accept()[0]:
                self.qemu_io("write -P 1 0 4k")
                self.qemu_io("read -P 1 0 4k")
                self.assertIsNone(other.poll())


if __name__ == "__main__":
    vdisk_case.main(__doc__)
