# SPDX-License-Identifier: BSD-2-Clause
"""An import that comes to nothing, at whichever step: no file is left, and nothing that a version has is ever removed."""
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest.mock

from case import ServerCase
from server import TOP, Refused, until

sys.path.insert(0, str(TOP / "tools"))

import leatapi  # noqa: E402
import leatupload  # noqa: E402

MIB = 1 << 20


class Import(ServerCase):
    times = {"session": 8, "lease": 8}  # leatd looks after its files every second

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.log_in()
        cls.folder = cls.server.folder / "images"
        chance = random.Random(1)
        for name, size in (("image", 2 * MIB + 5), ("kernel", MIB + 3), ("initrd", MIB + 7)):
            (cls.server.root / name).write_bytes(chance.randbytes(size))

    def bring(self, name, *more, before=()):
        root = self.server.root
        return self.server.leatctl("image", "import", name, root / "image", "--kernel", root / "kernel", "--initrd",
                                   root / "initrd", *more, before=before)

    def test_refused_last(self):
        """leatd refuses the version itself, or there is no leatd any more when it is asked for one."""
        before = os.listdir(self.folder)
        for more in ([], ["--upload"]):
            ended = self.bring("noted", "--note", "x" * 501, *more)
            self.assertEqual((1, 1), (ended.returncode, ended.stderr.count("leatctl: note is too long")), ended.stderr)
            self.assertEqual(sorted(before), sorted(os.listdir(self.folder)))
            self.assertEqual([], self.server.sql("SELECT name FROM brought WHERE name LIKE 'noted%'"))
        self.assertEqual(0, self.bring("noted").returncode)
        self.assertEqual(4, len(os.listdir(self.folder)) - len(before))
        self.assertEqual([], self.server.sql("SELECT name FROM brought WHERE name LIKE 'noted%'"))
        kept = {f: (self.folder / f).read_bytes() for f in os.listdir(self.folder)}
        ended = self.server.leatctl("image", "set", "noted", 1, "--kernel", self.server.root / "kernel", "--note", "x" * 501)
        self.assertIn("leatctl: note is too long", ended.stderr)
        self.assertEqual(kept, {f: (self.folder / f).read_bytes() for f in os.listdir(self.folder)})

    def test_long_name(self):
        """The longest name an image can have leaves room for the ends of its files' names."""
        name = "n" * 63
        for more in ([], ["--upload"]):
            ended = self.bring(name, *more)
            self.assertEqual(0, ended.returncode, ended.stderr)
        versions = json.loads(self.server.leatctl("image", "show", name, "--json").stdout)
        for version in versions:
            for file in ("source", "hash_source", "kernel", "initrd"):
                self.assertTrue((self.folder / version[file]).exists(), version[file])

    def test_nameless(self):
        """All of a file was sent when leatd was killed, but for its name: the same import goes on, and sends nothing else."""
        data = (self.server.root / "image").read_bytes()
        data += bytes(-len(data) % 4096)
        name = f"nameless-{hashlib.sha256(data).hexdigest()[:16]}.raw"
        self.server.api("GET", "status")
        status, _ = self.server.raw("PUT", f"/api/v1/files/{name}", data[:MIB], self.server.token,
                                    {"Content-Range": f"bytes 0-{MIB - 1}/{len(data)}"})
        self.assertEqual(200, status)
        with open(self.folder / f"{name}.part", "ab") as file:
            file.write(data[MIB:])
        inode = (self.folder / f"{name}.part").stat().st_ino
        ended = self.bring("nameless", "--upload")
        self.assertEqual(0, ended.returncode, ended.stderr)
        self.assertEqual((data, inode), ((self.folder / name).read_bytes(), (self.folder / name).stat().st_ino))
        self.assertFalse((self.folder / f"{name}.part").exists())

    def test_lost_answer(self):
        """leatd's answer to the last piece is lost, and the file has its bytes but not its name: the piece is sent again."""
        class Lost:
            states = [{"received": 10, "whole": False}, {"received": 20, "whole": False}, {"received": 20, "whole": True}]
            pieces = []

            def ask(self, *_):
                return self.states.pop(0)

            def put(self, path, data, content_range):
                self.pieces.append(content_range)
                raise leatapi.Refused("cannot be reached")
        file = self.server.root / "lost"
        file.write_bytes(b"l" * 20)
        with unittest.mock.patch("leatupload.PAUSE", 0):
            self.assertTrue(leatupload.send(Lost(), "lost.raw", file))
        self.assertEqual(["bytes 10-19/20"] * 2, Lost.pieces)

    def test_named_twice(self):
        """One file that was brought, and is kernel and initrd: the version is made, and the file is its own."""
        api = self.server.api
        api("POST", "images", {"name": "twice"})
        api("POST", "files", {"name": "twice.raw"})
        (self.folder / "twice.raw").write_bytes(b"t" * 512)
        version = api("POST", "images/twice/versions", {"source": "twice.raw", "kernel": "twice.raw", "initrd": "twice.raw"})
        self.assertEqual(["twice.raw"] * 3, [version[name] for name in ("source", "kernel", "initrd")])
        self.refused(404, "DELETE", "files/twice.raw")
        api("POST", "files", {"name": "again.raw"})
        (self.folder / "again.raw").write_bytes(b"a" * 512)
        api("PATCH", "images/twice/versions/1", {"kernel": "again.raw", "initrd": "again.raw"})
        self.refused(404, "DELETE", "files/again.raw")

    def test_killed_last(self):
        """What a killed import has left is removed a day later: not what a version has, nor what was there before."""
        api = self.server.api
        api("POST", "images", {"name": "killed"})
        (self.folder / "by-hand.raw").write_bytes(b"h" * 512)
        self.refused(409, "POST", "files", {"name": "by-hand.raw"}, "already")
        for name in ("left.raw", "had.raw", "young.raw", "part.raw"):
            api("POST", "files", {"name": name})
            (self.folder / name.replace("part.raw", "part.raw.part")).write_bytes(b"f" * 512)
        api("POST", "images/killed/versions", {"source": "had.raw", "kernel": "by-hand.raw"})
        self.server.change("INSERT INTO brought (name, since, dropping) VALUES ('had.raw', 1, 0)")  # which should not be
        self.server.change("UPDATE brought SET since = 1 WHERE name <> 'young.raw'")
        self.server.kill()
        self.server.start()
        until(lambda: not (self.folder / "left.raw").exists() and not (self.folder / "part.raw.part").exists(), "removed")
        until(lambda: len(self.server.sql("SELECT name FROM brought")) == 2, "forgotten")
        for name in ("had.raw", "young.raw", "by-hand.raw"):
            self.assertTrue((self.folder / name).exists(), name)
        self.refused(404, "DELETE", "files/had.raw")
        self.refused(404, "DELETE", "files/by-hand.raw")
        api("DELETE", "files/young.raw")
        self.assertFalse((self.folder / "young.raw").exists())

    def test_killed_import(self):
        """leatctl was killed on the server itself: no file has its name, and leatd removes what there is, but nothing else."""
        image = self.server.root / "long"
        with open(image, "wb") as file:
            file.write(b"l" * (1 << 20))
            file.truncate(1 << 40)  # a hole that takes long to read
        before = set(os.listdir(self.folder))
        process = subprocess.Popen([TOP / "tools" / "leatctl", "image", "import", "long", image], env=self.server.environment())
        until(lambda: set(os.listdir(self.folder)) - before, "begun")
        process.kill()
        process.wait()
        left, = set(os.listdir(self.folder)) - before
        self.assertRegex(left, r"^long-.*\.raw\.part$")
        for name in (left + ".new", "by-hand.part"):  # leat-difference's, and somebody's
            (self.folder / name).write_bytes(b"n")
        for name in (left, "by-hand.part"):
            os.utime(self.folder / name, (1, 1))
        ended = self.bring("short")
        self.assertEqual(0, ended.returncode, ended.stderr)
        self.assertTrue((self.folder / left).exists())  # it has its day
        self.server.change(f"UPDATE brought SET since = 1 WHERE name = '{left.removesuffix('.part')}'")
        until(lambda: not self.server.sql("SELECT name FROM brought WHERE name LIKE 'long%'"), "forgotten")
        self.assertEqual(["by-hand.part"], [f for f in os.listdir(self.folder) if ".part" in f])
        (self.folder / "by-hand.part").unlink()

    def test_removed_meanwhile(self):
        """A file that is removed while leatd hashes it for a version: there is one or the other, never a version without it."""
        api = self.server.api
        api("POST", "images", {"name": "race"})
        (self.folder / "race.raw").write_bytes(b"r" * 512)
        made = []
        for turn in range(6):
            name = f"race-{turn}.kernel"
            api("POST", "files", {"name": name})
            with open(self.folder / name, "wb") as file:
                file.truncate(48 * MIB)
            outcome = []

            def post(name=name, outcome=outcome):
                try:
                    outcome.append(api("POST", "images/race/versions", {"source": "race.raw", "kernel": name})["number"])
                except Refused as error:
                    outcome.append(str(error))
            thread = threading.Thread(target=post)
            thread.start()
            time.sleep(0.02 * turn)
            try:
                api("DELETE", f"files/{name}")
            except Refused:
                pass
            thread.join()
            there = (self.folder / name).exists()
            self.assertEqual(isinstance(outcome[0], int), there, outcome)
            made.append(there)
            if not there:
                self.assertRegex(outcome[0], "is being removed|is not a file of the image folder")
        self.assertEqual(sum(made), len(self.server.items("images/race/versions")))

    def test_no_room_to_prepare(self):
        """An upload of what is not raw, or not of whole blocks, makes that here first: where is no room, TMPDIR helps."""
        root = self.server.root
        small = root / "small"
        small.mkdir()
        mount = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs "$1" && TMPDIR="$1" && shift && exec "$@"',
                 "sh", small]
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", root / "image", root / "image.qcow2"], check=True)
        for name in ("image", "image.qcow2"):
            ended = self.server.leatctl("image", "import", "roomless", root / name, "--upload", before=mount)
            self.assertEqual(1, ended.returncode)
            self.assertEqual(f"leatctl: {root / name} cannot be sent: {small} has no room for what is made of it; set TMPDIR to "
                             "a folder that has as much as the raw image", ended.stderr.strip().splitlines()[-1])
        self.assertNotIn("roomless", [i["name"] for i in self.server.items("images")])

    def test_ended(self):
        """leatctl is told to end, or its terminal is gone: nothing of what it makes is left, here or there."""
        image = self.server.root / "endless"
        with open(image, "wb") as file:
            file.write(b"e" * (1 << 20))
            file.truncate((1 << 40) + 1)  # a hole that takes long to read
        there, here = set(os.listdir(self.folder)), set(os.listdir(self.server.root))
        for number in (signal.SIGTERM, signal.SIGHUP):
            for how in ([], ["--upload"]):
                process = subprocess.Popen([TOP / "tools" / "leatctl", "image", "import", "endless", image, *how],
                                           env=self.server.environment())
                until(lambda: set(os.listdir(self.folder)) - there or
                      any((self.server.root / f / "image").exists() for f in set(os.listdir(self.server.root)) - here), "begun")
                process.send_signal(number)
                self.assertEqual(128 + number, process.wait(60))
                until(lambda: set(os.listdir(self.folder)) == there, "removed")
                self.assertEqual(here, set(os.listdir(self.server.root)))
        self.assertEqual([], self.server.sql("SELECT name FROM brought WHERE name LIKE 'endless%'"))

    def test_full(self):
        """The image folder's disk is full at each step: one sentence, and nothing more is on it than before."""
        self.server.end()
        mount = 'mount -t tmpfs -o size=12m tmpfs "$1" && shift && exec "$@"'
        self.server.start(["unshare", "-rm", "sh", "-c", mount, "sh", self.folder])
        pid = self.server.process.pid
        inside = ["nsenter", "-t", str(pid), "-U", "-m", "--preserve-credentials"]
        seen = f"/proc/{pid}/root{self.folder}"

        def files():
            return {f: hash(open(f"{seen}/{f}", "rb").read()) for f in os.listdir(seen)}
        try:
            self.assertEqual(0, self.bring("full", before=inside).returncode)
            before = files()
            self.assertEqual(4, len(before))
            for more in ([], ["--upload"]):
                failed = 0
                for pages in range(1070, 2300, 120):
                    subprocess.run([*inside, "mount", "-o", f"remount,size={pages * 4}k", self.folder], check=True)
                    ended = self.bring("full", *more, before=inside)
                    if not ended.returncode:
                        break
                    failed += 1
                    self.assertRegex(ended.stderr.strip().splitlines()[-1], "^leatctl: .*(No space left|no room|disk full)")
                    self.assertNotIn("Traceback", ended.stderr)
                    self.assertEqual(before, files(), ended.stderr)
                self.assertGreater(failed, 4)
                self.assertEqual(0, ended.returncode, ended.stderr)
                version = json.loads(self.server.leatctl("image", "show", "full", "--json").stdout)[-1]
                for name in ("source", "hash_source", "kernel", "initrd"):
                    os.unlink(f"{seen}/{version[name]}")
        finally:
            self.server.end()
            self.server.start()
