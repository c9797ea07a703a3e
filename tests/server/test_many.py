# SPDX-License-Identifier: BSD-2-Clause
"""Thousands of clients and a thousand images: lists, pages, a hello and a change take about as long as with a few. LEAT_MANY is
how many clients."""
import json
import os
import time

from case import ServerCase
from server import Control, until

MANY, IMAGES = int(os.environ.get("LEAT_MANY", "5000")), 1000
MOST = 0.45  # seconds of leatd's own time, with its sanitizers, that nothing here may take: a loaded host does not count
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "


class Many(ServerCase):
    times = {"session": 3600, "lease": 3600}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.debian("d", mode="server")
        cls.server.log_in()
        cls.fill()

    @classmethod
    def fill(cls):
        """Each client is on, with a disk of its own assignment that it writes, and has been on before."""
        uuid = f"'11111111-0000-0000-0000-' || SUBSTR('{'0' * 12}', 1, 12 - LENGTH(CAST(i AS TEXT))) || CAST(i AS TEXT)"
        late = int(time.time()) + 100000
        key = "11" * 32
        rows = [
            ("client (uuid, name, macs, psk, enabled, expires, note, created, chosen)",
             f"{uuid}, 'many-' || i, '52:54:00:00:00:99', '{key}', 1, 0, '', 0, ''"),
            ("assignment (id, client, disk, place, label, is_default, memory, cpus, created)",
             f"'a' || i, {uuid}, 'd', 0, '', 0, 0, 0, 0"),
            ("session (id, hash, client, started, renewed, expires, address, macs, leat_version, hardware, server)",
             f"'s' || i, 'hash' || i, {uuid}, 0, 0, {late}, '10.0.0.1', '', '1', '{{}}', 'one'"),
            ("session (id, hash, client, started, renewed, expires, address, macs, leat_version, hardware, server, ended, why)",
             f"'r' || i, 'old' || i, {uuid}, 0, 0, 0, '10.0.0.1', '', '1', '{{}}', 'one', {late}, 'over'"),
            ("difference (id, disk, client, image, version, size, dropped, created)",
             f"'w' || i, 'd', {uuid}, 'debian', 1, 1048576, 0, 0"),
            ("export (hash, session, disk, mode, image, version, size, difference)",
             "'x' || i, 's' || i, 'd', 'server', 'debian', 1, 1048576, 'w' || i"),
            ("lease (target, id, session, export, disk, writer, taken, expires, server, bytes_read, bytes_written)",
             f"'w' || i, 'l' || i, 's' || i, 'x' || i, 'd', 1, 0, {late}, 'one', 0, 0"),
            ("event (id, at, kind, client, address, message)",
             f"'0' || i, 0, 'session', {uuid}, '10.0.0.1', 'something')".rstrip(")"))]
        for table, values in rows:
            cls.server.change(f"INSERT INTO {table} {NUMBERS.format(MANY)} SELECT {values} FROM n")
        cls.server.change(f"INSERT INTO image (name, note, created) {NUMBERS.format(IMAGES)} SELECT 'image-' || i, '', 0 FROM n")
        cls.server.change("INSERT INTO image_version (image, number, state, source, format, size, note, created, cmdline) "
                          f"{NUMBERS.format(IMAGES)} SELECT 'image-' || i, 1, 'published', 'debian.raw', 'raw', 1048576, '', 0,"
                          " '' FROM n")

    def timed(self, what, call):
        begun = self.server.own_time()
        answer = call()
        took = self.server.own_time() - begun
        print(f"({what} {took:.2f} s)", end=" ")
        self.assertLess(took, MOST, what)
        return answer

    def test_lists(self):
        api = self.server.api
        self.assertEqual(MANY, len(json.loads(self.timed("client list", lambda: self.leatctl("client", "list", "--json")))))
        listed = self.timed("image list", lambda: self.leatctl("image", "list"))
        self.assertEqual(IMAGES + 2, len(listed.splitlines()))
        self.timed("session list", lambda: self.leatctl("session", "list"))
        self.assertEqual(MANY, self.timed("status", lambda: api("GET", "status"))["counts"]["sessions"])
        for path in ("clients", "sessions", "online", "leases", "differences", "events", "assignments", "images"):
            page = self.timed(path, lambda path=path: api("GET", f"{path}?limit=1000"))
            self.assertEqual(min(1000, len(page["items"])), len(page["items"]))
            self.assertEqual(path == "online", "disks" in page["items"][0])
        found = self.timed("find", lambda: api("GET", f"clients?limit=50&find=many-{MANY - 1}"))
        self.assertEqual([f"many-{MANY - 1}"], [c["name"] for c in found["items"]])

    def test_machines(self):
        """What machines ask, and changes, one after the other."""
        machine = self.server.client(1, "d")
        self.timed("hello", machine.hello)
        token = machine.hello()[1]["disks"][0]["export"]
        control = Control(self.server)
        self.addCleanup(control.close)
        lease = self.timed("open", lambda: control.open(token))["lease"]
        self.timed("50 renewals of a lease", lambda: [control.ask("renew", lease=lease) for _ in range(50)])
        self.timed("renew", machine.renew)
        self.timed("20 clients", lambda: [self.server.client(100 + i, "d") for i in range(20)])
        self.timed("20 removed", lambda: [self.server.api("DELETE", f"clients/lab-{100 + i}") for i in range(20)])
        self.timed("disabled", lambda: self.server.api("PATCH", "clients/many-7", {"enabled": False}))
        self.timed("ended", lambda: self.server.api("DELETE", "sessions/s8"))
        until(lambda: b"-000000000007:" not in (self.server.folder / "nbd.psk").read_bytes(), "its key is gone")
