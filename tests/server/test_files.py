# SPDX-License-Identifier: BSD-2-Clause
"""Files that come in pieces over the API: whole or not there, from any byte on, however leatd ends; and never more than the disk
has room for."""
import json
import os
import random
import threading
import time

from case import ServerCase

MIB = 1 << 20


class Files(ServerCase):
    def put(self, name, data, at, total, size=None, token=None, headers=None):
        """(status, answer)."""
        size = len(data) if size is None else size
        status, text = self.server.raw("PUT", f"/api/v1/files/{name}", data, token or self.token(),
                                       headers or {"Content-Range": f"bytes {at}-{at + size - 1}/{total}"})
        return status, json.loads(text)

    def token(self):
        self.server.token = self.server.token or self.server.login()
        return self.server.token

    def file(self, name):
        return self.server.folder / "images" / name

    def test_pieces(self):
        data = random.Random(1).randbytes(3 * MIB)
        self.refused(404, "GET", "files/whole.raw", words="no file whole.raw")
        for at in range(0, 3 * MIB, MIB):
            self.assertFalse(self.file("whole.raw").exists())
            self.assertEqual((200, {"name": "whole.raw", "whole": at == 2 * MIB, "received": at + MIB}),
                             self.put("whole.raw", data[at:at + MIB], at, 3 * MIB))
        self.assertEqual(data, self.file("whole.raw").read_bytes())
        self.assertFalse(self.file("whole.raw.part").exists())
        self.assertEqual({"name": "whole.raw", "received": 3 * MIB, "whole": True}, self.server.api("GET", "files/whole.raw"))
        self.assertEqual(409, self.put("whole.raw", b"x", 0, 1)[0])  # nobody writes over a whole one
        self.server.api("POST", "images", {"name": "whole"})
        self.server.api("POST", "images/whole/versions", {"source": "whole.raw"})
        self.refused(404, "DELETE", "files/whole.raw", words="not whole")
        self.assertEqual(data, self.file("whole.raw").read_bytes())
        self.assertIn(("anna", "upload", "file whole.raw"),
                      [(a["who"], a["action"], a["object"]) for a in self.server.items("audit?limit=1000")])

    def test_zeros(self):
        """A body that is empty stands for zeros, and takes no room."""
        self.assertEqual(200, self.put("holes.raw", b"", 0, 1 << 34, size=(1 << 34) - 1)[0])
        self.assertTrue(self.put("holes.raw", b"e", (1 << 34) - 1, 1 << 34)[1]["whole"])
        about = self.file("holes.raw").stat()
        self.assertEqual((1 << 34, True), (about.st_size, about.st_blocks < 100))
        self.file("holes.raw").unlink()

    def test_not_in_order(self):
        self.assertEqual((409, 0), [(s, a["received"]) for s, a in [self.put("part.raw", b"xy", 7, 20)]][0])
        self.assertEqual(200, self.put("part.raw", b"0123456789", 0, 20)[0])
        for at in (0, 5, 11):
            status, answer = self.put("part.raw", b"x", at, 20)
            self.assertEqual((409, 10, True), (status, answer["received"], "byte 10" in answer["error"]))
        self.refused(422, "POST", "images/none/versions", {"source": "part.raw.part"}, words="not whole")
        self.assertEqual({}, self.server.api("DELETE", "files/part.raw"))
        self.refused(404, "GET", "files/part.raw")
        self.assertFalse(self.file("part.raw.part").exists())

    def test_nonsense(self):
        for header in (None, "bytes 0-0", "bytes */1", "bytes 1-0/9", "bytes 0-9/5", "bytes 0-0/99999999999999999999",
                       "bytes -1-0/1", "bytes 0-0/1 ", "octets 0-0/1", "bytes 0-0/70368744177665"):
            headers = {"Content-Range": header} if header else {"X-Other": "1"}
            self.assertEqual(400, self.put("a.raw", b"x", 0, 1, headers=headers)[0], header)
        self.assertEqual(400, self.put("a.raw", b"xx", 0, 9, size=1)[0])
        for name in ("a.part", ".a", "A", "a" * 64):
            self.assertEqual(422, self.put(name, b"x", 0, 1)[0], name)
        self.assertEqual(404, self.put("a/b", b"x", 0, 1)[0])
        self.assertEqual(413, self.put("a.raw", b"x" * (MIB + 1), 0, MIB + 1)[0])
        self.refused(404, "POST", "files/a.raw", {})
        self.assertFalse(self.file("a.raw.part").exists())

    def test_strangers(self):
        """Who is no administrator has nothing of a body kept, and is told so."""
        for token in ("a." + "A" * 43, "s." + "A" * 43, "x"):
            status, answer = self.put("a.raw", b"x" * MIB, 0, MIB, token=token)
            self.assertEqual((401, True), (status, "log in" in answer["error"]))
        self.assertFalse(self.file("a.raw.part").exists())

    def test_link(self):
        """Nothing is written through a link that somebody has put there."""
        target = self.server.root / "elsewhere"
        target.write_bytes(b"")
        self.file("link.raw.part").symlink_to(target)
        self.assertEqual(507, self.put("link.raw", b"x", 0, 1)[0])
        self.assertEqual(b"", target.read_bytes())
        self.file("link.raw.part").unlink()

    def test_by_hand(self):
        """What somebody has put there is never removed, however old it is and whatever its name."""
        for name in ("old.raw.part", "old.raw", "old.raw.part.new"):
            self.file(name).write_bytes(b"x")
            os.utime(self.file(name), (time.time() - 90000,) * 2)
        self.assertEqual(200, self.put("new.raw", b"x", 0, 1)[0])
        for name in ("old.raw.part", "old.raw", "old.raw.part.new"):
            self.assertTrue(self.file(name).exists(), name)
            self.file(name).unlink()

    def rows(self, name):
        return self.server.sql(f"SELECT name, whole FROM brought WHERE name = '{name}'")

    def test_killed_last(self):
        """leatd was killed when all bytes were there, but not the name; then when the file had both names."""
        data = random.Random(3).randbytes(20)
        for name in ("nameless.raw", "zeros.raw"):
            self.assertEqual(200, self.put(name, data[:10], 0, 20)[0])
            with open(self.file(f"{name}.part"), "ab") as file:
                file.write(data[10:])
            self.assertEqual({"name": name, "received": 20, "whole": False}, self.server.api("GET", f"files/{name}"))
            self.assertEqual(409, self.put(name, data[5:10], 5, 20)[0])  # another piece than the last one
            self.assertEqual((409, 20), [(s, a["received"]) for s, a in [self.put(name, data[10:], 10, 21)]][0])
            self.assertEqual((200, {"name": name, "received": 20, "whole": True}),
                             self.put(name, data[10:] if name == "nameless.raw" else b"", 10, 20, size=10))
            self.assertEqual((data, False), (self.file(name).read_bytes(), self.file(f"{name}.part").exists()))
            os.link(self.file(name), self.file(f"{name}.part"))
            self.assertEqual({"name": name, "received": 20, "whole": True}, self.server.api("GET", f"files/{name}"))
            self.assertFalse(self.file(f"{name}.part").exists())
            self.assertEqual([(name, 1)], self.rows(name))
            self.server.api("DELETE", f"files/{name}")
            self.assertFalse(self.file(name).exists())

    def test_two_last(self):
        """The last piece comes twice at once: both are answered that the file is whole, and it stays the import's."""
        data = random.Random(4).randbytes(2 * MIB)
        for turn in range(4):
            name, answers = f"twice-{turn}.raw", []
            self.assertEqual(200, self.put(name, data[:MIB], 0, 2 * MIB)[0])

            def last(name=name, answers=answers):
                answers.append(self.put(name, data[MIB:], MIB, 2 * MIB))
            threads = [threading.Thread(target=last) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            self.assertEqual(3, len(answers))
            for status, answer in answers:  # one that came when the file was whole is refused, as ever
                self.assertEqual((2 * MIB, True), (answer["received"], status == 409 or answer["whole"]), answer)
            self.assertIn(200, [status for status, _ in answers])
            self.assertEqual([(name, 1)], self.rows(name))
            self.assertEqual({}, self.server.api("DELETE", f"files/{name}"))
            self.assertFalse(self.file(name).exists() or self.rows(name))

    def test_killed(self):
        """leatd is killed again and again under an upload: it goes on where it was, and what comes of it is the file."""
        chance = random.Random(2)
        data, at = chance.randbytes(8 * MIB), 0
        for _ in range(6):
            done = threading.Event()

            def send():
                nonlocal at
                try:
                    while at < len(data):
                        status, answer = self.put("killed.raw", data[at:at + MIB // 4], at, len(data))
                        at = answer["received"]
                except Exception:  # leatd's end, at any place of an answer
                    done.set()
            sender = threading.Thread(target=send)
            sender.start()
            time.sleep(chance.uniform(0, 0.1))
            self.server.kill()
            sender.join(60)
            self.server.start()
            status, text = self.server.raw("GET", "/api/v1/files/killed.raw", token=self.token())
            there, whole = (json.loads(text).get(key, 0) for key in ("received", "whole"))
            self.assertGreaterEqual(there, at)  # what was answered is there
            self.assertEqual(at == len(data), self.file("killed.raw").exists() and at == len(data))
            at = there
        while not whole:
            at = min(at, len(data) - MIB // 4)  # the last piece once more, if it was killed before the file had its name
            status, answer = self.put("killed.raw", data[at:at + MIB], at, len(data))
            self.assertEqual(200, status, answer)
            at, whole = answer["received"], answer["whole"]
        self.assertEqual(data, self.file("killed.raw").read_bytes())

    def test_full(self):
        """On a small disk: what does not fit is refused with a sentence, and the rest of the disk stays the database's."""
        self.server.end()
        mount = 'mount -t tmpfs -o size=8m tmpfs "$1" && shift && exec "$@"'
        self.server.start(["unshare", "-rm", "sh", "-c", mount, "sh", self.server.folder / "images"])
        try:
            seen = f"/proc/{self.server.process.pid}/root{self.server.folder}/images"
            answers, at = [], 0
            for _ in range(8):
                answers.append(self.put("full.raw", b"x" * MIB, at, 8 * MIB))
                at = answers[-1][1]["received"]
            self.assertEqual([200] * 7 + [507], [status for status, _ in answers])
            self.assertIn("no room", answers[-1][1]["error"])
            self.assertEqual(7 * MIB, os.stat(f"{seen}/full.raw.part").st_size)
            self.server.api("GET", "status")
            self.assertEqual({}, self.server.api("DELETE", "files/full.raw"))
            self.assertEqual([], os.listdir(seen))
        finally:
            self.server.end()
            self.server.start()

    def test_others_go_on(self):
        """While one upload waits for the disk, others are answered."""
        stop, sent = threading.Event(), []
        data = b"x" * MIB

        def send():
            at = 0
            while not stop.is_set() and at < 64 * MIB:
                at = self.put("busy.raw", data, at, 1 << 40)[1]["received"]
                sent.append(at)
        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(20):
            self.server.api("GET", "status")
        stop.set()
        sender.join(60)
        self.assertTrue(sent)
        self.server.api("DELETE", "files/busy.raw")
