# SPDX-License-Identifier: BSD-2-Clause
"""One process at a time has a server's name: clones of a machine, a server that was thought dead, and its own restart."""
import signal
import time
import unittest

from server import SLOW, Control, Server

SHORT = {"session": 8, "lease": 3}  # 5 s until a server is taken for dead
BOUND = 60 * SLOW


class Identity(unittest.TestCase):
    times = SHORT

    def setUp(self):
        self.one = Server(self.times, "one")
        self.addCleanup(self.end, self.one)
        if not self.one.cluster:
            self.one.database = f"sqlite:{self.one.folder}/leat.db"  # for the clone too
        self.one.debian("d", mode="server")

    @staticmethod
    def end(server):
        """However it was left."""
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGCONT)
            server.kill()
        server.close()

    def clone(self):
        """Another machine with the same configuration: another folder, another place, the same name and database."""
        server = Server(self.times, "one", "10.0.0.2:10809", beside=self.one)
        self.addCleanup(self.end, server)
        return server

    def instance(self):
        return self.one.sql("SELECT instance, beat FROM server WHERE name = 'one'")[0]

    def test_clone(self):
        """It is refused with a sentence, and the one that is alive notices nothing."""
        machine = self.one.client(1, "d")
        before = self.instance()[0]
        with self.assertRaises(RuntimeError) as caught:
            self.clone()
        self.assertIn("the name one of this server is another leatd's of the same database, which is alive (127.0.0.1:10809)",
                      str(caught.exception))
        self.assertEqual(before, self.instance()[0])
        self.assertIsNone(self.one.process.poll())
        self.assertIn("lease", self.opened(machine))

    def opened(self, machine):
        token = machine.hello()[1]["disks"][0]["export"]
        control = Control(self.one)
        self.addCleanup(control.close)
        return control.open(token)

    def test_taken_over(self):
        """One that stood still so long that another has its name gives no lease any more when it goes on, and ends."""
        machine = self.one.client(1, "d")
        token = machine.hello()[1]["disks"][0]["export"]
        control = Control(self.one)
        self.addCleanup(control.close)
        self.assertIn("lease", control.open(token))
        self.one.process.send_signal(signal.SIGSTOP)
        other = self.clone()
        self.assertIn("looking for", other.log.read_text())
        control.socket.sendall(b'{"op": "open", "token": "%s", "peer": "127.0.0.1"}\n' % token.encode())
        self.one.process.send_signal(signal.SIGCONT)
        try:
            self.assertNotIn(b'"lease"', control.file.readline())
        except ConnectionError:
            pass  # it has ended without having read the request
        self.assertEqual(1, self.one.process.wait(BOUND))
        self.assertIn("another leatd has taken the name one of this server: this one has ended", self.one.log.read_text())
        other.token = other.login()
        self.assertTrue([e for e in other.items("events") if "taken the name one" in e["message"]])
        with self.assertRaises(RuntimeError):  # it is alive now, and so the first one is the clone
            self.one.start()
        other.end()
        self.one.start()  # what has ended by itself has left the name

    def test_copied_as_it_ran(self):
        """A copy of the process itself has the same instance: the count tells."""
        self.one.change("UPDATE server SET beat = beat + 2 WHERE name = 'one'")
        self.assertEqual(1, self.one.process.wait(BOUND))
        self.assertIn("another leatd has taken the name", self.one.log.read_text())


class Own(Identity):
    """With the terms that a server has by default: who is dead may be waited for 31 s."""
    times = {}
    test_clone = test_taken_over = test_copied_as_it_ran = None

    def test_restarts(self):
        """Killed, ended, with clocks that were set in between: its own name is there at once."""
        for what in ("kill", "end", "kill"):
            getattr(self.one, what)()
            for seconds in (100000, -100000):
                self.one.change(f"UPDATE server SET alive = alive + {seconds}")
            begun = time.monotonic()
            self.one.start()
            self.assertLess(time.monotonic() - begun, 15 * SLOW)
        self.assertNotIn("looking for", self.one.log.read_text())
        self.one.end()
        begun = time.monotonic()
        other = self.clone()  # as another machine: the name is free
        self.assertLess(time.monotonic() - begun, 15 * SLOW)
        self.assertEqual("one", other.api("GET", "status", token=other.login())["server"])
