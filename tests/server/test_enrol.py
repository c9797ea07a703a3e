# SPDX-License-Identifier: BSD-2-Clause
"""Machines that bring their own key: windows of enrolment, and that nobody takes another's place in one."""
import json
import time

from case import ServerCase
from server import Client, enrol_key, unknown_machine

KEY = "0123456789abcdef" * 4


class Enrol(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.debian("d", mode="read-only", size=4096)
        cls.server.api("POST", "groups", {"name": "room"})
        cls.server.api("POST", "assignments", {"group": "room", "disk": "d"})

    def setUp(self):
        for window in self.server.items("enrolments"):
            self.server.api("DELETE", f"enrolments/{window['id']}")

    def open(self, **fields):
        return self.server.api("POST", "enrolments", {"group": "room", "seconds": 600, **fields})

    def enrol(self, machine, key=KEY, **more):
        body = {"uuid": machine.uuid, "macs": machine.macs, "version": "0.1.0", "key": key, **more}
        return machine.request("POST", "enrol", body)

    def test_window(self):
        machine, other = unknown_machine(self.server, 1), unknown_machine(self.server, 2)
        status, answer = self.enrol(machine)
        self.assertEqual((403, "unknown", True), (status, answer["state"], answer["wait"] > 0))
        self.refused(404, "GET", f"clients/{machine.uuid}")
        window = self.open()
        self.assertEqual((1, 0, "anna"), (window["count"], window["used"], window["admin"]))
        self.assertEqual((200, "known"), (self.enrol(machine)[0], self.enrol(machine)[1]["state"]))  # twice: an answer was lost
        self.assertEqual("unknown", self.enrol(other)[1]["state"])  # it was for one
        self.assertEqual(1, self.server.api("GET", f"enrolments/{window['id']}")["used"])
        client = self.server.api("GET", f"clients/{machine.uuid}")
        self.assertEqual((machine.uuid, "pc-525400008801", "room", machine.macs),
                         (client["uuid"], client["name"], client["group"], client["macs"]))
        self.assertEqual((200, "known"), (machine.hello()[0], machine.hello()[1]["state"]))
        own = Client(self.server, machine.uuid, KEY)
        status, answer = own.hello()
        self.assertEqual((200, ["d"]), (status, [d["name"] for d in answer["disks"]]))
        self.assertIn(f"{machine.uuid}:{KEY}\n", (self.server.folder / "nbd.psk").read_text())
        self.assertTrue(self.events("enrolled", "pc-525400008801"))
        entry, = [e for e in self.server.items("audit") if e["action"] == "enrol" and machine.uuid in e["object"]]
        self.assertEqual(("anna", f"client {machine.uuid}", "127.0.0.1"), (entry["who"], entry["object"], entry["address"]))
        shown = [self.server.items(p) for p in ("audit", "events", "clients", "enrolments")]
        self.assertNotIn(KEY, json.dumps(shown) + self.server.log.read_text())
        self.server.api("DELETE", f"clients/{machine.uuid}")

    def test_another_key(self):
        self.open(count=10)
        known = self.server.client(3, "d")
        thief = Client(self.server, known.uuid, enrol_key())
        thief.identity = "enrol"
        status, answer = self.enrol(thief)
        self.assertEqual((403, "known"), (status, answer["state"]))
        self.assertIn("Another key", answer["error"])
        self.assertTrue(self.events("refused", "enrolment as lab-03"))
        self.assertEqual(200, known.hello()[0])
        self.assertEqual(0, self.server.items("enrolments")[0]["used"])

    def test_a_client_without_key(self):
        client = self.server.client(4, "d")
        self.server.api("DELETE", "clients/lab-04/key")
        self.assertEqual(0, client.hello()[0])
        self.assertNotIn(client.uuid, (self.server.folder / "nbd.psk").read_text())
        machine = Client(self.server, client.uuid, enrol_key())
        machine.identity = "enrol"
        status, answer = self.enrol(machine)
        self.assertEqual((403, "known", True), (status, answer["state"], "no enrolment is open" in answer["error"]))
        other = self.server.client(5)
        self.server.api("DELETE", "clients/lab-05/key")
        self.open(group=None, client=other.uuid)
        self.assertEqual(403, self.enrol(machine)[0])  # it is another's
        self.open(group=None, client="lab-04")
        self.assertEqual((403, "unknown"), (self.enrol(unknown_machine(self.server, 6))[0],
                                            self.enrol(unknown_machine(self.server, 6))[1]["state"]))
        self.server.api("PATCH", "clients/lab-04", {"enabled": False})
        self.assertIn("disabled", self.enrol(machine)[1]["error"])
        self.server.api("PATCH", "clients/lab-04", {"enabled": True})
        self.assertEqual(200, self.enrol(machine)[0])
        client.key = KEY
        self.assertEqual((200, "lab-04"), (client.hello()[0], client.hello()[1]["name"]))

    def test_ends(self):
        machine = unknown_machine(self.server, 7)
        window = self.open(seconds=1)
        time.sleep(max(0, window["expires"] - time.time()) + 0.1)
        self.assertEqual(403, self.enrol(machine)[0])
        window = self.open(seconds=0, count=2)  # without an end: a quarantine group
        self.assertEqual(0, window["expires"])
        self.server.api("DELETE", f"enrolments/{window['id']}")
        self.assertEqual(403, self.enrol(machine)[0])

    def test_names(self):
        self.open(count=3)
        machine, twin = unknown_machine(self.server, 8), unknown_machine(self.server, 9)
        twin.macs = machine.macs
        bare = unknown_machine(self.server, 10)
        bare.macs = []
        for one, name in ((machine, "pc-525400008808"), (twin, twin.uuid), (bare, bare.uuid)):
            self.assertEqual(200, self.enrol(one)[0])
            self.assertEqual(name, self.server.api("GET", f"clients/{one.uuid}")["name"])

    def test_what_is_refused(self):
        self.open()
        machine = unknown_machine(self.server, 11)
        for key in ("", "0" * 63, "G" * 64, "A" * 64, 1, None, enrol_key()):
            self.assertEqual(400, self.enrol(machine, key)[0], key)
        self.assertEqual(400, self.enrol(machine, uuid="x")[0])
        known = self.server.client(12, "d")
        self.assertEqual(403, self.enrol(known)[0])
        for body, words in (({"seconds": 60}, "needs a group"), ({"group": "room"}, "seconds is missing"),
                            ({"group": "room", "seconds": -1}, "range"), ({"group": "room", "seconds": 9, "count": 0}, "range"),
                            ({"group": "room", "seconds": 9, "count": 10001}, "range"),
                            ({"group": "none", "seconds": 9}, "no group none"), ({"client": "none", "seconds": 9}, "no client"),
                            ({"client": "lab-12", "seconds": 9, "count": 2}, "count of 1")):
            self.refused(422, "POST", "enrolments", body, words)
        self.refused(422, "PATCH", f"enrolments/{self.server.items('enrolments')[0]['id']}", {"count": 2}, "cannot be changed")


class Floods(ServerCase):
    def test_attempts(self):
        machine = unknown_machine(self.server, 1)
        body = json.dumps({"uuid": machine.uuid, "macs": [], "version": "1", "key": KEY}).encode()
        one = b"POST /client/v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(body)
        data = (one + b"\r\n" + body) * 620 + one + b"Connection: close\r\n\r\n" + body
        answers = machine.raw(data).split(b"HTTP/1.1 ")[1:]
        self.assertEqual({b"403": 600, b"429": 21}, {c: sum(a[:3] == c for a in answers) for c in (b"403", b"429")})
        self.assertEqual(5, len(self.events("refused", "a machine that is not known")))
