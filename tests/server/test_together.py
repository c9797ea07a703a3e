# SPDX-License-Identifier: BSD-2-Clause
"""Machines that are switched on together: who comes first is let in first, and machines that stay on keep nobody out."""
import json
import subprocess

import profiles
from case import ServerCase
from dataplane import Nbdkit
from server import BUILD, SLOW, Kept, pause

MACHINES = 10
IMAGE_BYTES = 8 << 20
TURNS = 20  # at most: a host that is busy may hold up the first one


class Together(ServerCase):
    times = {"session": 3600, "lease": 3600}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.image("debian", size=IMAGE_BYTES)
        cls.server.api("POST", "disks", {"name": "d", "image": "debian", "mode": "ram"})
        cls.machines = [cls.server.client(i + 1, "d") for i in range(MACHINES)]
        cls.keys = cls.server.root / "keys"
        cls.keys.write_text("".join(f"{m.uuid}:{m.key}\n" for m in cls.machines))
        cls.trace = cls.server.root / "trace"
        cls.trace.write_text("0 8\n")  # what they read does not matter here
        first = cls.machines[0]
        first.hello()
        first.request("PUT", "profile/d", token=first.session, data=profiles.encode(IMAGE_BYTES, [(0, 1, 0)]))
        pause(2.1)  # until the profile is merged (PROFILE_SETTLE)
        first.hello()
        first.bye()
        cls.nbdkit = Nbdkit(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.nbdkit.end()
        super().tearDownClass()

    def storm(self):
        run = subprocess.run([BUILD / "tests/leat-storm", "--clients", str(MACHINES), "--trace", self.trace, "--keys", self.keys,
                              "--leatd", f"127.0.0.1:{self.server.client_port}", "--nbd", f"127.0.0.1:{self.nbdkit.port}"],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120 * SLOW)
        self.assertEqual(0, run.returncode, run.stderr)
        return json.loads(run.stdout)

    def test_in_turn(self):
        """Were all handshakes made in step, the first one would be over when nearly all are."""
        part = []
        for _ in range(TURNS):
            found = self.storm()
            part.append(found["let_in_first_s"] / found["let_in_last_s"])
            if part[-1] < 0.3:
                break
        print(f"(the first one is let in after {', '.join(f'{p:.2f}' for p in part)} of what the last one takes)", end=" ")
        self.assertLess(part[-1], 0.3)


class StayOn(ServerCase):
    """Machines keep the connection on which they have said hello."""

    times = {"session": 3600, "lease": 3600}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.image("debian")
        cls.server.api("POST", "disks", {"name": "d", "image": "debian"})

    def switched_on(self, first, count):
        """They stay on, each as (machine, connection)."""
        found = []
        for machine in (self.server.client(first + i, "d") for i in range(count)):
            kept = Kept(machine)
            self.addCleanup(kept.close)
            status, answer = kept.post("hello", {"uuid": machine.uuid, "macs": machine.macs, "version": "0.1.0"})
            self.assertEqual(200, status)
            machine.session = answer["session"]
            found.append((machine, kept))
        return found

    def test_one_address(self):
        """A room behind one address: strangers from there are counted without them."""
        room = self.switched_on(1, 80)
        self.server.api("GET", "status")
        self.assertEqual([200] * 80, [kept.post("renew", token=machine.session)[0] for machine, kept in room])

    def test_more_than_connections(self):
        """More machines than leatd can have connections: an idle one goes for a new one, and comes back when it has to."""
        self.server.end()
        self.server.start(before=["prlimit", "--nofile=200:200"])
        room = self.switched_on(101, 60)
        (first, its), (last, kept) = room[0], room[-1]
        its.openssl.wait(60)
        self.assertEqual(200, first.renew()[0])
        self.assertEqual(200, kept.post("renew", token=last.session)[0])
        self.server.api("GET", "status")
        self.server.end()
        self.server.start()
