# SPDX-License-Identifier: BSD-2-Clause
"""The clients' API over TLS: who gets in, what is offered, and how sessions end."""
import socket
import time

from case import ServerCase
from server import SLOW, Client, Control, Kept, enrol_key, pause


class Clients(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.debian("read-only", "server", "private")

    def test_hello(self):
        client = self.server.client(1, "server")
        status, answer = client.hello(hardware={"product": "X1", "memory": 16384})
        self.assertEqual((200, "ok", "lab-01"), (status, answer["state"], answer["name"]))
        disk, = answer["disks"]
        self.assertEqual(("server", "server", 1 << 20), (disk["name"], disk["mode"], disk["size"]))
        self.assertNotEqual(disk["export"], disk["base"])
        session = self.server.items("sessions")[0]
        self.assertEqual((client.uuid, "127.0.0.1", None), (session["client"], session["address"], session["ended"]))
        self.assertEqual(200, client.renew()[0])
        self.assertEqual(200, client.bye()[0])
        status, answer = client.renew()
        self.assertEqual((401, "the machine said good-bye"), (status, answer["error"]))
        log = self.server.log.read_text()
        for secret in (client.key, client.session, disk["export"]):
            self.assertNotIn(secret, log)
            self.assertFalse([t for t in ("session", "export", "event", "audit")
                              if secret in str(self.server.sql(f"SELECT * FROM {t}"))])

    def test_wrong_key(self):
        client = self.server.client(2, "read-only")
        liar = Client(self.server, client.uuid, "00" * 32)
        self.assertEqual((0, None), liar.hello())
        self.assertTrue(self.events("refused", f"TLS for {client.uuid} was not completed"))
        nobody = Client(self.server, "99999999-0000-0000-0000-000000000000", "00" * 32)
        self.assertEqual((0, None), nobody.hello())
        self.assertTrue(self.events("refused", "identity that is not known"))
        self.assertEqual(200, client.hello()[0])

    def test_hardware_is_text(self):
        client = self.server.client(15, "read-only")
        head = f'{{"uuid": "{client.uuid}", "macs": [], "version": "1", "hardware": '.encode()
        for hardware in (b'{"\xff\xfe": 1}', b'{"a": {"\\u0001": 1}}'):
            status, answer = client.request("POST", "hello", data=head + hardware + b"}")
            self.assertEqual((400, True), (status, "UTF-8" in answer["error"]))
        self.assertEqual(200, client.request("POST", "hello", data=head + '{"Größe": 1}}'.encode())[0])
        self.assertTrue(self.server.items("sessions"))

    def test_another_uuid(self):
        client, victim = self.server.client(3, "read-only"), self.server.client(4, "read-only")
        client.uuid = victim.uuid
        self.assertEqual(403, client.hello()[0])
        self.assertTrue(self.events("refused", f"a hello for {victim.uuid} with the key of"))
        self.assertEqual(200, victim.hello()[0])
        thief = Client(self.server, client.identity, client.key)
        self.assertEqual(401, thief.renew(victim.session)[0])
        self.assertEqual(200, victim.renew()[0])

    def test_unknown(self):
        client = Client(self.server, "88888888-0000-0000-0000-000000000001", enrol_key())
        client.identity = "enrol"
        status, answer = client.hello()
        self.assertEqual((404, "unknown"), (status, answer["state"]))
        self.assertIn("not known", answer["error"])
        self.assertTrue(self.events("refused", f"not known: {client.uuid}, {client.macs[0]}"))
        self.assertGreater(answer["wait"], 0)
        made = self.server.api("POST", "clients", {"uuid": client.uuid, "name": "new"})
        self.assertEqual((200, "known"), (client.hello()[0], client.hello()[1]["state"]))
        self.assertIsNone(client.session)
        client.identity, client.key = client.uuid, made["key"]
        status, answer = client.hello()
        self.assertEqual((403, "no disks"), (status, answer["state"]))
        self.server.api("POST", "assignments", {"client": "new", "disk": "read-only"})
        self.assertEqual(200, client.hello()[0])

    def test_disabled_and_expired(self):
        client = self.server.client(5, "read-only")
        self.assertEqual(200, client.hello()[0])
        self.server.api("PATCH", "clients/lab-05", {"enabled": False})
        self.assertEqual((401, "the client is disabled"), (client.renew()[0], client.renew()[1]["error"]))
        status, answer = client.hello()
        self.assertEqual((403, "disabled"), (status, answer["state"]))
        self.server.api("PATCH", "clients/lab-05", {"enabled": True, "expires": int(time.time()) - 1})
        status, answer = client.hello()
        self.assertEqual((403, "expired"), (status, answer["state"]))
        self.assertNotIn(client.uuid, (self.server.folder / "nbd.psk").read_text())
        self.server.api("PATCH", "clients/lab-05", {"expires": 0})
        self.assertEqual(200, client.hello()[0])
        self.assertIn(f"{client.uuid}:{client.key}\n", (self.server.folder / "nbd.psk").read_text())

    def test_cloned(self):
        client = self.server.client(6, "read-only")
        self.assertEqual(200, client.hello()[0])
        clone = Client(self.server, client.uuid, client.key, ["52:54:00:99:99:99"])
        status, answer = clone.hello()
        self.assertEqual((409, "cloned"), (status, answer["state"]))
        self.assertTrue(self.events("refused", "lab-06: Another machine"))
        self.assertEqual(200, client.renew()[0])
        old = client.session
        self.assertEqual(200, client.hello()[0])  # the same machine has started again
        self.assertEqual("the machine has started again", client.renew(old)[1]["error"])
        self.assertEqual(200, client.renew()[0])
        client.bye()
        self.assertEqual(200, clone.hello()[0])

    def test_new_key(self):
        client = self.server.client(7, "read-only")
        key = self.server.api("POST", "clients/lab-07/key")["key"]
        self.assertEqual(0, client.hello()[0])
        client.key = key
        self.assertEqual(200, client.hello()[0])

    def test_old_key(self):
        client, api = self.server.client(14, "read-only"), self.server.api
        hello = {"uuid": client.uuid, "macs": client.macs, "version": "0.1.0"}
        kept = Kept(client)
        self.addCleanup(kept.close)
        status, answer = kept.post("hello", hello)
        control = Control(self.server)
        self.addCleanup(control.close)
        export = answer["disks"][0]["export"]
        self.assertEqual((200, True), (status, "lease" in control.open(export)))
        client.key = api("POST", "clients/lab-14/key")["key"]
        self.assertEqual("token", control.open(export)["reason"])
        self.assertEqual(401, kept.post("renew", token=answer["session"])[0])
        self.assertEqual(401, kept.post("hello", hello)[0])
        self.assertEqual(200, client.hello()[0])
        self.assertEqual(401, kept.post("renew", token=client.session)[0])
        self.assertEqual(200, client.renew()[0])
        # Removed and added again: the same UUID with a key of its own.
        kept = Kept(client)
        self.addCleanup(kept.close)
        self.assertEqual(200, kept.post("renew", token=client.session)[0])
        for one in self.server.items("assignments"):
            if one["client"] == client.uuid:
                api("DELETE", f"assignments/{one['id']}")
        api("DELETE", "clients/lab-14")
        self.assertEqual(404, kept.post("hello", hello)[0])
        self.server.client(14, "read-only")
        self.assertEqual(401, kept.post("hello", hello)[0])

    def test_no_plain_text(self):
        status = b""
        try:
            with socket.create_connection(("127.0.0.1", self.server.client_port), 10) as plain:
                plain.sendall(b"POST /client/v1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
                status = plain.recv(100)
        except ConnectionError:
            pass
        self.assertNotIn(b"HTTP/1.1", status)
        client = self.server.client(8, "read-only")
        self.assertEqual(b"", client.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ["-tls1_1"]))

    def test_menu(self):
        api = self.server.api
        api("POST", "groups", {"name": "menu"})
        client = self.server.client(9, group="menu")
        api("POST", "assignments", {"group": "menu", "disk": "read-only", "place": 2, "label": "Debian, read only"})
        api("POST", "assignments", {"group": "menu", "disk": "server", "place": 1, "default": True, "memory": 2048})
        api("POST", "assignments", {"client": "lab-09", "disk": "server", "place": 1, "label": "mine", "cpus": 2})
        disks = client.hello()[1]["disks"]
        self.assertEqual([("server", "mine", 2), ("read-only", "Debian, read only", 0)],
                         [(d["name"], d["label"], d["cpus"]) for d in disks])

    def test_versions(self):
        api = self.server.api
        self.server.image("series", 4096, version=False)
        api("POST", "disks", {"name": "newest", "image": "series", "mode": "server"})
        client = self.server.client(10, "newest")
        self.assertEqual("no disks", client.hello()[1]["state"])
        self.assertTrue(self.events("refused", "newest has no published version"))
        (self.server.folder / "images" / "two.raw").write_bytes(b"2" * 8192)
        api("POST", "images/series/versions", {"source": "series.raw", "state": "published", "content": "one"})
        self.assertEqual((4096, "one"), [(d["size"], d["content"]) for d in client.hello()[1]["disks"]][0])
        api("POST", "images/series/versions", {"source": "two.raw", "state": "published", "content": "two"})
        # Its difference belongs to the first version; another client begins with the second.
        self.assertEqual((4096, "one"), [(d["size"], d["content"]) for d in client.hello()[1]["disks"]][0])
        other = self.server.client(11, "newest")
        self.assertEqual((8192, "two"), [(d["size"], d["content"]) for d in other.hello()[1]["disks"]][0])
        mine, = [d for d in self.server.items("differences") if d["client"] == client.uuid]
        self.refused(409, "DELETE", f"differences/{mine['id']}", words="end that first")
        self.refused(409, "DELETE", "clients/lab-10", words="differences")
        client.bye()
        (self.server.folder / "differences" / mine["id"]).write_bytes(b"x")
        api("DELETE", f"differences/{mine['id']}")
        self.assertEqual((8192, "two"), [(d["size"], d["content"]) for d in client.hello()[1]["disks"]][0])

    def test_withdrawn(self):
        self.server.image("gone", 4096)
        self.server.api("POST", "disks", {"name": "gone", "image": "gone", "mode": "server"})
        client, other = self.server.client(16, "gone"), self.server.client(17, "gone")
        size = [d["size"] for d in client.hello()[1]["disks"]]
        self.server.api("PATCH", "images/gone/versions/1", {"state": "withdrawn"})
        status, answer = client.hello()  # it has a difference over that version
        self.assertEqual((200, size), (status, [d["size"] for d in answer["disks"]]))
        self.assertEqual("no disks", other.hello()[1]["state"])

    def test_unassigned(self):
        client = self.server.client(18, "read-only")
        self.server.api("POST", "assignments", {"client": client.uuid, "disk": "server"})
        exports = {d["name"]: d["export"] for d in client.hello()[1]["disks"]}
        control = Control(self.server)
        self.addCleanup(control.close)
        leases = {name: control.open(export)["lease"] for name, export in exports.items()}
        for one in self.server.items("assignments?limit=1000"):
            if one["client"] == client.uuid and one["disk"] == "server":
                self.server.api("DELETE", f"assignments/{one['id']}")
        self.assertEqual(200, client.renew()[0])
        self.assertEqual("gone", control.ask("renew", lease=leases["server"])["reason"])
        self.assertEqual("token", control.open(exports["server"])["reason"])
        self.assertIn("expires", control.ask("renew", lease=leases["read-only"]))
        self.assertTrue(self.events("session", "lab-18: a disk that it had"))


class Floods(ServerCase):
    """Machines that ask again and again: what it leaves is bounded."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.debian("d", mode="read-only", size=4096)

    def hellos(self, client, count, **more):
        kept = Kept(client)
        self.addCleanup(kept.close)
        hello = {"uuid": client.uuid, "macs": client.macs, "version": "0.1.0", **more}
        return [kept.post("hello", hello) for _ in range(count)]

    def test_hellos(self):
        client, other = self.server.client(1, "d"), self.server.client(2, "d")
        answers = self.hellos(client, 40)
        self.assertEqual([200] * 30 + [429] * 10, [status for status, _ in answers])
        self.assertEqual(("later", True), (answers[-1][1]["state"], answers[-1][1]["wait"] > 0))
        self.assertEqual(200, other.hello()[0])
        # The one that lives is refused to a clone, without a word for each time.
        clone = Client(self.server, other.uuid, other.key, ["52:54:00:99:99:99"])
        self.assertEqual({409}, {status for status, _ in self.hellos(clone, 12)})
        self.assertEqual(5, len(self.events("refused", "lab-02: Another machine")))
        third = self.server.client(3, "d")
        self.assertEqual({403}, {status for status, _ in self.hellos(third, 12, uuid=client.uuid)})
        self.assertEqual(5, len(self.events("refused", f"with the key of {third.uuid}")))

    def test_no_disks(self):
        client = self.server.client(4)
        self.assertEqual(["no disks"] * 3, [answer["state"] for _, answer in self.hellos(client, 3)])
        self.assertEqual([], [s for s in self.server.items("sessions") if s["client"] == client.uuid])

    def test_unknown(self):
        client = Client(self.server, "88888888-0000-0000-0000-000000000001", enrol_key())
        client.identity = "enrol"
        self.assertEqual({404}, {status for status, _ in self.hellos(client, 12)})
        self.assertEqual(5, len(self.events("refused", f"a machine that is not known: {client.uuid}")))
        self.assertEqual(429, self.hellos(client, 650)[-1][0])


class Expiry(ServerCase):
    times = {"session": 4, "lease": 4}

    def test_dropped(self):
        self.server.api("POST", "disks", {"name": "empty", "mode": "private", "size": 512})
        client = self.server.client(3, "empty")
        client.hello()
        client.bye()
        one, = self.server.items("differences")
        files = [self.server.folder / "differences" / (one["id"] + end) for end in ("", ".new")]
        for file in files:
            file.write_bytes(b"x")
        self.server.api("DELETE", f"differences/{one['id']}")
        deadline = time.monotonic() + 15 * SLOW
        while self.server.sql("SELECT id FROM difference"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.assertEqual([], [file for file in files if file.exists()])

    def test_silence_and_restart(self):
        self.server.debian("d", mode="private", size=4096)
        client, silent = self.server.client(1, "d"), self.server.client(2, "d")
        disk, other = (c.hello()[1]["disks"][0]["export"] for c in (client, silent))
        control = Control(self.server)
        lease = control.open(disk)["lease"]
        control.close()
        pause(1.5)
        client.renew()
        self.server.kill()
        pause(4.6)  # longer than a session lives
        self.server.start()
        control = Control(self.server)
        self.assertEqual("busy", control.open(other)["reason"])
        self.assertIn("expires", control.ask("renew", lease=lease))
        self.assertEqual(lease, control.open(disk)["lease"])
        control.close()
        self.assertEqual(200, client.renew()[0])
        deadline = time.monotonic() + 14 * SLOW
        while not self.events("session", "lab-02: nothing was heard"):
            self.assertLess(time.monotonic(), deadline)
            client.renew()
            time.sleep(1)
        self.assertEqual(200, client.renew()[0])
        control = Control(self.server)
        self.assertEqual("token", control.open(other)["reason"])
        control.close()
