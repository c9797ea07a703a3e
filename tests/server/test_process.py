# SPDX-License-Identifier: BSD-2-Clause
"""leatd as a process among others: there is one for a state, and what it does with its descriptors."""
import grp
import os
import socket
import subprocess
import time
import unittest
from pathlib import Path

from case import ServerCase
from server import LEATD, SLOW, Control, free_port, pause, until


class Process(ServerCase):
    times = {"request": 2}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.debian("d", mode="read-only", size=4096)

    def second(self, config):
        """How a leatd with that configuration ends, while the first runs."""
        path = self.server.root / "second.conf"
        path.write_text(config)
        run = subprocess.run([LEATD, "--config", path], capture_output=True, text=True, timeout=30)
        control = Control(self.server)
        self.assertEqual("gone", control.ask("renew", lease="a")["reason"])  # the first has its socket still
        control.close()
        self.server.api("GET", "groups")
        return run.returncode, run.stderr

    def test_second(self):
        config = self.server.config.read_text()
        ports = (self.server.admin_port, self.server.client_port)
        code, words = self.second(config)
        self.assertEqual(1, code)
        self.assertIn(f"another leatd serves the folder {self.server.folder}", words)
        for port in ports:  # also where no port is in the way
            config = config.replace(f":{port}\n", f":{free_port()}\n")
        code, words = self.second(config)
        self.assertEqual((1, True), (code, "another leatd" in words))
        # Another state, but the same control socket; then the same ports.
        other = f"[state]\nfolder = {self.server.root}/other\n[admin]\nlisten = 127.0.0.1:{ports[0]}\n"
        code, words = self.second(f"{other}[control]\nsocket = {self.server.folder}/control.sock\n")
        self.assertEqual((1, True), (code, "another process serves the control socket" in words))
        code, words = self.second(other)
        self.assertEqual((1, True), (code, "port in use" in words))

    def connect(self, count, source="127.0.0.9", port=None):
        """Connections of a host that is not this test's own."""
        made = []
        for _ in range(count):
            made.append(socket.create_connection(("127.0.0.1", port or self.server.admin_port), 10, (source, 0)))
            self.addCleanup(made[-1].close)
        return made

    def alive(self, connections):
        """How many of these leatd has not closed."""
        count = 0
        for connection in connections:
            connection.setblocking(False)
            try:
                connection.recv(1)
            except BlockingIOError:
                count += 1
            except ConnectionError:
                pass
        return count

    def test_connections_of_one_host(self):
        many = self.connect(100)
        self.server.api("GET", "status")
        self.assertEqual(64, self.alive(many))

    def test_descriptors(self):
        machine = self.server.client(2, "d")
        machine.hello()
        self.server.end()
        self.server.start(before=["prlimit", "--nofile=300:300"])
        many = []
        for i in range(5):
            many += self.connect(64, f"127.0.0.{i + 2}", (self.server.admin_port, self.server.client_port)[i % 2])
        control = Control(self.server)
        self.assertEqual("gone", control.ask("renew", lease="a")["reason"])
        control.close()
        for connection in many:
            connection.close()
        self.assertEqual(200, machine.renew()[0])
        self.server.end()
        run = subprocess.run(["prlimit", "--nofile=60:60", LEATD, "--config", self.server.config], capture_output=True,
                             text=True, timeout=30)
        self.assertEqual((1, True), (run.returncode, "limit of open files is 60" in run.stderr))
        self.server.start()

    def test_slow_request(self):
        slow, = self.connect(1)
        slow.sendall(b"GET /api")
        began = time.monotonic()
        with self.assertRaises(OSError):
            while time.monotonic() < began + 12 * SLOW:
                pause(0.5)
                slow.sendall(b"a")
        self.assertGreater(time.monotonic(), began + 1.5 * SLOW)

    def memory(self):
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) >> 10

    def test_bodies(self):
        token, machine = self.server.login(), self.server.client(1, "d")
        for method, path, size, token, status in (
                ("POST", "/api/v1/groups", 5000, None, 413), ("POST", "/api/v1/groups", 4000, None, 400),
                ("POST", "/api/v1/groups", 5000, "a." + "A" * 42, 413), ("POST", "/api/v1/groups", 65 << 10, token, 413),
                ("PUT", "/api/v1/groups/a", 65 << 10, token, 413)):
            self.assertEqual(status, self.server.raw(method, path, b"x" * size, token)[0], (method, path, size))
        self.assertEqual(200, machine.hello()[0])
        for method, path, size, token, status in (
                ("POST", "hello", 5000, None, 413), ("PUT", "hello", 10, machine.session, 404),
                ("PUT", "profile/d", 100, "s." + "A" * 43, 401), ("PUT", "profile/d", 1 << 20, machine.session, 422)):
            self.assertEqual(status, machine.request(method, path, token=token, data=b"x" * size)[0], (method, path, size))
        before = self.memory()
        for connection in self.connect(60, "127.0.0.3"):
            connection.sendall(b"PUT /api/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + b"x" * 1048575)
        self.server.api("GET", "groups")
        self.assertLess(self.memory() - before, 20)  # MiB

    def test_again_at_once(self):
        socket.create_connection(("127.0.0.1", self.server.admin_port)).close()
        self.server.kill()
        self.server.start()
        control = Control(self.server)
        self.assertEqual("gone", control.ask("renew", lease="a")["reason"])
        control.close()

    def may_use(self, path, group, *others):
        """Does leatd answer a process of nobody with these groups?"""
        child = os.fork()
        if not child:
            answer = b""
            try:
                os.setgroups(others)
                os.setgid(group)
                os.setuid(65534)
                with socket.socket(socket.AF_UNIX) as control:
                    control.settimeout(10)
                    control.connect(str(path))
                    control.sendall(b'{"op": "burn"}\n')
                    answer = control.recv(100)
            finally:
                os._exit(0 if answer else 1)
        return os.waitpid(child, 0)[1] == 0

    @unittest.skipIf(os.geteuid(), "needs root, to be somebody else")
    def test_started_by_root(self):
        """In a folder of another user it goes on as that user, whose leatd could not write root's files."""
        folder = self.server.root / "another-user"
        folder.mkdir()
        owner = grp.getgrnam("nogroup").gr_gid
        os.chown(folder, owner, owner)
        config = self.server.root / "another-user.conf"
        config.write_text(f"[state]\nfolder = {folder}\n")
        subprocess.run([LEATD, "--config", config, "add-admin", "anna"], input="a long enough password\n", text=True, check=True,
                       timeout=60)
        self.assertEqual({owner}, {path.stat().st_uid for path in folder.iterdir()})
        self.assertLess({"leat.db", "images"}, {path.name for path in folder.iterdir()})

    @unittest.skipIf(os.geteuid(), "needs root, to be somebody else")
    def test_group_of_the_socket(self):
        path, config = self.server.root / "control.sock", self.server.config.read_text()
        self.server.end()
        self.server.config.write_text(f"{config}[control]\nsocket = {path}\ngroup = daemon\n")
        self.server.start()
        daemon = grp.getgrnam("daemon").gr_gid
        self.assertTrue(self.may_use(path, daemon))
        self.assertTrue(self.may_use(path, 65534, 4, daemon))
        self.assertFalse(self.may_use(path, 65534))
        path.chmod(0o666)  # as where the file system has no modes: the peer's credentials decide
        self.assertFalse(self.may_use(path, 65534, 4))
        self.assertTrue(self.may_use(path, 65534, daemon))
        self.server.end()
        self.server.config.write_text(config)
        self.server.start()

    def test_keys_after_a_change(self):
        made = self.server.api("POST", "clients", {"uuid": "00000000-0000-0000-0000-0000000000ff", "name": "keyed"})
        until(lambda: made["key"] in (self.server.folder / "nbd.psk").read_text(), "its key is nbdkit's")
