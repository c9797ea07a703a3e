# SPDX-License-Identifier: BSD-2-Clause
"""nbdkit with Leat's plugin at a real leatd: what a client is told by hello is what it gets by NBD."""
import subprocess
import time

from case import ServerCase
from dataplane import Nbdkit, held, tell
from server import SLOW, pause


class DataPlane(ServerCase):
    times = {"session": 90, "lease": 3}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.debian("server", "private")
        cls.made = 0
        cls.nbdkit = Nbdkit(cls.server)
        cls.said = cls.nbdkit.said

    @classmethod
    def tearDownClass(cls):
        cls.nbdkit.end()
        super().tearDownClass()

    @classmethod
    def uri(cls, token):
        return cls.nbdkit.uri(token)

    @classmethod
    def tool(cls, *words):
        *words, token = words
        return subprocess.run([*words, cls.uri(token)], capture_output=True, text=True, timeout=60)

    @classmethod
    def held(cls, token):
        return held(cls.uri(token))

    tell = staticmethod(tell)

    def client(self, disk):
        type(self).made += 1
        client = self.server.client(self.made, disk)
        client.disk, = client.hello()[1]["disks"]
        return client

    def io(self, token, *commands):
        return self.tool("qemu-io", "-f", "raw", *(word for c in commands for word in ("-c", c)), token)

    def test_layers(self):
        one, two = self.client("server"), self.client("server")
        self.assertIn("wrote 4096/4096", self.io(one.disk["export"], "write -P 7 0 4k").stdout)
        self.assertIn("read 4096/4096", self.io(one.disk["export"], "read -P 7 0 4k").stdout)
        self.assertNotIn("failed", self.io(two.disk["export"], "read -P 0 0 4k").stdout)
        below = self.tool("nbdinfo", "--no-content", "--json", one.disk["base"])
        self.assertIn('"is_read_only": true', below.stdout)

    def test_lost(self):
        """A difference that has been written is not made anew when its file is not there."""
        client = self.client("server")
        token = client.disk["export"]
        self.assertIn("wrote 4096/4096", self.io(token, "write -P 7 0 4k", "flush").stdout)
        made, = self.server.sql(f"SELECT id, made FROM difference WHERE client = '{client.uuid}'")
        self.assertEqual(1, made[1])
        file = self.server.folder / "differences" / made[0]
        pause(0.5)  # nbdkit closes it after its client has gone
        file.rename(f"{file}.lost")
        self.assertNotEqual(0, self.tool("nbdinfo", token).returncode)
        self.assertFalse(file.exists())
        self.assertIn("is not there now", self.said())
        file.with_name(file.name + ".lost").rename(file)
        self.assertNotIn("failed", self.io(token, "read -P 7 0 4k").stdout)

    def test_only_ones_own(self):
        client = self.client("server")
        client.bye()
        for token in (client.disk["export"], client.session, "x." + "A" * 43, "debian"):
            self.assertNotEqual(0, self.tool("nbdinfo", token).returncode)

    def test_second_writer(self):
        one, two = self.client("private"), self.client("private")
        holder = self.held(one.disk["export"])
        deadline = time.monotonic() + 10 * SLOW
        name = f"lab-{self.made - 1:02}"
        while not [x for x in self.server.items("leases") if name in str(x)] and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertNotEqual(0, self.tool("nbdinfo", two.disk["export"]).returncode)
        self.assertIn(f"lab-{self.made - 1:02}", self.said())
        holder.communicate("quit\n", timeout=30)

    def test_session_ended(self):
        """An administrator ends a session: its connection is cut."""
        client = self.client("server")
        with self.held(client.disk["export"]) as writer:
            self.tell(writer, "write -P 1 0 4k")
            pause(0.5)
            session, = [s for s in self.server.items("sessions") if s["name"] == f"lab-{self.made:02}" and not s["ended"]]
            self.server.api("DELETE", f"sessions/{session['id']}")
            pause(3)
            out = writer.communicate("read 0 4k\nquit\n", timeout=30)[0]
        self.assertIn("failed", out)
        self.assertIn("taken away", self.said())

    def test_started_again(self):
        """A machine that starts again has its disk at once: its old connection, which nobody has ended, is not in the way."""
        client = self.client("server")
        with self.held(client.disk["export"]) as old:
            self.tell(old, "write -P 1 0 4k")
            self.assertIn("wrote", old.stdout.readline())
            client.disk, = client.hello()[1]["disks"]
            self.assertNotIn("failed", self.io(client.disk["export"], "read -P 1 0 4k", "write -P 2 0 4k").stdout)
            old.communicate("quit\n", timeout=30)
        self.assertIn("read 4096/4096", self.io(client.disk["export"], "read -P 2 0 4k").stdout)

    def test_killed(self):
        """leatd is killed and started again under a writer."""
        client = self.client("server")
        with self.held(client.disk["export"]) as writer:
            self.tell(writer, "write -P 1 0 4k")
            pause(0.5)
            self.server.kill()
            pause(4)
            self.tell(writer, "write -P 2 4k 4k")
            self.server.start()
            pause(4)
            out = writer.communicate("read -P 2 4k 4k\nread -P 1 0 4k\nquit\n", timeout=30)[0]
        self.assertEqual(2, out.count("read 4096/4096"), out)
        self.assertNotIn("failed", out)
        self.assertNotIn("taken away", self.said().split("does not answer")[-1])
