#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""VMs whose TSC has another rate than the host's (`tsc_mhz`). Of the emulators Bochs scales, as CPUs from Skylake on;
neither QEMU's AMD-V nor Bochs' does, and there the VM must be refused."""
import re

import guest_clock
import test_kernels
from lab import check, load_tool, main
from tenants import Tenant

SCALING_CPU = "corei7_skylake_x"
KERNELS = ("tsc", "apic_timer")
RATES = (10, 100, 1500, 7000)  # of a host with 30 MHz
CLOCK_SECONDS = 20


def boot_kernels(the_lab, rates, cpus=1, **options):
    """A VM KERNEL-MHZ for each kernel and rate; returns the machine and the VMs' names."""
    host = test_kernels.HOST[the_lab.machine]
    vms = {f"{kernel}-{mhz}": (kernel, mhz) for mhz in rates for kernel in KERNELS}
    config = the_lab.config("[console]\nview = all\n" + "".join(
        f"[vm {name}]\nmemory = 16M\ncpus = {cpus}\ntsc_mhz = {mhz}\nboot = multiboot\nkernel = {kernel}.elf\n"
        f"cmdline = leat host={host}\n" for name, (kernel, mhz) in vms.items()))
    image = the_lab.folder / "leat.img"
    load_tool("mkimage").make_image(str(image), str(test_kernels.BUILD / "leat.efi"), str(config),
                                    {f"{kernel}.elf": str(test_kernels.FOLDER / f"{kernel}.elf") for kernel in KERNELS})
    return the_lab.boot(image, guests=list(vms), memory=1024, **options), list(vms)


def has_ended(the_lab, name):
    return (f"DONE {name.split('-')[0]} " in the_lab.guest_log(name)
            or re.search(rf"vm {name}: (crashed|ended|powered off|not started)", the_lab.leat_log()))


def end_all(the_lab, run, names):
    the_lab.wait_for(run, {name: lambda name=name: has_ended(the_lab, name) for name in names}, 300)


def scaled_kernels(the_lab):
    """The test kernels that measure the TSC and the APIC's timer against other clocks, at several rates at a time."""
    run, names = boot_kernels(the_lab, RATES, 2, cpu=SCALING_CPU)
    end_all(the_lab, run, names)
    failed = [f"{name}: {line}" for name in names
              for line in test_kernels.verdict(name.split("-")[0], the_lab.guest_log(name))]
    check(not failed, f"{len(failed)} failed: {'; '.join(failed)[:300]}")
    for name in names:
        check(f"VM '{name}': its TSC has {name.split('-')[1]} MHz" in the_lab.leat_log(), f"{name} is not scaled")


def not_scaled(the_lab):
    """On a CPU that does not scale, a VM starts with the host's rate only; the others are told why not."""
    run, names = boot_kernels(the_lab, [9999])
    end_all(the_lab, run, names)
    sentence = r"vm tsc-9999: tsc_mhz = 9999: this machine's CPU cannot scale its time stamp counter of (\d+) MHz for guests"
    found = re.search(sentence, the_lab.leat_log())
    check(found, "no word of why tsc-9999 does not start")
    if the_lab.machine == "qemu":
        return  # whose TSC is that of the machine below, and gives another figure at each boot
    mhz = int(found[1])
    run, names = boot_kernels(the_lab, [mhz - 1, mhz, mhz + 1])
    end_all(the_lab, run, names)
    started = [name for name in names if f"DONE {name.split('-')[0]} " in the_lab.guest_log(name)]
    wanted = [f"{kernel}-{mhz}" for kernel in KERNELS]
    check(sorted(started) == sorted(wanted), f"{started} have run, not {wanted}")


def goes_with_the_host(the_lab, mhz, source):
    guest_clock.run_guest(the_lab, CLOCK_SECONDS, None, [Tenant("busy", "work every=1000", ("weight = 300",))],
                          keys=("cap = 40%", f"tsc_mhz = {mhz}"), cpu=SCALING_CPU)
    points, window = guest_clock.drifts(the_lab)
    worst, seconds = max(abs(ahead) for _, ahead in points), points[-1][0]
    print(f"{mhz} MHz, clock source {guest_clock.source(the_lab)}: {worst / 1e3:.1f} us at most in {seconds:.1f} s, read "
          f"within {window / 1e3:.1f} us")
    check(f"TSC has {mhz} MHz" in the_lab.leat_log() and guest_clock.source(the_lab) == source,
          f"{mhz} MHz: the clock source is {guest_clock.source(the_lab)}, not {source}")
    check(seconds > CLOCK_SECONDS - 1, f"the guest's clock was watched for {seconds:.1f} s only")
    check(worst <= 1e6 * CLOCK_SECONDS / 600 + window, f"the guest's clock went {worst / 1e3:.0f} us from the host's")
    check(not re.search(r"clocksource: .*(unstable|skewed)|rcu.*stall", the_lab.guest_log(guest_clock.NAME)),
          "the guest's kernel complains about its clock")


def tsc_clock(the_lab):
    """Debian with the TSC as its clock, which has whole kHz at that rate; a cap stops the guest most of the time."""
    goes_with_the_host(the_lab, 1500, "tsc")


def kvm_clock(the_lab):
    """The same with the paravirtual clock, and a TSC whose ticks are not whole ns."""
    goes_with_the_host(the_lab, 333, "kvm-clock")


if __name__ == "__main__":
    main(scaled_kernels, not_scaled, tsc_clock, kvm_clock)
