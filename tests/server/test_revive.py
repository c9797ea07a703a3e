# SPDX-License-Identifier: BSD-2-Clause
"""A machine that was silent for longer than its session lives, and comes back."""

from case import ServerCase
from server import Control, until


class Revive(ServerCase):
    times = {"session": 20, "lease": 20}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.debian("read-only", "server", "private", size=4096)

    def setUp(self):
        self.control = Control(self.server)
        self.addCleanup(self.control.close)

    def begin(self, number, *disks):
        client = self.server.client(number, disks[0])
        for disk in disks[1:]:
            self.server.api("POST", "assignments", {"client": client.uuid, "disk": disk})
        client.exports = {d["name"]: d["export"] for d in client.hello()[1]["disks"]}
        return client

    def expire(self, client):
        """As if its time were over: until leatd has ended its session."""
        own = f"(SELECT id FROM session WHERE client = '{client.uuid}' AND ended IS NULL)"
        self.server.change(f"UPDATE lease SET expires = 1 WHERE session IN {own}")
        self.server.change(f"UPDATE session SET expires = 1 WHERE id IN {own}")
        until(lambda: all(s["client"] != client.uuid or s["ended"] for s in self.server.items("sessions")), "it has ended", 0.2)

    def opens(self, client, disk):
        return "lease" in self.control.open(client.exports[disk])

    def test_lives_again(self):
        client = self.begin(1, "read-only", "server", "private")
        self.assertTrue(all(self.opens(client, disk) for disk in client.exports))
        self.expire(client)
        self.assertEqual([False] * 3, [self.opens(client, disk) for disk in client.exports])
        self.assertEqual(401, client.get("/client/v1/file/server/kernel")[0])
        self.assertEqual(200, client.renew()[0])
        self.assertEqual([True] * 3, [self.opens(client, disk) for disk in client.exports])
        self.assertTrue(self.events("session", "lab-01 is heard again"))
        session, = [s for s in self.server.items("sessions") if s["client"] == client.uuid]
        self.assertEqual((None, None), (session["ended"], session["why"]))
        client.bye()
        self.assertEqual((401, "the machine said good-bye"), (client.renew()[0], client.renew()[1]["error"]))

    def test_what_has_changed_meanwhile(self):
        client, other = self.begin(2, "server", "private"), self.begin(3, "private")
        self.assertTrue(self.opens(client, "private"))
        self.expire(client)
        self.assertTrue(self.opens(other, "private"))
        other.bye()  # it has written to the disk that the first still believes to know
        self.assertEqual(200, client.renew()[0])
        self.assertEqual((True, False), (self.opens(client, "server"), self.opens(client, "private")))
        client.bye()

    def test_another_session_since(self):
        client = self.begin(4, "server")
        self.expire(client)
        old = client.session
        self.assertEqual(200, client.hello()[0])
        client.bye()
        self.assertEqual(401, client.renew(old)[0])
        self.assertTrue(self.events("refused", f"a request of {client.uuid} is refused"))

    def test_new_key(self):
        client = self.begin(5, "server")
        self.expire(client)
        client.key = self.server.api("POST", "clients/lab-05/key")["key"]
        self.assertEqual(401, client.renew()[0])

    def test_administrators_say(self):
        """What a silent machine had keeps nobody from removing anything."""
        client = self.begin(6, "server", "read-only")
        self.expire(client)
        one, = [d for d in self.server.items("differences") if d["client"] == client.uuid]
        self.server.api("DELETE", f"differences/{one['id']}")
        for assignment in self.server.items("assignments?limit=1000"):
            if assignment["client"] == client.uuid and assignment["disk"] == "read-only":
                self.server.api("DELETE", f"assignments/{assignment['id']}")
        self.server.api("PATCH", "clients/lab-06", {"enabled": False})
        self.assertEqual(401, client.renew()[0])
        self.server.api("PATCH", "clients/lab-06", {"enabled": True})
        self.assertEqual(200, client.renew()[0])
        self.assertEqual([False] * 2, [self.opens(client, disk) for disk in client.exports])

    def test_after_a_day(self):
        client = self.begin(7, "server")
        self.expire(client)
        self.server.change("UPDATE session SET ended = ended - 86401 WHERE why IS NOT NULL")
        self.assertEqual(401, client.renew()[0])
