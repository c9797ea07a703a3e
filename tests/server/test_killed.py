# SPDX-License-Identifier: BSD-2-Clause
"""leatd is killed at random moments of random operations: what was answered is there, what was not is there whole or not at
all, no lease is lost or doubled, and guests go on reading and writing meanwhile. LEAT_KILLS sets how often, LEAT_SEED which
moments."""
import os
import random
import threading
import time

from case import ServerCase
from dataplane import Nbdkit, held, tell
from server import Control, unknown_machine

KILLS = int(os.environ.get("LEAT_KILLS", 25))


class Guest:
    """A machine that has its disk open by NBD, and writes and reads it without an end: qemu-io, told command after command."""

    def __init__(self, machine, nbdkit, seed):
        disk, = machine.hello()[1]["disks"]
        self.uuid, self.random, self.done, self.trouble, self.stops = machine.uuid, random.Random(seed), 0, None, False
        self.process = held(nbdkit.uri(disk["export"]))
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def tell(self, command, answer):
        tell(self.process, command)
        said = self.process.stdout.readline()
        if answer not in said or "failed" in said:
            self.trouble = f"{command}: {said}"
        self.process.stdout.readline()  # the rate

    def work(self):
        patterns = {}
        try:
            while not self.stops and not self.trouble:
                place, pattern = self.random.randrange(64), self.random.randrange(1, 256)
                self.tell(f"write -P {pattern} {place}k 1k", "wrote 1024/1024")
                patterns[place] = pattern
                place = self.random.choice(list(patterns))
                self.tell(f"read -P {patterns[place]} {place}k 1k", "read 1024/1024")
                self.done += 2
        except (OSError, ValueError) as problem:
            self.trouble = str(problem)

    def end(self):
        self.stops = True
        self.thread.join(60)
        self.process.communicate("quit\n", timeout=60)


