# SPDX-License-Identifier: BSD-2-Clause
"""Attacks on a leatd and its nbdkit with TLS: old tokens, others' tokens, old TLS, floods, races. Each is refused, with a
sentence in the log where there is somebody to name, and an honest machine is served meanwhile."""
import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time

from case import ServerCase
from dataplane import PLUGIN
from server import PASSWORD, SLOW, Control, Kept, free_port, pause, unknown_machine, until, wait_for_port

HONEST = 5 * SLOW  # seconds for an honest hello, openssl's start included, on a host that is busy otherwise


class Attack(ServerCase):
    times = {"session": 3600, "lease": 3600}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.debian("d", mode="server")
        cls.made = 0

    def machine(self, **more):
        type(self).made += 1
        client = self.server.client(self.made, "d", **more)
        return client

    def refusals(self, words):
        return self.events("refused", words)

    @contextlib.contextmanager
    def honest(self):
        """A machine that says hello, and an administrator, are served before and after, and each soon."""
        machine = self.machine()
        for turn in range(2):
            begun = time.monotonic()
            self.assertEqual(200, machine.hello()[0])
            self.assertLess(time.monotonic() - begun, HONEST)
            begun = time.monotonic()
            self.server.api("GET", "status")
            self.assertLess(time.monotonic() - begun, HONEST)
            if not turn:
                yield


