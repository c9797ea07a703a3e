# SPDX-License-Identifier: BSD-2-Clause
"""The control socket: export names, leases, and what is no request."""
import json
import time

from case import ServerCase
from server import SLOW, Control, pause


class ControlSocket(ServerCase):
    times = {"session": 90, "lease": 3}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.debian("read-only", "server", "private")
        cls.server.api("POST", "disks", {"name": "empty", "mode": "private", "size": 1 << 30})
        cls.made = 0

    def setUp(self):
        super().setUp()
        self.control = Control(self.server)
        self.addCleanup(self.control.close)

    def client(self, disk):
        type(self).made += 1
        client = self.server.client(self.made, disk)
        client.disk, = client.hello()[1]["disks"]
        client.token = client.disk["export"]
        return client

    def test_modes(self):
        folder = self.server.folder
        answer = self.control.open(self.client("read-only").token)
        self.assertEqual((True, str(folder / "images/debian.raw"), "raw", 1 << 20),
                         (answer["read_only"], answer["path"], answer["format"], answer["size"]))
        self.assertNotIn("difference", answer)
        client = self.client("server")
        above, below = self.control.open(client.token), self.control.open(client.disk["base"])
        self.assertEqual((False, True), (above["read_only"], below["read_only"]))
        self.assertTrue(above["difference"].startswith(f"{folder}/differences/"))
        self.assertNotIn("difference", below)
        self.assertEqual("hold", above["away"])
        other = self.control.open(self.client("server").token)
        self.assertNotEqual(above["difference"], other["difference"])
        empty = self.client("empty")
        answer = self.control.open(empty.token)
        self.assertEqual((1 << 30, False), (answer["size"], "path" in answer))
        empty.bye()
        self.assertEqual(True, self.control.open(client.token, read_only=True)["read_only"])

    def test_what_is_not_ones_own(self):
        client = self.client("read-only")
        words = set()
        for token, peer in (("x." + "A" * 43, "127.0.0.1"), (client.session, "127.0.0.1"), ("", "127.0.0.1"),
                            ("' OR 1=1 --", "127.0.0.1"), (client.token + "A", "127.0.0.1"), (client.token, "10.0.0.9")):
            answer = self.control.open(token, peer)
            self.assertIn(answer["reason"], ("token", "peer"))
            words.add(answer["error"])
        self.assertEqual(1, len(words))  # nobody learns what is there
        self.assertTrue(self.events("refused", "is somebody else's"))
        self.assertTrue(self.events("refused", "nobody's, or no longer"))
        self.assertIn("lease", self.control.open(client.token, "::ffff:127.0.0.1"))
        self.assertIn("lease", self.control.open(client.token, ""))
        client.bye()
        self.assertEqual("token", self.control.open(client.token)["reason"])

    def test_guesses_do_not_fill_the_log(self):
        for i in range(25):
            self.assertEqual("token", self.control.open(f"x.{i:043}", f"2001:db8::{i + 1:x}")["reason"])
        self.assertEqual(20, len([e for e in self.events("refused", "nobody's") if e["address"].startswith("2001:db8::")]))

    def test_replay(self):
        client = self.client("read-only")
        old = client.token
        client.hello()
        self.assertEqual("token", self.control.open(old)["reason"])
        self.server.api("DELETE", f"sessions/{self.server.items('sessions')[0]['id']}")
        self.assertEqual(401, client.renew()[0])

    def test_two_writers(self):
        first, second = self.client("private"), self.client("private")
        lease = self.control.open(first.token)
        self.assertEqual(lease["lease"], self.control.open(first.token)["lease"])  # another connection of it
        answer = self.control.open(second.token)
        holder = self.server.api("GET", f"clients/{first.uuid}")["name"]
        self.assertEqual(("busy", holder), (answer["reason"], answer["holder"]))
        self.assertIn(f"private is in use by {holder}", answer["error"])
        self.assertTrue(self.events("refused", f"in use by {holder}"))
        self.control.open(first.token)  # a new term
        waits = [{"disk": "private", "holder": holder}]
        self.assertEqual((waits, waits), (second.renew()[1].get("busy"), second.request(
            "POST", "chosen", {"disks": ["private"]}, token=second.session)[1].get("busy")))
        self.control.open(first.token)
        self.assertNotIn("busy", first.renew()[1])
        self.assertEqual({}, self.control.ask("close", lease=lease["lease"]))
        self.assertEqual("busy", self.control.open(second.token)["reason"])  # it may only have lost its connection
        first.bye()
        taken = self.control.open(second.token)
        self.assertEqual(lease["difference"], taken["difference"])
        self.assertNotIn("busy", second.renew()[1])
        self.assertEqual("gone", self.control.ask("renew", lease=lease["lease"])["reason"])
        self.assertEqual("gone", self.control.ask("close", lease=lease["lease"])["reason"])
        third = self.client("private")
        deadline = time.monotonic() + 15 * SLOW
        while "lease" not in self.control.open(third.token):  # the second's is not renewed
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.5)
        for client in (second, third):
            client.bye()

    def test_renewed_for_long(self):
        client, other = self.client("empty"), self.client("empty")
        lease = self.control.open(client.token)["lease"]
        for i in range(6):  # longer than a lease lives
            self.assertIn("expires", self.control.ask("renew", lease=lease, read=1000 * i, written=i))
            self.assertEqual("busy", self.control.open(other.token)["reason"])
            pause(0.7)
        shown, = [l for l in self.server.items("leases") if l["id"] == lease]
        self.assertEqual((5000, 5, True), (shown["read"], shown["written"], shown["writer"]))
        for c in (client, other):
            c.bye()

    def test_disabled(self):
        client = self.client("read-only")
        lease = self.control.open(client.token)["lease"]
        self.server.api("PATCH", f"clients/{client.uuid}", {"enabled": False})
        self.assertEqual("gone", self.control.ask("renew", lease=lease)["reason"])
        self.assertEqual("token", self.control.open(client.token)["reason"])

    def test_no_request(self):
        for fields in ({"op": "burn"}, {"op": "open"}, {"op": "open", "token": 1, "peer": ""}, {"op": "renew"},
                       {"op": "renew", "lease": None}, {}, {"op": ["open"]}):
            self.control.socket.sendall(json.dumps(fields).encode() + b"\n")
            self.assertEqual("request", json.loads(self.control.file.readline())["reason"])
        self.assertEqual("gone", self.control.ask("renew", lease="x" * 3000)["reason"])
        # Two at once, in order; then one in pieces.
        self.control.socket.sendall(b'{"op": "renew", "lease": "a"}\n{"op": "open"}\n{"op":')
        self.assertEqual("gone", json.loads(self.control.file.readline())["reason"])
        self.assertEqual("request", json.loads(self.control.file.readline())["reason"])
        self.control.socket.sendall(b' "burn"}\n')
        self.assertEqual("request", json.loads(self.control.file.readline())["reason"])
        for bad in (b"x\n", b"\n", b"[]\n", b"\0\n", b"{" * 5000 + b"\n", b'{"op": "' + b"a" * 5000):
            control = Control(self.server)
            control.socket.sendall(bad)
            try:
                self.assertEqual(b"", control.file.readline())
            except ConnectionError:
                pass
            control.close()

    def test_many_connections(self):
        others = [Control(self.server) for _ in range(40)]
        alive = 0
        for control in others:
            try:
                alive += control.ask("renew", lease="a").get("reason") == "gone"
            except ConnectionError:
                pass
        self.assertEqual(31, alive)  # and this test's own
        for control in others:
            control.close()
        self.assertEqual("gone", self.control.ask("renew", lease="a")["reason"])
