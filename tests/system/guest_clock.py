# SPDX-License-Identifier: BSD-2-Clause
"""A guest's clock beside the host's: a Debian kernel with one process (tests/guests/debian/clock-init.c) that says its
CLOCK_MONOTONIC and TSC once a second under load, with busy neighbours on the same host CPUs. The host's clock at that
tick of the TSC is what every process of Leat computes from its information page (lib/clock.h)."""
import re
import subprocess

import lab
import tenants

PROGRAM = lab.TOP / "tests/guests/debian/clock-init.c"
NAME = "clock"


def make_initrd(folder):
    root = folder / "clock-root"
    root.mkdir(exist_ok=True)
    subprocess.run(["gcc", "-O2", "-Wall", "-static", "-o", root / "init", PROGRAM], check=True)
    packed = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=root, input=b"init\n",
                            capture_output=True, check=True).stdout
    out = folder / "clock-initrd"
    out.write_bytes(packed)
    return out


def section(seconds, vcpus, keys):
    return "\n".join([f"[vm {NAME}]", "memory = 128M", "kernel = vmlinuz", "initrd = clock-initrd", f"cpus = {vcpus}",
                      f"cmdline = {lab.QUIET} leat_seconds={seconds}", *keys]) + "\n"


def run_guest(the_lab, seconds, machine, neighbours=(), vcpus=1, keys=(), timeout=600, **options):
    """Boots it beside the neighbours, and returns when it has switched itself off."""
    files = {"clock-initrd": str(make_initrd(the_lab.folder))}
    run = tenants.boot(the_lab, neighbours, machine, section(seconds, vcpus, keys), files, [NAME], **options)

    def is_done():
        panic = re.search(r"Kernel panic.*", the_lab.guest_log(NAME))
        lab.check(not panic, panic and f"the guest says: {panic[0]}")
        return f"vm {NAME}: powered off" in the_lab.leat_log()

    the_lab.wait_for(run, {f"{seconds} s of the guest's clock": is_done}, timeout)
    return run


def host_clock(log):
    """A function from the guest's TSC to the host's clock in ns."""
    base, multiplier = map(int, re.search(r"the kernel began at (\d+); a tick is (\d+) / 2\^32 ns", log).groups())
    start = int(re.search(rf"VM '{NAME}': its TSC counts from the machine's (\d+) on", log)[1])
    scaled = re.search(rf"VM '{NAME}': .* one of the machine's ticks is (\d+) / 2\^48 of its", log)
    ratio = int(scaled[1]) if scaled else 1 << 48
    return lambda tsc: (start + (tsc << 48) // ratio - base) * multiplier >> 32


def drifts(the_lab):
    """[(seconds since the first line, how many ns the guest's clock is ahead since then)] and the widest window in
    which the two were read, in ns."""
    host = host_clock(the_lab.leat_log())
    samples = [tuple(map(int, found)) for found in
               re.findall(r"^CLOCK (\d+) (\d+) (\d+)$", the_lab.guest_log(NAME), re.MULTILINE)]
    lab.check(len(samples) > 1, "the guest has not said its clock twice")
    first_tsc, first_ns, _ = samples[0]
    points = [((host(tsc) - host(first_tsc)) / 1e9, (ns - first_ns) - (host(tsc) - host(first_tsc)))
              for tsc, ns, _ in samples]
    return points, max(host(window) - host(0) for _, _, window in samples)


def source(the_lab):
    return re.findall(r"CLOCKSOURCE (\S+) cpus \d+", the_lab.guest_log(NAME))[-1]