class Tokens(Attack):
    """Over NBD with TLS, as the package runs it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.port = free_port()
        cls.start_nbdkit()

    @classmethod
    def start_nbdkit(cls):
        cls.log = cls.server.root / "nbdkit.log"
        with open(cls.log, "a", encoding="utf-8") as log:
            cls.nbdkit = subprocess.Popen(["nbdkit", "-f", "--tls=require", f"--tls-psk={cls.server.folder}/nbd.psk", "-p",
                                           str(cls.port), PLUGIN, f"socket={cls.server.folder}/control.sock"], stderr=log)
        wait_for_port(cls.port, cls.nbdkit)

    @classmethod
    def tearDownClass(cls):
        cls.nbdkit.terminate()
        cls.nbdkit.wait()
        super().tearDownClass()

    def opens(self, token, machine, key=None, host="127.0.0.1"):
        """Whether the export can be opened with the machine's key; a new key takes a moment until it is in nbdkit's file."""
        file = self.server.root / "psk"
        file.write_text(f"{machine.uuid}:{key or machine.key}\n")
        uri = f"nbds://{machine.uuid}@{host}:{self.port}/{token}?tls-psk-file={file}"
        return subprocess.run(["nbdinfo", "--size", uri], capture_output=True, timeout=60 * SLOW).returncode == 0

    def in_file(self, machine):
        return machine.uuid in (self.server.folder / "nbd.psk").read_text()

    def started(self):
        machine = self.machine()
        token = machine.hello()[1]["disks"][0]["export"]
        until(lambda: self.in_file(machine), "its key is nbdkit's")
        self.assertTrue(self.opens(token, machine))
        return machine, token

    def test_replay(self):
        """Tokens of a session that has ended, however, are worth nothing; also after leatd and nbdkit were started anew."""
        machine, token = self.started()
        session = machine.session
        machine.hello()
        other, others = self.started()
        other.bye()
        silent, silents = self.started()
        self.server.change(f"UPDATE session SET expires = 1 WHERE client = '{silent.uuid}'")
        for restart in (False, True):
            if restart:
                self.server.kill()
                self.nbdkit.kill()
                self.nbdkit.wait()
                self.server.start()
                self.start_nbdkit()
            for who, what in ((machine, token), (other, others), (silent, silents)):
                self.assertFalse(self.opens(what, who))
            for who, what in ((machine, session), (other, other.session)):
                self.assertEqual(401, who.renew(what)[0])
        self.assertTrue(self.refusals("an export name that is nobody's, or no longer"))
        self.assertTrue(self.refusals("is refused: the machine has started again"))
        self.assertTrue(self.refusals("is refused: the machine said good-bye"))

    def test_somebody_elses(self):
        """A token of another machine: from another address, whatever key; and with a key that is not the machine's."""
        victim, token = self.started()
        mallory, own = self.started()
        control = Control(self.server)
        self.addCleanup(control.close)
        self.assertEqual("peer", control.open(token, "127.0.0.9")["reason"])
        self.assertTrue(self.refusals(f"{victim_name(victim)}: an export name that is somebody else's"))
        self.assertFalse(self.opens(token, victim, key="ab" * 32))
        self.assertFalse(self.opens(own, mallory, key=victim.key))
        self.assertEqual(401, mallory.renew(victim.session)[0])
        self.assertEqual(403, mallory.request("POST", "hello", {"uuid": victim.uuid, "macs": [], "version": "1"})[0])
        self.assertTrue(self.opens(token, victim))

    def test_key_is_gone(self):
        """Disabled, removed, a new key: the old one is no good at nbdkit's port, the token neither."""
        changes = [lambda c: self.server.api("PATCH", f"clients/{c.uuid}", {"enabled": False}),
                   lambda c: self.server.api("DELETE", f"clients/{c.uuid}/key"),
                   lambda c: self.server.api("POST", f"clients/{c.uuid}/key", {})]
        for change in changes:
            machine, token = self.started()
            old = f"{machine.uuid}:{machine.key}"
            change(machine)
            self.assertFalse(self.opens(token, machine))  # the token at once, whatever nbdkit's file has still
            until(lambda old=old: old not in (self.server.folder / "nbd.psk").read_text(), "the key is gone")
            self.assertIn(machine.hello()[0], (0, 403))
            self.assertIn(machine.renew()[0], (0, 401))

    def tls(self, options):
        """Does TLS of that kind come about at nbdkit's port? openssl through a relay that asks for it (NBD_OPT_STARTTLS)."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            relay = threading.Thread(target=self.relay, args=(listener,))
            relay.start()
            run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{listener.getsockname()[1]}", *options],
                                 input=b"", capture_output=True, timeout=60)
            relay.join()
        return not run.returncode

    def relay(self, listener):
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            server.recv(18, socket.MSG_WAITALL)  # NBDMAGIC, IHAVEOPT, flags
            server.sendall(b"\0\0\0\3" + b"IHAVEOPT" + b"\0\0\0\5" + b"\0\0\0\0")
            server.recv(20, socket.MSG_WAITALL)  # NBD_REP_ACK
            ways = [threading.Thread(target=copy, args=pair) for pair in ((client, server), (server, client))]
            for way in ways:
                way.start()
            for way in ways:
                way.join()

    def test_tls(self):
        """What is older, without a key, or not secret, is not spoken at either port. The first two are what is."""
        machine, _ = self.started()
        psk = ["-psk_identity", machine.uuid, "-psk", machine.key]
        low = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
        kinds = [(True, [*psk]), (True, [*psk, "-tls1_2", "-cipher", "ECDHE-PSK-CHACHA20-POLY1305"]),
                 (False, [*psk, "-tls1_1", *low]), (False, [*psk, "-tls1", *low]),
                 (False, [*psk, "-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"]),
                 (False, ["-tls1_2", "-cipher", "aNULL:!PSK:@SECLEVEL=0"]),
                 (False, ["-tls1_2", "-cipher", "aRSA:aECDSA:!PSK"]), (False, ["-tls1_3"])]
        for good, options in kinds:
            run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.server.client_port}", *options],
                                 input=b"", capture_output=True, timeout=60)
            self.assertEqual(good, not run.returncode, options)
            self.assertEqual(good, self.tls(options), f"nbdkit: {options}")
        self.assertTrue(self.refusals("a connection without a client's key: plain text, or other TLS"))


def copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def victim_name(client):
    return f"lab-{int(client.uuid[-12:], 16):02}"


class Races(Attack):
    def test_window_closes(self):
        """A window that is closed while a machine is still saying what it wants lets it in no more."""
        machine = unknown_machine(self.server, 1)
        self.server.api("POST", "groups", {"name": "g"})
        window = self.server.api("POST", "enrolments", {"group": "g", "seconds": 600})
        body = json.dumps({"uuid": machine.uuid, "macs": [], "version": "1", "key": "ab" * 32}).encode()
        kept = Kept(machine)
        self.addCleanup(kept.close)
        head = f"POST /client/v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        kept.openssl.stdin.write(head.encode() + body[:-1])
        kept.openssl.stdin.flush()
        pause(0.5)
        self.server.api("DELETE", f"enrolments/{window['id']}")
        kept.openssl.stdin.write(body[-1:])
        kept.openssl.stdin.flush()
        self.assertIn(b" 403 ", kept.openssl.stdout.readline())
        self.refused(404, "GET", f"clients/{machine.uuid}")

    def test_at_once(self):
        """Of two machines that bring a key for one UUID at the same moment, one is enrolled, and its key is the client's."""
        self.server.api("POST", "groups", {"name": "twins"})
        window = self.server.api("POST", "enrolments", {"group": "twins", "seconds": 600, "count": 50})
        for number in range(10, 14):
            machine = unknown_machine(self.server, number)
            answers = {}

            def enrol(key, machine=machine, answers=answers):
                answers[key] = machine.request("POST", "enrol", {"uuid": machine.uuid, "macs": [], "version": "1", "key": key})[0]
            threads = [threading.Thread(target=enrol, args=(key * 32,)) for key in ("aa", "bb", "cc", "dd")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([200, 403, 403, 403], sorted(answers.values()))
            key, = [k for k, status in answers.items() if status == 200]
            self.assertEqual([(key,)], self.server.sql(f"SELECT psk FROM client WHERE uuid = '{machine.uuid}'"))
        self.server.api("DELETE", f"enrolments/{window['id']}")
        self.assertTrue(self.refusals("Another key is kept for this machine"))


class Floods(Attack):
    def connect(self, port, source):
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), 10, (source, 0))
        return None

    def test_logins(self):
        """Who tries an administrator's passwords elsewhere does not keep him out of where he has been."""
        self.server.login()
        other = http.client.HTTPConnection("127.0.0.1", self.server.admin_port, timeout=30, source_address=("127.0.0.2", 0))
        statuses = []
        with self.honest():
            for _ in range(30):
                other.request("POST", "/api/v1/login", json.dumps({"name": "anna", "password": "wrong password"}))
                answer = other.getresponse()
                answer.read()
                statuses.append(answer.status)
            begun = time.monotonic()
            self.server.login("anna", PASSWORD)
            self.assertLess(time.monotonic() - begun, HONEST)
        other.close()
        self.assertEqual({401, 429}, set(statuses))
        self.assertEqual(5, statuses.count(401))
        self.assertTrue(self.refusals("a wrong login for anna"))

    def test_idle(self):
        """Thousands of connections that say nothing, or a byte now and then, of as many addresses as are needed."""
        ports = (self.server.admin_port, self.server.client_port)
        with contextlib.ExitStack() as stack:
            many = []
            with self.honest():
                for i in range(2400):
                    connection = self.connect(ports[i % 2], f"127.0.{1 + i // 120}.{1 + i % 30}")
                    if connection:
                        stack.enter_context(connection)
                        many.append(connection)
                        with contextlib.suppress(OSError):
                            connection.sendall(b"G" if i % 4 < 2 else b"\x16\x03\x01"[:1 + i % 3])
                with self.honest():
                    pass
            self.assertGreater(len(many), 2000)

    def test_begun(self):
        """Handshakes that are begun and not gone on with: leatd has nothing to do for them."""
        with contextlib.ExitStack() as stack:
            for i in range(20):
                stack.enter_context(self.connect(self.server.client_port, f"127.0.9.{1 + i}")).sendall(b"\x16\x03\x01")
            with self.honest():
                pass
            before, begun = self.server.own_time(), time.monotonic()
            time.sleep(2)
            part = (self.server.own_time() - before) / (time.monotonic() - begun)
        print(f"({part:.2f} of a CPU)", end=" ")
        self.assertLess(part, 0.4)

    def test_bodies(self):
        """Bodies that no JSON of a hello is: each refused, and nothing of it kept."""
        machine = self.machine()
        self.assertEqual(200, machine.hello()[0])
        good = f'{{"uuid": "{machine.uuid}", "macs": [], "version": "1"'
        for body, status in ((good + ', "version": "2"}', 400), (good + ', "hardware": ' + '{"a": ' * 9 + "1" + "}" * 10, 400),
                             (good + ', "x": "a\\u0000b"}', 400), (good + ', "x": "a\0b"}', 400), (good + "}\0", 400),
                             (good + ', "x": ' + "[" * 1800 + "]" * 1800 + "}", 400),
                             (good + ', "x": "' + "a" * 5000 + '"}', 413),
                             (good + ', "macs": "52:54:00:00:00:01"}', 400), ("[" + good + "}]", 400), (good, 400),
                             ("\xff", 400)):
            answer = machine.request("POST", "hello", data=body.encode("latin-1"))
            self.assertEqual(status, answer[0], body[:100])
            self.assertIsInstance(answer[1]["error"], str)
        self.assertEqual(200, machine.renew()[0])

    def test_headers(self):
        with self.honest():
            for port in (self.server.admin_port,):
                for data in (b"X: " + b"y" * 60000, b"X: y\r\n" * 5000, b"Cookie: " + b"a=b; " * 5000,
                             b"Authorization: Bearer " + b"A" * 30000):
                    with socket.create_connection(("127.0.0.1", port), 30) as connection:
                        with contextlib.suppress(OSError):
                            connection.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\n" + data + b"\r\n\r\n")
                            self.assertNotIn(b" 200 ", connection.recv(100))


class OneMachine(Attack):
    times = {**Attack.times, "request": 3600}

    def test_connections(self):
        """A machine that keeps many connections, each busy with a request that does not end: few of them stay, the newest."""
        machine = self.machine()
        self.assertEqual(200, machine.hello()[0])
        head = "POST /client/v1/renew HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n"
        head += f"Authorization: Bearer {machine.session}\r\n\r\n"
        many = []

        def send(kept, data):
            with contextlib.suppress(OSError):
                kept.openssl.stdin.write(data)
                kept.openssl.stdin.flush()

        def open_ones():
            for kept in many:
                send(kept, b" ")
            return [kept for kept in many if kept.openssl.poll() is None]
        with self.honest():
            for _ in range(40):
                many.append(Kept(machine))
                self.addCleanup(many[-1].close)
                self.assertEqual(200, many[-1].post("renew", token=machine.session)[0])
                send(many[-1], head.encode())
            until(lambda: len(open_ones()) <= 8, "the others are closed")
            self.assertEqual(many[-8:], open_ones())
            self.assertEqual(200, machine.renew()[0])
