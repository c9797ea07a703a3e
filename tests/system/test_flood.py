#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a vmm that its guest has broken can take from others by flooding the services: tests/system/floodvmm is a vmm
that does, in VMs of these names. The services work above all VMs and nobody pays for it, so they bound it."""
import tenants
from lab import BUILD, check, main
from tenants import Tenant

FLOODS = ("signals", "disk", "console", "prints", "logs")
LEAST = 35  # percent of the CPU that a busy VM has of the half that is its share, whatever the other one floods
MILLISECONDS = 2000


def flood(the_lab):
    """A busy VM has nearly its half of the CPU beside each of them."""
    floods = [Tenant(name, "attack-reads", (), False) for name in FLOODS]
    run = tenants.boot(the_lab, [Tenant("victim", "work"), *floods],
                       efi=BUILD / "tests/system/floodvmm/floodvmm.efi")
    had = {}
    for name in FLOODS:
        tenants.start(the_lab, run, name)
        since = tenants.until_worked(the_lab, run, ["victim"], MILLISECONDS)
        had[name] = tenants.shares(the_lab, ["victim"], since)["victim"]
        tenants.kill(the_lab, run, name)
    print(f"{the_lab.folder.name}: beside " + ", ".join(f"{name} {share:.1f}" for name, share in had.items()) + " %")
    for name, share in had.items():
        check(share >= LEAST, f"beside '{name}' a busy VM has only {share:.1f} % of the CPU")


if __name__ == "__main__":
    main(flood)
