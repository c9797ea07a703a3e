# SPDX-License-Identifier: BSD-2-Clause
"""tests/unit/test_leatd_db.c on a real database, and what happens when that is away."""
import os
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from case import ServerCase
from server import BUILD, LEATD, PASSWORD, Control, Server


class Layer(unittest.TestCase):
    def test_layer(self):
        with tempfile.TemporaryDirectory() as folder:
            where = Server.cluster.database() if Server.cluster else f"sqlite:{folder}/x.db"
            run = subprocess.run([BUILD / "tests" / "test_leatd_db"], env={**os.environ, "LEAT_DATABASE": where},
                                 capture_output=True, text=True, timeout=60)
            self.assertEqual(0, run.returncode, run.stdout + run.stderr)


class Silent(unittest.TestCase):
    @unittest.skipUnless(Server.cluster, "SQLite has no server")
    def test_does_not_answer(self):
        with socket.socket() as silent, tempfile.TemporaryDirectory() as folder:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            config = Path(folder) / "leatd.conf"
            config.write_text(f"[state]\nfolder = {folder}/state\n"
                              f"database = postgresql://leat@127.0.0.1:{silent.getsockname()[1]}/leat\n")
            run = subprocess.run([LEATD, "--config", config, "add-admin", "anna"], input=PASSWORD + "\n", text=True,
                                 capture_output=True, timeout=20)
            self.assertEqual((1, True), (run.returncode, "cannot be reached" in run.stderr))


class Restart(unittest.TestCase):
    @unittest.skipUnless(Server.cluster, "SQLite has no server")
    def test_nobody_has_seen_it(self):
        server = Server(database=Server.cluster.database())
        self.addCleanup(server.close)
        for i in range(5):
            server.api("POST", "groups", {"name": f"unseen-{i}"})
            Server.cluster.stop()
            Server.cluster.start()
            self.assertIn(f"unseen-{i}", [g["name"] for g in server.items("groups")])


class Encoding(unittest.TestCase):
    NOTE = "M\u00fcnchen"

    @unittest.skipUnless(Server.cluster, "SQLite has one encoding alone")
    def test_stays_after_a_restart(self):
        """A database whose own encoding is another, and a connection string that asks for one."""
        cluster, servers = Server.cluster, []
        options = ("-E", "LATIN1", "-T", "template0", "--locale=C")
        for more in ("", "&client_encoding=LATIN1"):
            servers.append(Server(database=cluster.database(*options) + more))
            self.addCleanup(servers[-1].close)
            servers[-1].client(1, note=self.NOTE)
        cluster.stop()
        cluster.start()
        for server in servers:
            self.assertEqual([self.NOTE], [client["note"] for client in server.items("clients")])
            server.api("PATCH", "clients/lab-01", {"note": self.NOTE * 2})
            self.assertEqual(self.NOTE * 2, server.api("GET", "clients/lab-01")["note"])


class Away(ServerCase):
    @unittest.skipUnless(Server.cluster, "SQLite has no server")
    def test_server_restarts(self):
        self.server.api("POST", "groups", {"name": "before"})
        control = Control(self.server)
        cluster = Server.cluster
        cluster.stop()
        self.assertEqual("later", control.ask("renew", lease="a")["reason"])
        self.refused(503, "GET", "groups", words="database")
        cluster.start()
        self.assertEqual(["before"], [g["name"] for g in self.server.items("groups")])
        self.assertEqual("gone", control.ask("renew", lease="a")["reason"])
        control.close()

    @unittest.skipIf(Server.cluster, "no file")
    def test_file_is_locked(self):
        lock = sqlite3.connect(self.server.folder / "leat.db", isolation_level=None)
        self.server.token = self.server.login()
        lock.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        self.refused(503, "GET", "groups", words="database")
        self.assertLess(time.monotonic() - started, 30)
        lock.execute("ROLLBACK")
        lock.close()
        self.server.api("GET", "groups")
