# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the web page share: one leatd and one browser for all of a class, and machines that report."""
import contextlib
import json
import sqlite3
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "server"))

from browser import Browser  # noqa: E402
from case import ServerCase  # noqa: E402
from server import BUILD, PASSWORD  # noqa: E402

LOGS = BUILD / "web-logs"
MIB = 1 << 20


def disk(name, **more):
    """What vdisk says of a disk (docs/vdisk.md), as far as the page reads it."""
    return {"disk": name, "requests": 4000, "ram_bytes": 60 * MIB, "disk_bytes": 20 * MIB, "network_bytes": 20 * MIB,
            "hole_bytes": 0, "written_bytes": 3 * MIB, "errors": 0, "blocked_us": 250000, "rtt_us": 20000,
            "rate_bytes_per_s": 12500000,
            "profile": {"boots": 3, "bytes": 100 * MIB, "streamed_bytes": 40 * MIB, "is_recording": True}, **more}


REPORT = {"boot": [{"ms": 0, "what": "leatd has answered"}, {"ms": 420, "what": "kernel and initrd are there"},
                   {"ms": 700, "what": "VM web is started"}, {"ms": 19400, "what": "first request of the disk"}],
          "vms": [{"name": "web", "state": "running"}], "disks": [disk("web/root")]}


class PageCase(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        LOGS.mkdir(exist_ok=True)
        try:
            cls.browser = Browser()
        except BaseException:
            cls.server.close()
            raise
        cls.address = f"http://127.0.0.1:{cls.server.admin_port}/"

    @classmethod
    def tearDownClass(cls):
        try:
            cls.browser.close()
        finally:
            super().tearDownClass()

    def tearDown(self):
        """Nothing was kept from running by the page's own policy, and no script has failed."""
        problems = [line for line in self.browser.console() if "status of 4" not in line]
        self.browser.screenshot(LOGS / f"{self._testMethodName}.png")
        self.assertEqual([], problems)

    def log_in(self, page="online"):
        """At that page, logged in; the login of an earlier test is still good."""
        self.browser.go(self.address)
        self.browser.wait(lambda: self.browser.all("form.login, nav a[aria-current=page]"), "leatd has answered")
        if self.browser.all("form.login"):
            self.fill_login(PASSWORD)
            self.browser.one("nav a[aria-current=page]")
        self.browser.go(f"{self.address}#/{page}")

    def fill_login(self, password):
        self.browser.type("input[name=name]", "anna")
        self.browser.type("input[name=password]", password)
        self.browser.click("button", "Log in")

    def machine(self, number, report=None, disk=None, **hello):
        """A client with a session that has sent that report."""
        client = self.server.client(number, disk or "debian")
        status, answer = client.hello(**hello)
        self.assertEqual(200, status, answer)
        if report is not None:
            self.report(client, report)
        return client

    def report(self, client, report):
        status, answer = client.renew(body={"report": report})
        self.assertEqual(200, status, answer)

    @contextlib.contextmanager
    def database(self):
        """For what would take a thousand machines too long."""
        with contextlib.closing(sqlite3.connect(self.server.folder / "leat.db", timeout=60)) as database, database:
            yield database

    def crowd(self, count):
        """So many machines that are on: crowd-0000 and so on."""
        now, report = int(time.time()), json.dumps(REPORT)
        with self.database() as database:
            for i in range(count):
                uuid, name = f"cccccccc-0000-0000-0000-{i:012x}", f"crowd-{i:04}"
                database.execute("INSERT INTO client (uuid, name, macs, psk, enabled, expires, note, created) VALUES"
                                 " (?, ?, '', ?, 1, 0, '', ?)", (uuid, name, "00" * 32, now))
                database.execute("INSERT INTO session (id, hash, client, started, renewed, expires, address, macs, leat_version,"
                                 " hardware, server, report) VALUES (?, ?, ?, ?, ?, ?, '10.0.0.1', '', '1', '{}', 'one', ?)",
                                 (f"{i:024x}", f"crowd {i}", uuid, now, now, now + 3600, report))

    def disperse(self):
        with self.database() as database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("DELETE FROM client WHERE name LIKE 'crowd-%'")
            database.execute("DELETE FROM server WHERE name = 'two'")
