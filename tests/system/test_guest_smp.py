#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Unmodified Debian guests with several CPUs: all of them are there, take interrupts, go off and on again; the disk's
sums are right from any of them; a reset brings all of them back."""
import re

from lab import base_config, check, main, vm

STEPS = "smp,sums"


def section(name, disk, cpus, steps):
    return vm(name, disk, steps, extra=f"leat.cpus={cpus}", cpus=cpus)


def several_cpus(lab):
    lab.disk("one")
    lab.disk("two")
    lab.server.start()
    image = lab.image(lab.config(base_config(lab) + "[disk one]\n[disk two]\n" + section("two", "two", 2, STEPS) +
                                 section("four", "one", 4, STEPS)))
    guests = {"two": 2, "four": 4}
    run = lab.boot(image, guests=tuple(guests))
    lab.wait_for(run, {name: lambda name=name: "TEST done" in lab.guest_log(name) for name in guests}, 1200)
    run.wait_end(120)
    check(run.ended == "power off", f"the machine ended by {run.ended}, not by power off")
    for name, cpus in guests.items():
        log = lab.guest_log(name)
        check(f"TEST smp {cpus} of {cpus} CPUs" in log, f"guest {name} has not all of its {cpus} CPUs")
        for step in STEPS.split(","):
            check(f"TEST {step} ok" in log, f"guest {name}: step {step} failed")
        complaint = re.search(r".*(soft lockup|rcu: INFO|TSC warp|clocksource.*unstable).*", log)
        check(not complaint, complaint and f"guest {name} complains: {complaint[0]}")


def reset(lab):
    """The guest resets itself with four CPUs at work, and starts again with four."""
    lab.disk("one")
    lab.server.start()
    image = lab.image(lab.config(base_config(lab) + "[disk one]\n" + section("four", "one", 4, "smp,rebootonce")))
    run = lab.boot(image, guests=("four",))
    lab.wait_for(run, {"done": lambda: "TEST done" in lab.guest_log("four")}, 1200)
    run.wait_end(120)
    starts = len(re.findall("TEST smp ok", lab.guest_log("four")))
    check(starts == 2, f"the four CPUs were there in {starts} of 2 starts")
    check(re.search(r"VM 'four' starts again", lab.leat_log()), "Leat says nothing of the reset")


if __name__ == "__main__":
    main(several_cpus, reset)
