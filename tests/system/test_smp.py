#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The same image on each machine with 1, 2 and 4 host CPUs: Leat uses them all, and two Debian guests with several vCPUs
at the same time end a mixed load with right results: sums of the streamed disk, a compiler whose every object must be
as made on the server's side, and stress-ng, which checks its own."""
import re

from lab import base_config, check, main, vm
from test_two_guests import check_steps

LOAD = ("sums,compile,stress", "compile,stress,dropsums")
# vCPUs of the two guests for each number of host CPUs: fewer than, as many as, and more than those.
VCPUS = {1: (1, 2), 2: (2, 4), 4: (4, 3)}
HARMED = r"rcu_.*stall|soft lockup|hard LOCKUP|blocked for more than|BUG:|Oops|segfault|I/O error|EXT4-fs error|unstable"


def two_guests(lab, loads, timeout):
    lab.disk("one")
    lab.disk("two")
    lab.server.start()
    vcpus = dict(zip(("web", "db"), VCPUS[lab.cpus]))
    image = lab.image(lab.config(base_config(lab) + "[disk one]\n[disk two]\nmode = ram\n" +
                                 vm("web", "one", loads[0], cpus=vcpus["web"]) + vm("db", "two", loads[1], cpus=vcpus["db"])))
    run = lab.boot(image, guests=("web", "db"))
    lab.wait_for(run, {f"{name} done": lambda n=name: is_done(lab, n) for name in vcpus}, timeout)
    run.wait_end(120)
    check(run.ended == "power off", f"the machine ended by {run.ended}, not by power off")
    used = re.search(r"kernel: (\d+) CPUs run", lab.leat_log())
    check(used and int(used[1]) == lab.cpus, f"Leat says of {used[1] if used else 'no'} CPUs that they run, not of {lab.cpus}")
    for (name, count), steps in zip(vcpus.items(), loads):
        log = lab.guest_log(name)
        up = re.search(r"TEST up \S+ (\d+) cpu", log)
        check(up and int(up[1]) == count, f"guest {name} came up with {up[1] if up else 'no'} CPUs, not {count}")
        check_steps(lab, name, steps.replace("dropsums", "sums"))
        harm = re.search(HARMED, log.split("sysrq: Power Off")[0])  # its disks are off from there on
        check(not harm, harm and f"guest {name} says: {harm[0]}")


def is_done(lab, name):
    log = lab.guest_log(name)
    panic = re.search(r"Kernel panic - not syncing.*", log)
    check(not panic, panic and f"guest {name} says: {panic[0]}")
    return "TEST done" in log


def mixed_load(lab):
    two_guests(lab, LOAD, 1500)


def short_load(lab):
    """Only the compiler: for emulators on which all of it takes too long."""
    two_guests(lab, ("compile", "compile"), 600)


if __name__ == "__main__":
    main(mixed_load, short_load)
