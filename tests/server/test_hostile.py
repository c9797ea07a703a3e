# SPDX-License-Identifier: BSD-2-Clause
"""A hostile machine: each refusal has a sentence of its own, on the machine and in the log, and nothing of others leaks."""
import json
import socket
import subprocess
import time

from case import ServerCase
from dataplane import Nbdkit
from server import SLOW, Client, Control, enrol_key, unknown_machine

KEY = "fe" * 32


class Mallory(Client):
    """Keeps all that it has ever been told."""

    heard = b""

    def raw(self, data, options=()):
        answer = super().raw(data, options)
        Mallory.heard += answer
        return answer


class Case(ServerCase):
    """A victim that is on, and mallory, whose machine is known too."""

    nbdkit = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        api = cls.server.api
        (cls.server.folder / "images" / "secret-kernel").write_bytes(b"the victim's kernel")
        cls.server.image("debian", 1 << 20, version=False)
        api("POST", "images/debian/versions", {"source": "debian.raw", "state": "published", "kernel": "secret-kernel",
                                               "cmdline": "the-victims-cmdline"})
        cls.server.image("plain", 4096)
        for name, image, mode in (("own", "plain", "server"), ("victims", "debian", "server"), ("shared", "plain", "private")):
            api("POST", "disks", {"name": name, "image": image, "mode": mode})
        cls.victim = cls.server.client(1, "victims")
        api("POST", "assignments", {"client": "lab-01", "disk": "shared"})
        made = cls.server.client(2, "own")
        api("POST", "assignments", {"client": "lab-02", "disk": "shared"})
        cls.mallory = Mallory(cls.server, made.uuid, made.key, ["52:54:00:00:00:02"])
        answer = cls.victim.hello()[1]
        cls.victim.disks = {d["name"]: d for d in answer["disks"]}
        cls.control = Control(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.control.close()
        super().tearDownClass()

    def setUp(self):
        self.disks = {d["name"]: d for d in self.mallory.hello()[1]["disks"]}

    def tearDown(self):
        """Whatever was done: the victim goes on, and nothing of it was told or logged."""
        self.assertEqual(200, self.victim.renew()[0])
        exports = [d[n] for d in self.victim.disks.values() for n in ("export", "base") if d[n]]
        for secret in (self.victim.key, self.victim.session, *exports):
            self.assertFalse(secret.encode() in Mallory.heard, f"{secret} of the victim")
        for word in ("lab-01", "victims", "secret-kernel", "the victim's kernel", "the-victims-cmdline", str(self.server.folder)):
            self.assertFalse(word.encode() in Mallory.heard, word)
        told = json.dumps([self.server.items(p + "?limit=1000") for p in ("events", "audit")]) + self.server.log.read_text()
        told += self.nbdkit.said() if self.nbdkit else ""
        for secret in (self.victim.key, self.mallory.key, self.victim.session, self.mallory.session, KEY, *exports):
            self.assertNotIn(secret, told)

    def plain(self, data):
        """What comes back for bytes that are no TLS."""
        answer = b""
        try:
            with socket.create_connection(("127.0.0.1", self.server.client_port), 60) as connection:
                connection.sendall(data)
                while piece := connection.recv(4096):
                    answer += piece
        except ConnectionError:
            pass
        Mallory.heard += answer
        return answer


class Sentences(Case):
    def enrol(self, uuid):
        machine = Mallory(self.server, uuid, enrol_key())
        machine.identity = "enrol"
        return machine.request("POST", "enrol", {"uuid": uuid, "macs": [], "version": "1", "key": KEY})

    def test_sentences(self):
        """Each refusal: what the machine shows, and what leatctl's log says."""
        api, told = self.server.api, []

        def refused(machine, status, state, logged):
            found, answer = machine.hello()
            self.assertEqual((status, state), (found, answer["state"]))
            self.assertGreater(answer["wait"], 0)
            told.append((answer["error"], logged))

        def machine(number, **change):
            client = self.server.client(number, "own")
            if change:
                api("PATCH", f"clients/{client.uuid}", change)
            return client

        refused(unknown_machine(self.server, 1), 404, "unknown", "a machine that is not known: 88888888-")
        refused(machine(11, enabled=False), 403, "disabled", "lab-11: This machine is disabled")
        refused(machine(12, expires=int(time.time()) - 5), 403, "expired", "lab-12: This machine's permission has expired")
        refused(self.server.client(13), 403, "no disks", "lab-13: No disk is assigned")
        twin = machine(14)
        self.assertEqual(200, twin.hello()[0])
        refused(Client(self.server, twin.uuid, twin.key, ["52:54:00:99:99:99"]), 409, "cloned", "lab-14: Another machine")
        told.append((self.enrol(self.victim.uuid)[1]["error"], "enrolment as lab-01: Another key"))
        told.append((self.mallory.request("POST", "hello", {"uuid": self.victim.uuid, "macs": [], "version": "1"})[1]["error"],
                     f"a hello for {self.victim.uuid} with the key of {self.mallory.uuid}"))
        old = self.mallory.session
        self.mallory.hello()
        told.append((self.mallory.renew(old)[1]["error"],
                     f"a request of {self.mallory.uuid} is refused: the machine has started"))
        told.append((self.mallory.renew(self.victim.session)[1]["error"], "is refused: the session is not known"))
        disks = {d["name"]: d["export"] for d in self.mallory.hello()[1]["disks"]}
        told.append((self.control.open(self.victim.disks["victims"]["export"], "127.0.0.2")["error"],
                     "lab-01: an export name that is somebody else's"))
        self.assertIn("lease", self.control.open(self.victim.disks["shared"]["export"]))
        told.append((self.control.open(disks["shared"])["error"], "lab-02: disk shared is in use by lab-01"))
        self.assertEqual(len(told), len({sentence for sentence, _ in told}), told)
        # TLS has no words for a machine; the log has them.
        self.assertEqual((0, None), Client(self.server, self.victim.uuid, KEY).hello())
        self.assertEqual((0, None), Client(self.server, "99999999-0000-0000-0000-000000000000", KEY).hello())
        self.plain(b"POST /client/v1/hello HTTP/1.1\r\nHost: x\r\n\r\n")
        told += [("", f"TLS for {self.victim.uuid} was not completed: a wrong key?"),
                 ("", "TLS with an identity that is not known"), ("", "a connection without a client's key: plain text")]
        self.server.log_in()
        log = self.leatctl("log", "--kind", "refused", "-n", "1000")
        for _, words in told:
            self.assertIn(words, log)
        for sentence, _ in told:
            for word in ("SQL", "leatd", "0x", "/"):
                self.assertNotIn(word, sentence)


class Api(Case):
    def statuses(self, requests, token):
        """Of these (method, path), one behind the other on one connection."""
        data = b""
        for i, (method, path) in enumerate(requests):
            head = f"{method} /client/v1/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
            head += f"Authorization: Bearer {token}\r\n" if token else ""
            head += "Connection: close\r\n" if i == len(requests) - 1 else ""
            data += head.encode() + b"\r\n{}"
        return [int(answer[:3]) for answer in self.mallory.raw(data).split(b"HTTP/1.1 ")[1:]]

    def test_probes(self):
        """Every path with every method and token: nothing but what is its own answers."""
        own, victim = self.mallory.session, self.victim.session
        paths = ["hello", "renew", "bye", "chosen", "enrol", "profile/victims", "file/victims/kernel", "file/victims/profile",
                 "file/shared/kernel", "file/own/kernel", "file/own/../victims/kernel", "file/own%2f..%2fvictims/kernel",
                 "file/own/secret-kernel", "file/", "file/own/kernel/", "../../api/v1/clients", "..", "", "clients", "events"]
        for token in (None, victim, "a." + "A" * 43, "s." + "A" * 43):
            requests = [(method, path) for path in paths for method in ("GET", "PUT", "PATCH", "DELETE", "HEAD", "TRACE")]
            statuses = self.statuses(requests, token)
            self.assertEqual(len(requests), len(statuses))
            self.assertEqual(set(), set(statuses) - {400, 401, 404, 405, 501})
        own_paths = [("GET", p) for p in ("file/victims/kernel", "file/victims/initrd", "profile/victims", "file/own/kernel")]
        self.assertEqual([404] * 4, self.statuses(own_paths, own))
        for path in ("bye", "renew", "chosen"):
            self.assertEqual(401, self.mallory.request("POST", path, {}, victim)[0])
        self.assertEqual(422, self.mallory.request("POST", "chosen", {"disks": ["victims"]}, own)[0])
        self.assertEqual(401, self.mallory.request("PUT", "profile/victims", token=victim, data=b"x")[0])
        self.assertEqual(404, self.mallory.request("PUT", "profile/victims", token=own, data=b"x")[0])

    def test_broken(self):
        """What is no HTTP, no TLS, or never ends."""
        for data in (b"\0" * 5000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 5000,
                     b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", b"NBDMAGIC", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            self.assertNotIn(b"HTTP/1.1 2", self.plain(data))
        close = b"Connection: close\r\n"
        for data in (b"GET /client/v1/hello\r\n\r\n", b"POST /client/v1/hello HTTP/9.9\r\nHost: x\r\n" + close + b"\r\n",
                     b"POST /client/v1/renew HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n" + close + b"\r\n",
                     b"POST /client/v1/renew HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n" + close + b"\r\n",
                     b"POST /client/v1/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + close + b"\r\nzz\r\n",
                     b"POST /client/v1/hello HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 40000 + b"\r\n" + close + b"\r\n",
                     b"POST /client/v1/hello HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 2000 + close + b"\r\n",
                     b"GET /client/v1/" + b"a" * 30000 + b" HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n",
                     b"GET /client/v1/file/own/kernel HTTP/1.1\r\nHost: x\r\nRange: bytes=" + b"9" * 9000 + b"-\r\n" + close):
            answer = self.mallory.raw(data + b"\r\n")
            self.assertNotIn(b" 200 ", answer[:100], data[:60])


class Exports(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.nbdkit = Nbdkit(cls.server, options=("--tls=require", f"--tls-psk={cls.server.folder}/nbd.psk"))

    @classmethod
    def tearDownClass(cls):
        cls.nbdkit.end()
        super().tearDownClass()

    def nbd(self, export, options="tls-certificates=/nowhere", user=None, key=None):
        """nbdinfo's whole output for that export: by TLS with a key, or in plain text."""
        if key:
            file = self.server.root / "mallory.psk"
            file.write_text(f"{user}:{key}\n")
            uri = f"nbds://{user}@127.0.0.1:{self.nbdkit.port}/{export}?tls-psk-file={file}"
        else:
            uri = self.nbdkit.uri(export)
        run = subprocess.run(["nbdinfo", "--no-content", uri], capture_output=True, text=True, timeout=60 * SLOW)
        Mallory.heard += run.stdout.encode()
        return run

    def test_exports(self):
        mallory, victims = self.mallory, self.victim.disks["victims"]["export"]
        own = self.nbd(self.disks["own"]["export"], user=mallory.uuid, key=mallory.key)
        self.assertEqual(0, own.returncode, own.stderr)
        base = self.victim.disks["victims"]["base"]
        guesses = [self.victim.session, mallory.session, "debian", "victims", "", "x." + "A" * 43, "../debian.raw",
                   base[:-1] + ("E" if base.endswith("A") else "A"), victims.lower()]
        for guess in guesses:
            run = self.nbd(guess, user=mallory.uuid, key=mallory.key)
            self.assertNotEqual(0, run.returncode, guess)
        self.assertNotEqual(0, self.nbd(victims, user=self.victim.uuid, key=KEY).returncode)
        self.assertNotEqual(0, self.nbd(victims).returncode)  # in plain text, though it is a good name
        self.assertNotEqual(0, self.nbd(self.disks["own"]["export"]).returncode)
        listing = subprocess.run(["nbdinfo", "--list", self.nbdkit.uri("")], capture_output=True, timeout=60 * SLOW)
        self.assertNotEqual(0, listing.returncode)
        Mallory.heard += listing.stdout
        mallory.bye()
        self.assertNotEqual(0, self.nbd(self.disks["own"]["export"], user=mallory.uuid, key=mallory.key).returncode)
