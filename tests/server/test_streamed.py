# SPDX-License-Identifier: BSD-2-Clause
"""Machines of a room, one after the other, by the engine itself (leat-nbd): what the first has read, the second streams, and the
third what either has."""
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from case import ServerCase
from dataplane import Nbdkit
from server import BUILD, until

LEAT_NBD = BUILD / "vdisk" / "leat-nbd"
KIB = 1 << 10


class Machine:
    """A client, and its engine over the disk that leatd gave it."""

    def __init__(self, case, number):
        self.case, self.folder = case, case.server.root / f"machine-{number}"
        self.folder.mkdir()
        self.client = case.server.client(number, "d")
        disk, = self.client.hello()[1]["disks"]
        self.profile = self.folder / "profile"
        if disk["profile"]:
            self.profile.write_bytes(self.client.get(disk["profile"]["path"])[1])
        self.log = open(self.folder / "log", "w+", encoding="utf-8")
        self.engine = subprocess.Popen([LEAT_NBD, "--socket", self.folder / "s", "--profile", self.profile, "--read-only",
                                        f"127.0.0.1:{case.nbdkit.port}", disk["export"]], stdout=self.log, stderr=self.log)
        case.addCleanup(self.stop)
        until(lambda: (self.folder / "s").exists(), "its engine listens")

    def read(self, *places):
        words = [word for place in places for word in ("-c", f"read {place}k 64k")]
        uri = f"nbd+unix:///?socket={self.folder}/s"
        subprocess.run(["qemu-io", "-r", "-f", "raw", *words, uri], check=True, capture_output=True, timeout=60)

    def counters(self):
        whole = Path(self.log.name).read_text(encoding="utf-8").rpartition("\n")[0]  # it may be writing another line
        lines = [line for line in whole.splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if lines else None

    def streams(self, size):
        """Has it as much of its profile by now, without a read of anybody's?"""
        self.engine.send_signal(signal.SIGUSR1)
        counters = self.counters()
        return counters and counters["sources"]["profile"]["bytes"] >= size

    def send(self):
        """Its boot is over."""
        self.stop()
        status, answer = self.client.request("PUT", "profile/d", token=self.client.session, data=self.profile.read_bytes())
        self.case.assertEqual(200, status, answer)

    def stop(self):
        if self.engine.poll() is None:
            self.engine.terminate()
            self.engine.wait(60)
            self.log.close()


class Streamed(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.image("debian", version=False)
        (cls.server.folder / "images" / "debian.raw").write_bytes(os.urandom(8 << 20))
        cls.server.api("POST", "images/debian/versions", {"source": "debian.raw", "state": "published"})
        cls.server.api("POST", "disks", {"name": "d", "image": "debian"})
        cls.nbdkit = Nbdkit(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.nbdkit.end()
        super().tearDownClass()

    def test_room(self):
        first = Machine(self, 1)
        first.read(1024, 3072)
        first.send()
        second = Machine(self, 2)
        until(lambda: second.streams(128 * KIB), "what the first has sent is streamed")
        second.read(1024, 5120)
        second.send()
        used = second.counters()["sources"]["profile"]["used_bytes"]
        self.assertGreaterEqual(used, 64 * KIB)
        time.sleep(2.1)  # PROFILE_SETTLE of tools/leatd/profile.h
        third = Machine(self, 3)
        # 3072k only the first has needed, 5120k only the second
        until(lambda: third.streams(192 * KIB), "what both have sent is streamed")
        third.stop()
