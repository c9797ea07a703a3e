# SPDX-License-Identifier: BSD-2-Clause
"""Two leatd with an nbdkit each, on one PostgreSQL and one store of images: any of the four may die at any time. LEAT_SEED
sets which does, and when."""
import os
import random
import subprocess
import threading
import time
import unittest

from dataplane import Nbdkit, held, tell
from server import BUILD, SLOW, Client, Server, free_port, pause

LEAT_NBD = BUILD / "vdisk" / "leat-nbd"
MIB = 1 << 20
BOUND = 60 * SLOW  # seconds that anything here may take on a slow host


@unittest.skipUnless(Server.cluster, "several servers need PostgreSQL")
class Several(unittest.TestCase):
    times = {"session": 8, "lease": 3}

    @classmethod
    def setUpClass(cls):
        cls.ports = [free_port(), free_port()]
        cls.one = Server(cls.times, "one", f"127.0.0.1:{cls.ports[0]}")
        cls.two = Server(cls.times, "two", f"127.0.0.1:{cls.ports[1]}", beside=cls.one)
        cls.servers = [cls.one, cls.two]
        cls.nbdkits = [Nbdkit(server, port) for server, port in zip(cls.servers, cls.ports)]
        cls.one.debian("server", "private", size=32 * MIB)
        cls.made = 0

    @classmethod
    def tearDownClass(cls):
        for nbdkit in cls.nbdkits:
            nbdkit.end()
        cls.two.close()
        cls.one.close()

    def client(self, disk="server", at=0):
        type(self).made += 1
        client = self.one.client(self.made, disk)
        client.server = self.servers[at]
        self.until(lambda: client.hello()[0] == 200, "its key is known at both")
        client.answer = client.hello()[1]
        client.disk, = client.answer["disks"]
        return client

    def until(self, condition, what):
        end = time.monotonic() + BOUND
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.1)
        self.fail(f"not in {BOUND} s: {what}\n" + "\n".join(n.said()[-1500:] for n in self.nbdkits))

    def events(self, words):
        return [e for e in self.one.items("events?limit=1000") if words in e["message"]]

    def renewed(self, client):
        """A thread that keeps the session alive, by turns at the one and at the other."""
        stop = threading.Event()

        def renew():
            turn = 0
            while not stop.wait(0.7):
                turn += 1
                other = Client(self.servers[turn % 2], client.uuid, client.key, client.macs)
                answers.append(other.renew(client.session)[0])
        answers = []
        thread = threading.Thread(target=renew)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)
        return answers

    def test_addresses(self):
        """A client is told of all that are alive, and half of the clients begin with each."""
        known = {f"127.0.0.1:{port}" for port in self.ports}
        first = set()
        for _ in range(8):
            addresses = self.client().answer["servers"]
            self.assertEqual(known, set(addresses))
            self.assertEqual(2, len(addresses))
            first.add(addresses[0])
        self.assertEqual(known, first)
        self.two.kill()
        client = self.client()
        self.until(lambda: client.hello()[1]["servers"] == [f"127.0.0.1:{self.ports[0]}"] or time.sleep(2), "two is not offered")
        self.assertEqual([False, True], [s["lost"] for s in self.one.api("GET", "status")["servers"]])
        self.assertTrue(self.events("server two is away"))
        self.two.start()
        self.until(lambda: self.events("server two is back"), "two is back")
        self.until(lambda: len(client.hello()[1]["servers"]) == 2 or time.sleep(2), "two is offered")

    def test_renewed_elsewhere(self):
        client = self.client()
        client.server = self.two
        self.assertEqual(200, client.renew()[0])
        self.one.kill()
        time.sleep(1)
        self.assertEqual(200, client.renew()[0])
        self.assertEqual("ok", client.hello()[1]["state"])  # the same machine: it has started again
        self.one.start()
        client.server = self.one
        self.assertEqual(200, client.renew()[0])
        client.bye()
        client.server = self.two
        self.assertEqual(401, client.renew()[0])

    def test_moved(self):
        """A client that writes goes to the other server: the first is cut off, and what it wrote is there."""
        client = self.client()
        self.renewed(client)
        token = client.disk["export"]
        with held(self.nbdkits[0].uri(token)) as first:
            tell(first, "write -P 7 0 4k")
            self.assertIn("wrote", first.stdout.readline())

            def second():
                return subprocess.run(["qemu-io", "-f", "raw", "-c", "read -P 7 0 4k", "-c", "write -P 8 4k 4k",
                                       self.nbdkits[1].uri(token)], capture_output=True, text=True, timeout=BOUND).stdout
            self.until(lambda: "wrote 4096/4096" in second(), "the other server has it")
            self.assertIn("failed", first.communicate("write -P 9 0 4k\nquit\n", timeout=BOUND)[0])
        self.assertTrue(self.events("goes on with disk server at server two, after server one"))
        again = subprocess.run(["qemu-io", "-f", "raw", "-c", "read -P 7 0 4k", "-c", "read -P 8 4k 4k",
                                self.nbdkits[1].uri(token)], capture_output=True, text=True, timeout=BOUND).stdout
        self.assertEqual(2, again.count("read 4096/4096"))
        self.assertNotIn("failed", again)

    def test_second_writer(self):
        """A private disk has one writer, at whichever server; another gets it when the first one's time is over."""
        one, two = self.client("private"), self.client("private", at=1)
        self.renewed(two)
        with held(self.nbdkits[0].uri(one.disk["export"])) as writer:
            tell(writer, "write -P 7 0 4k")
            self.assertIn("wrote", writer.stdout.readline())

            def opens():
                return subprocess.run(["nbdinfo", self.nbdkits[1].uri(two.disk["export"])], capture_output=True,
                                      timeout=BOUND).returncode == 0
            self.assertFalse(opens())
            self.assertIn(f"held by lab-{self.made - 1:02}", self.nbdkits[1].said())
            self.one.kill()  # its nbdkit goes on, until the lease is over
            self.until(opens, "the second writer gets it")
            self.assertIn("stands still", self.nbdkits[0].said())
            two.bye()  # the first one's old state may not come over what the second has written
            self.assertNotEqual(0, subprocess.run(["nbdinfo", self.nbdkits[1].uri(one.disk["export"])], capture_output=True,
                                                  timeout=BOUND).returncode)
            self.one.start()
            writer.kill()

    def test_killed(self):
        """fio verifies what it has written through leat-nbd, while leatd and nbdkit of either server die and come back."""
        seed = int(os.environ.get("LEAT_SEED", random.randrange(1 << 32)))
        print(f"(seed {seed})", end=" ")
        client = self.client()
        answers = self.renewed(client)
        path = self.one.root / "disk.sock"
        with open(self.one.root / "leat-nbd.log", "w", encoding="utf-8") as log:
            leat = subprocess.Popen([LEAT_NBD, "--socket", path, ",".join(client.answer["servers"]), client.disk["export"]],
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(leat.wait)
        self.addCleanup(leat.kill)
        self.until(path.exists, "leat-nbd serves")
        fio = subprocess.Popen(["fio", "--name=w", "--ioengine=nbd", f"--uri=nbd+unix:///?socket={path}", "--rw=randwrite",
                                "--bs=4k", "--iodepth=8", f"--size={32 * MIB}", "--fsync=64", "--rate_iops=700",
                                "--verify=crc32c", "--do_verify=1", "--verify_fatal=1",
                                "--verify_state_save=0", f"--randseed={seed}"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(fio.kill)
        begins = self.ports.index(int(client.answer["servers"][0].rpartition(":")[2]))
        self.disturb(random.Random(seed), fio, begins)
        out = fio.communicate(timeout=3 * BOUND)[0]
        self.assertEqual(0, fio.returncode, out + (self.one.root / "leat-nbd.log").read_text())
        self.assertIn(200, answers)
        self.assertNotIn(401, answers)
        self.assertEqual([], self.one.sql(
            "SELECT disk FROM difference GROUP BY disk, COALESCE(client, '') HAVING COUNT(*) > 1"))
        # At the other server it is the same lease, moved, or a new one, when that of the first was forgotten already.
        self.assertGreater(len(self.events(f"lab-{self.made:02} opens disk server")), 1)

    def disturb(self, chance, fio, begins):
        """The longest first: a leatd alone is away until its lease is over, and the client has gone elsewhere."""
        what = [("leatd", 5)] + [(kind, chance.uniform(0.1, 1.5)) for kind in ("nbdkit", "both", "leatd", "nbdkit")]
        for turn, (kind, seconds) in enumerate(what):
            time.sleep(chance.uniform(0.3, 1))
            number = chance.randrange(2) if turn else begins
            if fio.poll() is not None:
                return
            print(f"{kind} {number + 1};", end=" ")
            if kind != "nbdkit":
                self.servers[number].kill()
            if kind != "leatd":
                self.nbdkits[number].kill()
            pause(seconds)
            if kind != "nbdkit":
                self.servers[number].start()
            if kind != "leatd":
                self.nbdkits[number].start()