class Killed(ServerCase):
    times = {"session": 3600, "lease": 3600}

    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("LEAT_SEED", random.randrange(1 << 32)))
        self.random = random.Random(seed)
        self.addCleanup(lambda: print(f"(seed {seed})", end=" "))
        self.server.image("debian", 4096)
        self.server.image("guests", 1 << 16)
        self.server.api("POST", "disks", {"name": "shared", "image": "debian", "mode": "private"})
        self.server.api("POST", "disks", {"name": "own", "image": "debian", "mode": "server"})
        self.machines = [self.server.client(i, "own") for i in range(1, 4)]
        for machine in self.machines:
            self.server.api("POST", "assignments", {"client": machine.uuid, "disk": "shared"})
        self.server.api("POST", "groups", {"name": "new"})
        self.server.api("POST", "enrolments", {"group": "new", "seconds": 0, "count": 10000})
        self.enrolled = 0
        self.begin_guests()
        self.groups = {}   # name -> note, "" or None (removed), as answered
        self.unsure = {}   # name -> what it may be as well
        self.leases = {}   # difference -> (lease, machine), as answered
        self.made = 0

    def begin_guests(self):
        """nbdkit with the plugin, and two machines at work that the random operations leave alone."""
        self.server.api("POST", "disks", {"name": "guests", "image": "guests", "mode": "server"})
        nbdkit = Nbdkit(self.server)
        self.addCleanup(nbdkit.end)
        self.guests = [Guest(self.server.client(number, "guests"), nbdkit, number) for number in (8, 9)]
        for guest in self.guests:
            self.addCleanup(guest.end)
            self.wait_for(guest, 0)
        self.guests_leases = self.leases_of_guests()
        self.assertEqual(2, len(self.guests_leases))

    def wait_for(self, guest, done):
        """Until the guest has done more than that."""
        deadline = time.monotonic() + 60
        while guest.done <= done and not guest.trouble and time.monotonic() < deadline:
            time.sleep(0.005)
        self.assertIsNone(guest.trouble)
        self.assertGreater(guest.done, done, "a guest stands still")

    def leases_of_guests(self):
        return self.server.sql("SELECT lease.target, lease.id FROM lease JOIN session ON session.id = lease.session WHERE client"
                               f" IN ('{self.guests[0].uuid}', '{self.guests[1].uuid}') ORDER BY client")

    # Operations: each notes what may be before it asks, and what is when it has its answer.

    def make_group(self):
        self.made += 1
        name = f"group-{self.made}"
        self.groups[name], self.unsure[name] = None, {None, ""}
        self.server.api("POST", "groups", {"name": name})
        self.groups[name] = ""
        del self.unsure[name]

    def change_group(self):
        name = self.random.choice([n for n, note in self.groups.items() if note is not None] or [None])
        if not name:
            return self.make_group()
        note = f"note {self.random.random()}"
        self.unsure[name] = {self.groups[name], note}
        self.server.api("PATCH", f"groups/{name}", {"note": note})
        self.groups[name] = note
        del self.unsure[name]

    def remove_group(self):
        name = self.random.choice([n for n, note in self.groups.items() if note is not None] or [None])
        if not name:
            return self.make_group()
        self.unsure[name] = {self.groups[name], None}
        self.server.api("DELETE", f"groups/{name}")
        self.groups[name] = None
        del self.unsure[name]

    def forget(self, machine):
        machine.lives = False
        self.leases = {d: l for d, l in self.leases.items() if l[1] is not machine}

    def hello(self):
        machine = self.random.choice(self.machines)
        self.forget(machine)
        if getattr(machine, "unsure", False):
            machine.key = self.server.api("POST", f"clients/{machine.uuid}/key", {})["key"]
            machine.unsure = False
        status, answer = machine.hello()
        if status == 200:
            machine.lives = True
            machine.disks = {d["name"]: d["export"] for d in answer["disks"]}

    def bye(self):
        machine = self.random.choice(self.machines)
        self.forget(machine)
        if machine.session:
            machine.bye()

    def enrol(self):
        self.enrolled += 1
        machine = unknown_machine(self.server, self.enrolled)
        machine.request("POST", "enrol", {"uuid": machine.uuid, "macs": [], "version": "1", "key": f"{self.enrolled:064x}"})

    def renew(self):
        machine = self.random.choice(self.machines)
        if machine.session and getattr(machine, "lives", False):
            status, answer = machine.renew()
            if status not in (0, 200):
                raise AssertionError(f"a session that lives was not renewed: {status} {answer}")

    def end(self):
        """An administrator ends a session: its leases go with it."""
        machine = self.random.choice(self.machines)
        self.forget(machine)
        for session in self.server.items("sessions?limit=1000"):
            if session["client"] == machine.uuid and session["ended"] is None:
                self.server.api("DELETE", f"sessions/{session['id']}")

    def change_key(self):
        machine = self.random.choice(self.machines)
        self.forget(machine)
        machine.key, old = None, machine.key
        try:
            machine.key = self.server.api("POST", f"clients/{machine.uuid}/key", {})["key"]
        finally:
            if not machine.key:  # the answer was lost: it is the old one or one that nobody has seen
                machine.key, machine.unsure = old, True

    def assign(self):
        """A disk goes to a machine and away again: no assignment is half of one."""
        machine = self.random.choice(self.machines)
        answer = self.server.api("POST", "assignments", {"client": machine.uuid, "disk": "guests", "label": "for a moment"})
        self.server.api("DELETE", f"assignments/{answer['id']}")

    def open(self):
        machine = self.random.choice(self.machines)
        if not getattr(machine, "disks", None):
            return self.hello()
        control = Control(self.server)
        try:
            answer = control.open(machine.disks[self.random.choice(["own", "shared"])])
        finally:
            control.close()
        if "lease" in answer:
            holder = self.leases.get(answer["difference"])
            self.assertIn(holder, (None, (answer["lease"], machine)), "a lease was given twice")
            self.leases[answer["difference"]] = (answer["lease"], machine)

    def run_and_kill(self):
        operations = [self.make_group, self.change_group, self.remove_group, self.hello, self.bye, self.open, self.open,
                      self.enrol, self.renew, self.end, self.change_key, self.assign]
        stop = threading.Event()

        def work():
            while not stop.is_set():
                try:
                    self.random.choice(operations)()
                except OSError:
                    return
                except Exception as problem:  # http.client's, of an answer cut short
                    if type(problem).__module__ != "http.client":
                        self.problem = problem
                    return

        self.problem = None
        worker = threading.Thread(target=work)
        worker.start()
        time.sleep(self.random.uniform(0, 0.25))
        self.server.kill()
        done = [guest.done for guest in self.guests]
        for guest, before in zip(self.guests, done):
            self.wait_for(guest, before)  # leatd is away
        stop.set()
        worker.join(60)
        self.server.start()
        if self.problem:
            raise self.problem

    def check(self):
        there = dict(self.server.sql("SELECT name, note FROM client_group"))
        audit = self.server.sql("SELECT object, action FROM audit WHERE object LIKE 'group %'")
        for name, note in self.groups.items():
            actions = [a for o, a in audit if o == f"group {name}"]
            self.assertIn(there.get(name), self.unsure.get(name, {note}), f"{name}: {actions}")
            self.groups[name] = there.get(name)
        self.unsure = {}
        for name, note in self.groups.items():
            actions = [a for o, a in audit if o == f"group {name}"]
            # A change without its entry in the audit log would be half of one.
            self.assertEqual(note is not None, "create" in actions and "remove" not in actions, name)
        self.assertEqual([], self.server.sql(
            "SELECT client FROM session WHERE ended IS NULL GROUP BY client HAVING COUNT(*) > 1"))
        self.assertEqual([], self.server.sql(
            "SELECT hash FROM export WHERE session NOT IN (SELECT id FROM session WHERE ended IS NULL)"))
        self.assertEqual([], self.server.sql("SELECT id FROM lease WHERE export NOT IN (SELECT hash FROM export)"))
        self.assertEqual([], self.server.sql(
            "SELECT disk FROM difference GROUP BY disk, COALESCE(client, '') HAVING COUNT(*) > 1"))
        # Each machine that was let in took a place of the window, and stands in the audit log.
        (used, clients, audited), = self.server.sql(
            "SELECT (SELECT used FROM enrolment), (SELECT COUNT(*) FROM client WHERE note = 'enrolled'),"
            " (SELECT COUNT(*) FROM audit WHERE action = 'enrol')")
        self.assertEqual((used, used), (clients, audited))
        leases = dict(self.server.sql("SELECT target, id FROM lease"))
        for difference, (lease, _) in self.leases.items():
            self.assertEqual(lease, leases.get(difference.rpartition("/")[2]), "a lease was lost")
        self.assertEqual(self.guests_leases, self.leases_of_guests())
        if not self.server.cluster:
            self.assertEqual([("ok",)], self.server.sql("PRAGMA integrity_check"))
            self.assertEqual([], self.server.sql("PRAGMA foreign_key_check"))

    def test_random_moments(self):
        for _ in range(KILLS):
            self.run_and_kill()
            self.check()
        self.assertGreater(self.made, 0)
