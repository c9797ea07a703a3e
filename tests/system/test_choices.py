#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What somebody in front of a machine of a leatd sees and can do: a long menu that remembers, what the machine is too small for,
servers that are away, a cable that is pulled. The guests are bare ones, so that a start takes no time."""
import re
import shutil

import lab
import screen_text
from lab import check, main
from leatd_lab import HOST, UUID, add_client, said, stick, with_control

KEYS = "arrow keys and Enter, or a digit"
CABLE = {"nic": "none", "extra": ("-netdev", "user,id=cable", "-device", "e1000,netdev=cable,mac=52:54:00:1e:a7:01")}
AWAY = "10.0.2.99"  # nobody has that address in the emulator's network, or says so


def add_disk(control, name, **assignment):
    """A disk of a bare image, assigned to lab-01."""
    images = control.folder / "images"
    if not (images / "bare.raw").exists():
        (images / "bare.raw").write_bytes(bytes(1 << 20))
        shutil.copy(lab.BUILD / "tests/guests/bench/bench.bzimage", images / "bench")
        control.api("POST", "images", {"name": "bare"})
        control.api("POST", "images/bare/versions",
                    {"source": "bare.raw", "kernel": "bench", "cmdline": "do=work", "state": "published"})
    control.api("POST", "disks", {"name": name, "image": "bare", "mode": "ram"})
    control.api("POST", "assignments", {"client": "lab-01", "disk": name, "memory": 32, **assignment})


@with_control
def long_menu(the_lab, control):
    """Fifty disks, some with names of other alphabets: all are reached; the last choice is the default of the next start."""
    key = add_client(control)
    names = {0: "B\u00fcro \u2013 " + "x" * 45, 1: "\u041a\u043b\u0438\u0435\u043d\u0442", 2: "\u6f22\u5b57"}
    for i in range(50):
        add_disk(control, f"d{i:02}", label=names.get(i, f"Disk {i}"))
    image = stick(the_lab, control, key, "when_idle = stay")
    run = the_lab.boot(image, uuid=UUID)
    run.expect("What is this machine to start", 120)
    rows = "".join(f"{'>' if i == 0 else ' '} {i + 1}  {names[i]}\n" for i in range(3))
    run.expect(re.escape(rows), 60)
    run.expect(r"1 of 50; " + KEYS, 60)
    run.send("\x1b[F")
    run.expect(r">    Disk 49\n", 60)
    run.send("\x1b[A")
    run.expect(r">    Disk 48\n", 60)
    screen_text.wait_for(the_lab, run, [">    Disk 48", "     Disk 49", "", "", f"49 of 50; {KEYS}"])
    run.send("\r")
    run.expect("vm d48: runs", 120)
    run.send("poweroff\r")
    run.wait_end(60)

    run = the_lab.boot(image, uuid=UUID, logs="logs-again")
    run.expect(r"\n>    Disk 48\n(.*\n)*starts in \d+ s; any key stops the clock\n49 of 50; ", 120)
    run.expect("'Disk 48' is started, as chosen for nobody did", 60)
    run.expect("vm d48: runs", 120)
    check("vm d00" not in run.text(), "another one is started too")


@with_control
def too_large(the_lab, control):
    """A VM that the machine has not the memory for: the screen says so; with less it runs, and its many CPUs are no hindrance."""
    key = add_client(control)
    add_disk(control, "huge", memory=4096, cpus=16)
    run = the_lab.boot(stick(the_lab, control, key, "when_idle = stay"), uuid=UUID)
    run.expect(r"cannot be used\n\n'huge' needs 4\d\d\d MiB of memory \(4096 MiB for the guest\), and this machine", 120)
    screen_text.wait_for(the_lab, run, ["What the server has given to run cannot be used", ""])
    check("vm huge" not in run.text(), "it is started all the same")
    assignment, = control.items("assignments")
    control.api("DELETE", f"assignments/{assignment['id']}")
    control.api("POST", "assignments", {"client": "lab-01", "disk": "huge", "memory": 32, "cpus": 16})
    run.send("\x1dlrestart client\r")  # by itself it asks again after a minute
    run.expect("vm huge: its 16 CPUs take turns on this machine's 1", 120)
    run.expect("vm huge: runs", 120)


@with_control
def servers_away(the_lab, control):
    """No cable; a first server that is not there; then the other one goes while the menu waits: each is said, and nothing has to
    be done but what was the reason."""
    key = add_client(control)
    add_disk(control, "one")
    add_disk(control, "two")
    image = stick(the_lab, control, key, "when_idle = stay", servers=f"{AWAY}, {HOST}:{control.client_port}")
    run = the_lab.boot(image, uuid=UUID, **CABLE)
    screen_text.command(run, "set_link", name="cable", up=False)
    run.expect(r"Waiting for the network: no link on the network card: check the cable and the\nswitch\.", 120)
    screen_text.command(run, "set_link", name="cable", up=True)
    run.expect(rf"client: Asking the server {AWAY}:9471", 60)
    run.expect(rf"client: The server {AWAY}:9471: no answer", 60)
    run.expect("What is this machine to start", 60)
    run.send("\x1b[B")
    screen_text.command(run, "set_link", name="cable", up=False)
    run.expect("net: link down", 60)
    run.expect(r"> 2  two\n", 60)
    control.kill()
    screen_text.command(run, "set_link", name="cable", up=True)
    run.send("2")
    run.expect(r"'two' is started, as chosen in the menu", 60)
    run.expect(r"Leat\n\nThe server [0-9.]+:\d+: [a-z ]+\.\n\nasks again in", 60)
    control.start()
    the_lab.wait_for(run, {"its VM": said(run, "vm two: runs")}, 200)
    check(len(control.sessions()) == 1, "it has not gone on in its session")


@with_control
def dies_often(the_lab, control):
    """The service that speaks with leatd dies again and again: each time the menu comes back, after ten times a minute later."""
    key = add_client(control)
    add_disk(control, "one")
    add_disk(control, "two")
    run = the_lab.boot(stick(the_lab, control, key, "when_idle = stay"), uuid=UUID)
    for _ in range(11):
        run.expect("What is this machine to start", 120)
        run.send("\x1dlrestart client\r")
        run.expect("service 'client' has died: .*; it is started again", 60)
    run.expect(" in a minute, as it has died too often", 60)
    run.expect("What is this machine to start", 120)
    run.send("2")
    run.expect("vm two: runs", 120)


if __name__ == "__main__":
    main(long_menu, too_large, servers_away, dies_often)
