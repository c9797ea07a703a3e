# SPDX-License-Identifier: BSD-2-Clause
"""leatd hangs, or its database is away, for longer than sessions and leases live: nothing ends because of that."""
import json
import signal
import sqlite3
import threading
import time
import unittest

from case import ServerCase
from server import SLOW, Control, Server, pause

AWAY = 3.6  # seconds; longer than the terms


class Away(ServerCase):
    times = {"session": 3, "lease": 3}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.debian("d", mode="private", size=4096)
        cls.machine = cls.server.client(1, "d")

    def setUp(self):
        super().setUp()
        self.control = Control(self.server)
        self.addCleanup(self.control.close)
        answer = self.machine.hello()[1]
        self.lease = self.control.open(answer["disks"][0]["export"])["lease"]

    def check(self):
        """The lease first: nothing may have judged it before."""
        self.assertIn("expires", self.control.ask("renew", lease=self.lease))
        self.assertEqual(200, self.machine.renew()[0])
        self.machine.bye()

    def test_stopped(self):
        self.server.process.send_signal(signal.SIGSTOP)
        pause(AWAY)
        again = threading.Timer(0.2, self.server.process.send_signal, [signal.SIGCONT])
        again.start()
        self.check()  # the first request is there before leatd goes on
        again.join()

    @unittest.skipIf(Server.cluster, "no file")
    def test_locked(self):
        lock = sqlite3.connect(self.server.folder / "leat.db", isolation_level=None)
        other = Control(self.server)
        other.ask("renew", lease=self.lease)
        lock.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        self.server.process.send_signal(signal.SIGSTOP)  # so that it finds both at once
        line = json.dumps({"op": "renew", "lease": self.lease}).encode() + b"\n"
        asked = [self.control, other]  # the first one waits for the database, the second one for its turn
        for control in asked:
            control.socket.sendall(line)
        self.server.process.send_signal(signal.SIGCONT)
        while True:
            self.assertEqual("later", json.loads(asked[0].file.readline())["reason"])  # after 4 s
            asked.reverse()
            if time.monotonic() > began + AWAY * SLOW - 3:
                break
            asked[1].socket.sendall(line)
        time.sleep(0.3)
        lock.execute("ROLLBACK")  # while the other request waits for the database
        self.assertIn("expires", json.loads(asked[0].file.readline()))
        other.close()
        lock.close()
        self.check()

    @unittest.skipUnless(Server.cluster, "SQLite has no server")
    def test_database_stopped(self):
        Server.cluster.stop()
        pause(AWAY)
        self.assertEqual("later", self.control.ask("renew", lease=self.lease)["reason"])
        Server.cluster.start()
        self.check()
