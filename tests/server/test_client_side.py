# SPDX-License-Identifier: BSD-2-Clause
"""Leat's client/, as a Linux program with the TLS of ring 3 (leat_client.c), against a real leatd."""
import queue
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from case import ServerCase
from profiles import encode
from server import BUILD, pause

KERNEL = bytes(range(256)) * 4096  # 1 MiB
OWN = "ab" * 32  # what a machine keeps in its firmware


class Machine:
    """leat_client, and what it has said."""

    def __init__(self, server, uuid, key, mac="52:54:00:00:00:01", enrol=False, ports=None):
        self.folder = tempfile.TemporaryDirectory(prefix="leat-client-")
        servers = ",".join(f"127.0.0.1:{port}" for port in ports or [server.client_port])
        self.process = subprocess.Popen(
            [BUILD / "tests" / "server" / "leat_client", servers, f"{uuid}:{key}", mac, self.folder.name,
             *(["enrol"] if enrol else [])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines, self.heard = queue.Queue(), []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def wait(self, words, seconds=60):
        """The next line that has them."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{words!r} was not said; what was: {self.heard}") from None
            self.heard.append(line)
            if words in line:
                return line

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def read(self, name):
        return (Path(self.folder.name) / name).read_bytes()

    def start(self, choice=1):
        self.wait("offer ")
        self.say(f"choose {choice}")
        self.wait("config")

    def stop(self):
        self.say("stop")
        self.wait("over")
        if self.process.wait(30) != 0:
            raise AssertionError(f"leat_client ended with {self.process.returncode}")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.folder.cleanup()


class ClientSide(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        api = cls.server.api
        (cls.server.folder / "images" / "vmlinuz").write_bytes(KERNEL)
        (cls.server.folder / "images" / "initrd.img").write_bytes(b"initrd")
        cls.server.image("debian", 1 << 20, version=False)
        api("POST", "images/debian/versions", {"source": "debian.raw", "state": "published", "kernel": "vmlinuz",
                                               "initrd": "initrd.img", "cmdline": "root=/dev/vda1 ro"})
        api("POST", "disks", {"name": "debian", "image": "debian", "mode": "server"})
        api("POST", "disks", {"name": "shared", "image": "debian", "mode": "ram"})
        api("POST", "groups", {"name": "new"})
        api("POST", "assignments", {"group": "new", "disk": "shared"})

    def machine(self, uuid, key, **more):
        machine = Machine(self.server, uuid, key, **more)
        self.addCleanup(machine.close)
        return machine

    def test_start(self):
        """Two disks, their files once, the choice, a report, a profile up and down, good-bye."""
        known = self.server.client(1, "debian")
        self.server.api("POST", "assignments", {"client": known.uuid, "disk": "shared", "label": "Shared", "default": True})
        machine = self.machine(known.uuid, known.key)
        self.assertEqual("offer 2 1 10", machine.wait("offer"))
        self.assertEqual("entry shared 0 Shared", machine.wait("entry shared"))
        machine.say("choose 3")
        machine.wait("config")
        config = machine.read("config").decode()
        self.assertEqual((KERNEL, b"initrd"), (machine.read("debian.kernel"), machine.read("debian.initrd")))
        self.assertFalse((Path(machine.folder.name) / "shared.kernel").exists())
        for line in ("address = 127.0.0.1", "port = 10809", f"tls_psk = {known.uuid}:{known.key}", "mode = server",
                     "client_layer = holes", "mode = ram", "kernel = debian.kernel", "cmdline = root=/dev/vda1 ro"):
            self.assertIn(line + "\n", config)
        self.assertEqual("debian shared", self.server.api("GET", "clients/lab-01")["chosen"])
        machine.say(f"profile debian {self.profile_file()}")
        machine.wait("taken")
        machine.stop()
        self.assertTrue(self.events("session", "lab-01"))
        again = self.machine(known.uuid, known.key)
        again.start()
        self.assertIn("profile_file = debian.profile\n", again.read("config").decode())
        again.stop()

    def profile_file(self):
        file = self.server.root / "profile"
        file.write_bytes(encode(1 << 20, [(0, 8, 5)]))
        return file

    def test_who_has_to_wait(self):
        """Unknown, not enrolled yet, a clone: each is told so, asks again by itself, and goes on when it may."""
        unknown, enrols = (f"99999999-0000-0000-0000-00000000000{i}" for i in (1, 2))
        known = self.server.client(3, "shared")
        first = self.machine(known.uuid, known.key)
        first.start()
        clone = self.machine(known.uuid, known.key, mac="52:54:00:00:00:99")
        self.assertIn("Another machine with this identity is running", clone.wait("notice"))
        by_file = self.machine(unknown, OWN)
        self.assertIn(f"not known to the server: ask your administrator. UUID {unknown}, MAC 52:54:00:00:00:01.",
                      by_file.wait("notice"))
        by_firmware = self.machine(enrols, OWN, enrol=True)
        self.assertIn(enrols, by_firmware.wait("notice"))
        # All of them are waiting now.
        first.stop()
        self.server.api("POST", "clients", {"uuid": unknown, "name": "found"})
        self.server.api("POST", "enrolments", {"client": None, "group": "new", "seconds": 600, "count": 1})
        self.assertIn("by another key", by_file.wait("knows this machine"))
        self.assertEqual("offer 1 0 10", by_firmware.wait("offer"))
        self.assertEqual("offer 1 0 10", clone.wait("offer"))
        self.assertIn("notice 0 ", clone.heard)
        for machine in (by_firmware, clone):
            machine.stop()

    def test_wrong_key(self):
        known = self.server.client(2, "shared")
        for enrol, words in ((False, "knows this machine by another key"), (True, "Another key is kept for this machine")):
            machine = self.machine(known.uuid, OWN, enrol=enrol)
            self.assertIn(words, machine.wait("notice"))
        self.assertEqual([], [s for s in self.server.items("sessions?limit=1000") if s["client"] == known.uuid])

    def test_second_server(self):
        known = self.server.client(4, "shared")
        machine = self.machine(known.uuid, known.key, ports=[1, self.server.client_port])
        self.assertIn("The server 127.0.0.1:1: Connection refused.", machine.wait("notice"))
        machine.start()
        self.assertIn("notice 0 ", machine.heard)
        machine.stop()


class Renewals(ServerCase):
    times = {"session": 3}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.server.folder / "images" / "vmlinuz").write_bytes(KERNEL)
        cls.server.image("debian", 1 << 20, version=False)
        cls.server.api("POST", "images/debian/versions", {"source": "debian.raw", "state": "published", "kernel": "vmlinuz"})
        cls.server.api("POST", "disks", {"name": "shared", "image": "debian", "mode": "ram"})

    def test_restart_of_leatd(self):
        """Away for longer than a session lives: the same session goes on, and its report arrives."""
        known = self.server.client(1, "shared")
        machine = Machine(self.server, known.uuid, known.key)
        self.addCleanup(machine.close)
        machine.start()
        session, = self.server.items("sessions")
        self.server.kill()
        machine.wait("it is tried again")
        pause(4)
        self.server.start()
        machine.wait("renewed again")
        machine.wait("report?")
        machine.say('report {"boot": [{"ms": 12, "what": "hello"}]}')
        deadline = time.monotonic() + 60
        while not (shown := self.server.api("GET", f"sessions/{session['id']}")).get("report"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.assertEqual(({"boot": [{"ms": 12, "what": "hello"}]}, None), (shown["report"], shown["ended"]))
        self.server.api("DELETE", f"sessions/{session['id']}")
        self.assertIn("ended", machine.wait("ended "))
        machine.say("stop")
        machine.wait("over")
