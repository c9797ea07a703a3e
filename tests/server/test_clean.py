# SPDX-License-Identifier: BSD-2-Clause
"""What is removed of imports that came to nothing: by one remover, only what an import has brought, and whatever cannot be."""
import json
import os
import time

from case import ServerCase
from server import until


class Clean(ServerCase):
    times = {"session": 8, "lease": 8}  # leatd looks after its files every second

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.server.folder / "images"

    def put(self, name, at, size, total):
        """(status, answer)."""
        self.server.token = self.server.token or self.server.login()
        status, text = self.server.raw("PUT", f"/api/v1/files/{name}", b"p" * size, self.server.token,
                                       {"Content-Range": f"bytes {at}-{at + size - 1}/{total}"})
        return status, json.loads(text)

    def rows(self, condition):
        return self.server.sql(f"SELECT name FROM brought WHERE {condition}")

    def age(self, name, seconds=90000):
        self.server.change(f"UPDATE brought SET since = {int(time.time()) - seconds} WHERE name = '{name}'")

    def gone(self, name):
        until(lambda: not self.rows(f"name = '{name}'"), f"{name} is forgotten")
        self.assertFalse(os.path.lexists(self.folder / f"{name}.part"))
        return not os.path.lexists(self.folder / name)

    def test_by_hand(self):
        """Whatever has a name is somebody's; and what was put there under an import's name is no import's."""
        (self.folder / "link.raw").symlink_to("/nowhere")
        (self.folder / "folder.raw").mkdir()
        for name in ("link.raw", "folder.raw"):
            self.refused(409, "POST", "files", {"name": name}, "already")
            self.assertEqual(409, self.put(name, 0, 5, 10)[0])
        self.assertEqual(200, self.put("copied.raw", 0, 5, 10)[0])
        (self.folder / "copied.raw").write_bytes(b"h" * 10)
        self.assertEqual(409, self.put("copied.raw", 5, 5, 10)[0])
        self.age("copied.raw")
        self.assertFalse(self.gone("copied.raw"))
        self.assertEqual(200, self.put("dropped.raw", 0, 5, 10)[0])
        (self.folder / "dropped.raw").write_bytes(b"h" * 10)
        self.server.api("DELETE", "files/dropped.raw")
        self.assertFalse(self.gone("dropped.raw"))

    def test_sent(self):
        """One that was sent is the import's when it is whole: left alone or not wanted, it goes."""
        for name in ("left.raw", "not-wanted.raw"):
            self.assertEqual((200, 200), (self.put(name, 0, 5, 10)[0], self.put(name, 5, 5, 10)[0]))
        self.age("left.raw")
        self.assertTrue(self.gone("left.raw"))
        self.server.api("DELETE", "files/not-wanted.raw")
        self.assertTrue(self.gone("not-wanted.raw"))

    def test_renewed(self):
        """An import that finds its file there already has the whole day for the rest."""
        self.assertEqual(200, self.put("found.raw", 0, 5, 5)[0])
        self.age("found.raw", 80000)
        self.assertTrue(self.server.api("GET", "files/found.raw")["whole"])
        self.assertEqual([("found.raw",)], self.rows(f"name = 'found.raw' AND since > {int(time.time()) - 1000}"))

    def test_not_removable(self):
        """It is said so once, the name is nobody's until it is gone, and no other waits for it."""
        self.server.api("POST", "files", {"name": "stuck.raw"})
        (self.folder / "stuck.raw").mkdir()
        self.refused(503, "DELETE", "files/stuck.raw", words="stuck.raw cannot be removed: ")
        self.refused(409, "DELETE", "files/stuck.raw", words="being removed")
        self.refused(409, "GET", "files/stuck.raw", words="being removed")
        self.assertEqual(409, self.put("stuck.raw", 5, 5, 20)[0])
        names = [f"many-{i:02}.raw" for i in range(70)]
        for name in names:
            (self.folder / name).mkdir()
        (self.folder / "zero.raw").write_bytes(b"z")
        values = ", ".join(f"('{name}', 1, 1, 1)" for name in (*names, "zero.raw"))
        self.server.change(f"INSERT INTO brought (name, since, dropping, whole) VALUES {values}")
        self.assertTrue(self.gone("zero.raw"))
        for name in ("stuck.raw", "many-00.raw"):
            self.assertEqual(1, self.server.log.read_text().count(f"/{name} cannot be removed"))
        for name in (*names, "stuck.raw"):
            (self.folder / name).rmdir()
            (self.folder / name).write_bytes(b"")
        self.assertTrue(self.gone("stuck.raw") and self.gone("many-69.raw"))
        self.server.api("POST", "files", {"name": "stuck.raw"})

    def test_one_remover(self):
        """What another server is removing is left to it, until that one is lost."""
        now = int(time.time())
        self.server.change("INSERT INTO server (name, started, alive, exports, lost, beat, instance, place)"
                           f" VALUES ('other', {now}, {now + 3600}, '', 0, 1, 'theirs', '')")
        for name, remover in (("theirs.raw", "theirs"), ("nobodys.raw", "gone")):
            (self.folder / name).write_bytes(b"t")
            self.server.change("INSERT INTO brought (name, since, dropping, whole, remover)"
                               f" VALUES ('{name}', 1, 2, 1, '{remover}')")
        self.assertTrue(self.gone("nobodys.raw"))
        self.refused(409, "POST", "files", {"name": "theirs.raw"})
        self.refused(409, "DELETE", "files/theirs.raw", words="being removed")
        self.assertTrue((self.folder / "theirs.raw").exists())
        self.server.change("UPDATE server SET lost = 1 WHERE name = 'other'")
        self.assertTrue(self.gone("theirs.raw"))
