#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A machine whose leat.conf names a leatd and nothing else: who may not start is told why and goes on by himself once he
may; kernel and initrd come from leatd, the disk from nbdkit; and both may be restarted under a guest that works."""
import time

from lab import TEST_INIT, check, main
from leatd_lab import LOGIN, UUID, add_client, check_refused, kept_files, report_of, said, stick, with_control


@with_control
def refusals(lab, control):
    """Unknown; known, but with another key; disabled; without disks. Each has its sentence, and the last ones end by
    themselves, with a guest at its login."""
    run = lab.boot(stick(lab, control, f"{UUID}:{'6a' * 32}"), uuid=UUID, guests=("ram",))
    lab.wait_for(run, {"unknown": said(run, rf"not known to the server(?s:.*){UUID}, MAC\s+52:54:00")}, 120)
    key = add_client(control)
    lab.wait_for(run, {"another key": said(run, "by another key")}, 60)
    check("6a6a6a" not in run.text(), "the key is shown")
    check_refused(control, f"a machine that is not known: {UUID}, 52:54:00:1e:a7:01")
    check_refused(control, f"TLS for {UUID} was not completed: a wrong key?")
    run.close()

    control.api("PATCH", "clients/lab-01", {"enabled": False})
    run = lab.boot(stick(lab, control, key), uuid=UUID, guests=("ram",))
    lab.wait_for(run, {"disabled": said(run, r"(?i)disabled|not enabled")}, 120)
    control.api("PATCH", "clients/lab-01", {"enabled": True})
    lab.wait_for(run, {"no disks": said(run, r"(?i)no disk")}, 60)
    check_refused(control, "lab-01: This machine is disabled")
    check_refused(control, "lab-01: No disk is assigned to this machine")
    control.debian("ram")
    lab.wait_for(run, {"login": lambda: LOGIN in run.text()}, 600)
    session, = control.sessions()
    lab.wait_for(run, {"its report": lambda: report_of(control.sessions()[0]).get("vms")}, 60)
    report = report_of(control.sessions()[0])
    check(report["vms"] == [{"name": "ram", "state": "running"}], f"the report says {report['vms']}")
    stages = [mark["what"] for mark in report["boot"]]
    for stage in ("kernel", "network", "server", "configuration", "vm ram runs"):
        check(stage in stages, f"the report's boot has no '{stage}': {stages}")
    check([mark["ms"] for mark in report["boot"]] == sorted(mark["ms"] for mark in report["boot"]), "stages out of order")
    check(session["id"] == control.sessions()[0]["id"], "the session is another one")


@with_control
def restarts(lab, control):
    """leatd is killed, and nbdkit too, while the guest writes and reads; the session is the same one afterwards."""
    key = add_client(control)
    control.debian("server", f"{TEST_INIT} leat.do=sums,fsyncs")
    run = lab.boot(stick(lab, control, key), uuid=UUID, guests=("server",))
    lab.wait_for(run, {"sums": lambda: "TEST sums ok" in run.text(), "files": lambda: len(kept_files(run)) >= 5}, 900)
    before, = control.sessions()
    control.kill()
    there = len(kept_files(run))
    lab.wait_for(run, {"files without leatd": lambda: len(kept_files(run)) >= there + 20}, 300)
    time.sleep(20)  # longer than a session lives, and a lease
    control.start()
    there = len(kept_files(run))
    lab.wait_for(run, {"files with leatd again": lambda: len(kept_files(run)) >= there + 20,
                       "the session again": lambda: control.sessions()}, 300)
    after, = control.sessions()
    check(after["id"] == before["id"], "the session is another one")
    control.nbdkit.kill()
    control.nbdkit.wait()
    control.serve()
    there = len(kept_files(run))
    lab.wait_for(run, {"files with a new nbdkit": lambda: len(kept_files(run)) >= there + 5}, 300)
    check("FAILED" not in run.text(), "a guest's test has failed")
    check(kept_files(run) == list(range(1, len(kept_files(run)) + 1)), "files are missing")


@with_control
def menu(lab, control):
    """Two disks: the menu, and its choice by a key. When the VM has ended leatd has its boot profile."""
    key = add_client(control)
    control.debian("ram", label="Debian, forgetful")
    control.debian("read-only", label="Debian, in vain", default=True)
    run = lab.boot(stick(lab, control, key, "when_idle = stay"), uuid=UUID, guests=("ram", "read-only"))
    lab.wait_for(run, {"the menu": said(run, "(?s)Debian, forgetful.*Debian, in vain|Debian, in vain.*Debian, forgetful")}, 120)
    labels = ["Debian, forgetful", "Debian, in vain"]
    first = min(labels, key=lambda label: run.text().rindex(label))
    run.send("1" if first == labels[0] else "2")
    lab.wait_for(run, {"login": lambda: LOGIN in run.text()}, 600)
    check("vm ram: runs" in run.text() and "vm read-only" not in run.text(), "not what was chosen")
    run.send("vm ram kill\r")
    lab.wait_for(run, {"its boot profile": lambda: control.items("profiles")}, 60)
    run.send("poweroff\r")
    run.wait_end(60)
    check(not control.sessions(), "the machine has not said good-bye")


@with_control
def enrolment(lab, control):
    """A machine with the key that its firmware keeps: unknown, until an administrator opens a window."""
    run = lab.boot(stick(lab, control), uuid=UUID)
    lab.wait_for(run, {"unknown": said(run, rf"not known to the server(?s:.*){UUID}")}, 120)
    control.leatctl("group", "add", "room")
    control.leatctl("client", "enrol", "--group", "room")
    lab.wait_for(run, {"no disks": said(run, r"(?i)no disk")}, 60)
    client, = control.items("clients")
    check(client["uuid"] == UUID and client["group"] == "room", f"the new client is {client}")


@with_control
def client_dies(lab, control):
    """The process that speaks with leatd dies under a running guest: it is started again, and the session goes on, until an
    administrator ends it."""
    key = add_client(control)
    control.debian("server", f"{TEST_INIT} leat.do=fsyncs")
    run = lab.boot(stick(lab, control, key), uuid=UUID, guests=("server",))
    lab.wait_for(run, {"files": lambda: len(kept_files(run)) >= 5}, 900)
    before, = control.sessions()
    run.send("restart client\r")
    lab.wait_for(run, {"restarted": said(run, "service 'client' has died")}, 60)
    there, end = len(kept_files(run)), time.monotonic() + 30
    while time.monotonic() < end:
        run.step(0.2)
    lab.wait_for(run, {"files": lambda: len(kept_files(run)) >= there + 5}, 300)
    after, = control.sessions()
    check(after["id"] == before["id"], "the session is another one")
    check(after["renewed"] > before["renewed"], "the session is not renewed")
    control.leatctl("session", "end", after["id"])
    lab.wait_for(run, {"its end": said(run, "The server has ended this machine's session")}, 60)


@with_control
def spoilt(lab, control):
    """A kernel that is not what leatd says it is, is not started; the machine asks again by itself, and gets the right one."""
    key = add_client(control)
    control.debian("ram")
    kernel = control.folder / "images" / "vmlinuz"
    good = kernel.read_bytes()
    kernel.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    run = lab.boot(stick(lab, control, key), uuid=UUID, guests=("ram",))
    lab.wait_for(run, {"the notice": said(run, "What the server has given to run cannot be used")}, 300)
    check("vm ram" not in run.text(), "the VM is started")
    kernel.write_bytes(good)
    lab.wait_for(run, {"login": lambda: LOGIN in run.text()}, 600)


if __name__ == "__main__":
    main(refusals, restarts, menu, enrolment, client_dies, spoilt)
