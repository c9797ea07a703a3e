#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A VM harms only itself. While a Debian guest sums, writes and reads, another VM attacks whatever it can reach,
ends in every bad way there is, or has its vmm killed, is reset and started again from outside."""
import re
import time

from lab import BUILD, base_config, check, main, vm
from test_two_guests import check_steps

STEPS = "sums,write,reread"
# What a guest's kernel says when its disk, its clock or its memory was touched by somebody else.
HARMED = r"I/O error|EXT4-fs error|rcu_.*stall|soft lockup|blocked for more than|BUG:|Oops|segfault"
ATTACKS = ("memory", "ports", "msrs", "instructions", "pci", "virtio")


def hostile(name, words):
    return f"""[vm {name}]
memory = 64M
kernel = hostile.bzimage
cmdline = {words}
disks = scratch
autostart = no
"""


def boot(lab, text, guests):
    """Disk `good` keeps what is written to it; `scratch` is for those who do damage."""
    lab.disk("good")
    lab.disk("scratch")
    lab.server.start()
    config = lab.config(base_config(lab) + "[disk good]\n[disk scratch]\nmode = ram\n" + text)
    image = lab.image(config, files={"hostile.bzimage": str(BUILD / "tests/guests/hostile/hostile.bzimage")})
    return lab.boot(image, guests=guests)


def ask(lab, run, line, answer, timeout=120):
    """Types a command at Leat's prompt and waits for what must be said from then on."""
    start = len(run.output)
    run.send(line + "\r")
    lab.wait_for(run, {f"'{answer}' after '{line}'": lambda: re.search(answer, run.text(start))}, timeout)


def good_guest(lab):
    """Busy for long enough on the faster machine, too."""
    steps = STEPS.replace("sums", "sums" + ",dropsums" * 15) if lab.machine == "qemu" else STEPS
    return vm("good", "good", steps)


def good_runs(lab):
    check("TEST done" not in lab.guest_log("good"), "the good guest was done before the others were: nothing is shown")


def good_ends_well(lab, run):
    """The good guest's last step, then the machine's end: all other VMs are off by now."""
    lab.wait_for(run, {"good done": lambda: "TEST done" in lab.guest_log("good")}, 900)
    run.wait_end(120)
    check(run.ended == "power off", f"the machine ended by {run.ended}, not by power off")
    check_steps(lab, "good", STEPS)
    harm = re.search(HARMED, lab.guest_log("good").split("sysrq: Power Off")[0])
    check(not harm, harm and f"the good guest says: {harm[0]}")
    check(not re.search(r"service '\w+' (died|does not)", lab.leat_log()), "a service of Leat died or hung")


def says(lab, regex, times=1):
    """Why a VM ended is told in one line of Leat's log, once for each time."""
    found = re.findall(regex, lab.leat_log())
    check(len(found) == times, f"Leat's log says {len(found)} times, not {times}: {regex}")


def attack_is_over(lab):
    wrong = re.search(r".*(NOT NOTICED|IS DEAD|TAKEN|no disk found|unexpected exception).*", lab.guest_log("attack"))
    check(not wrong, wrong and f"the attacker says: {wrong[0]}")
    return "vm attack: crashed: triple fault\n" in lab.leat_log()


def hostile_guests(lab):
    """A bare kernel attacks; then others spin, halt, run code where there is no memory, and reset for ever."""
    names = ("good", "attack", "spin", "halt", "fetch", "again")
    run = boot(lab, good_guest(lab) + hostile("attack", "end=triple") +
               hostile("spin", "only=none end=spin") + hostile("halt", "only=none end=halt") +
               hostile("fetch", "only=none end=fetch") + hostile("again", "only=none end=reset"), names)
    lab.wait_for(run, {"sums started": lambda: "TEST sums started" in lab.guest_log("good")}, 400)

    run.send("vm attack start\r")
    lab.wait_for(run, {"attacks": lambda: attack_is_over(lab)}, 600)
    good_runs(lab)
    log = lab.guest_log("attack")
    for name in ATTACKS:
        check(re.search(rf"^hostile: {name}: ", log, re.M), f"attack on {name}: no result")
    check("virtio: 18 cases and noise; 0 not as they should be" in log, "virtio: not all 18 cases were tried")
    check("all done, still alive" in log, "the attacker did not come to its end")

    ask(lab, run, "vm spin start", r"spin hostile: end: spins for ever")
    ask(lab, run, "vms", r"(?s)good +running.*spin +running")
    ask(lab, run, "vm halt start", r"halt hostile: end: halts with interrupts off")
    ask(lab, run, "vm again start", r"(?s)(again hostile: end: resets the machine.*){3}")
    ask(lab, run, "vm fetch start", r"vm fetch: crashed: ")
    for name in ("spin", "halt", "again"):
        ask(lab, run, f"vm {name} kill", rf"vm {name}: killed")
    good_runs(lab)

    # Once more while the good guest writes; good_ends_well's verdict is on that as well.
    lab.wait_for(run, {"write started": lambda: "TEST write started" in lab.guest_log("good")}, 600)
    ask(lab, run, "vm attack start", r"vm attack: runs")
    good_ends_well(lab, run)
    says(lab, r"vm attack: crashed: triple fault\n", 2)
    says(lab, r"vm fetch: crashed: the guest ran code or put page tables outside its memory\n")
    for name in ("spin", "halt", "again"):
        says(lab, rf"vm {name}: killed\n")


def ended_from_outside(lab):
    """A busy Debian guest is killed, started, reset and stopped while the other goes on; it boots each time."""
    run = boot(lab, good_guest(lab) + vm("busy", "scratch", "forever"), ("good", "busy"))

    def is_busy(times):
        return {f"busy for the {times}. time": lambda: lab.guest_log("busy").count("TEST forever started") == times}

    lab.wait_for(run, is_busy(1), 400)
    ask(lab, run, "vm busy kill", r"vm busy: killed")
    later = time.monotonic() + 3 # its memory is given back
    lab.wait_for(run, {"a moment": lambda: time.monotonic() >= later}, 60)
    ask(lab, run, "vms", r"busy +off .* killed")
    ask(lab, run, "vm busy start", r"vm busy: runs")
    lab.wait_for(run, is_busy(2), 400)
    ask(lab, run, "vm 2 reset", r"(?s)vm busy: reset.*vm busy: runs")
    lab.wait_for(run, is_busy(3), 400)
    # Nobody in this guest listens to the power button: it goes on, and can still be ended.
    ask(lab, run, "vm busy stop", r"vm busy: power button pressed")
    ask(lab, run, "vms", r"busy +stopping")
    ask(lab, run, "vm busy kill", r"vm busy: killed")
    good_runs(lab)
    good_ends_well(lab, run)


if __name__ == "__main__":
    main(hostile_guests, ended_from_outside)
