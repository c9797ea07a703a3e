#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tenants share host CPUs fairly: by weight, up to their cap, and whatever a neighbour does. Shares are of the work
that the guests themselves count, so that Leat's own account is checked too. On QEMU with several CPUs, whose time is the
host's and whose guests' work depends on what else that does, only the account is."""
import re

import guest_clock
import lab
import tenants
from lab import check, main
from tenants import Tenant

SHORT_MS, LONG_MS = 1500, 3000
ATTACKS = ("spin", "pause", "cpuid", "out", "mmio", "doorbell", "reads", "timer", "ipi")
DRIFT_SECONDS = 40


def worked(the_lab, run, names, milliseconds=LONG_MS):
    return tenants.shares(the_lab, names, tenants.until_worked(the_lab, run, names, milliseconds))


def counts_work(the_lab):
    return the_lab.machine.startswith("bochs") or the_lab.cpus == 1


def is_near(value, wanted, off, what):
    check(abs(value - wanted) <= off, f"{what}: {value:.2f}, not {wanted} within {off:g}")


def weights(the_lab):
    """Two CPU-bound VMs, with as many vCPUs each as the host has CPUs and weights 2:1, get 2:1 within 5 %, by their own
    count and by Leat's."""
    cpus = the_lab.cpus
    run = tenants.boot(the_lab, [Tenant("heavy", f"work cpus={cpus}", (f"cpus = {cpus}", "weight = 200")),
                                 Tenant("light", f"work cpus={cpus}", (f"cpus = {cpus}",))])
    had = worked(the_lab, run, ["heavy", "light"])
    if counts_work(the_lab):
        is_near(had["heavy"] / had["light"], 2, 0.1, "work of weights 2:1")
        check(sum(had.values()) > 90 * cpus, f"both together had only {sum(had.values()):.1f} % of {100 * cpus}")
    use = tenants.cpu_use(the_lab, run, ["heavy", "light"])
    is_near(use["heavy"] / use["light"], 2, 0.1, "`cpus` on weights 2:1")


def cap(the_lab):
    """A VM capped at 25 % stays within 2 points of it, beside a busy one and alone; `cpus` tells of it."""
    run = tenants.boot(the_lab, [Tenant("capped", "work", ("cap = 25%", "weight = 1000")), Tenant("other", "work")])
    had = worked(the_lab, run, ["capped", "other"])["capped"]
    if counts_work(the_lab):
        is_near(had, 25, 2, "cap of 25 % beside a busy VM, in percent")
    is_near(tenants.cpu_use(the_lab, run, ["capped"])["capped"], 25, 2, "`cpus` on a cap of 25 % beside a busy VM")
    tenants.kill(the_lab, run, "other")
    had = worked(the_lab, run, ["capped"])["capped"]
    if counts_work(the_lab):
        is_near(had, 25, 2, "cap of 25 % with nobody else, in percent")
    said = tenants.ask(the_lab, run, "cpus",
                       r"(?s)host CPU +([^\n]+).*vm capped +([\d.]+) % +[\d.]+ s +([\d.]+) s +1000 +25%  all\n")
    capped = float(said[2])
    is_near(capped, 25, 2, "`cpus` on a cap of 25 %, in percent")
    check(float(said[3]) > 2, f"`cpus` says that the cap held it back for {said[3]} s only")
    host = sum(map(float, re.findall(r"([\d.]+) %", said[1])))
    check(capped - 0.2 <= host <= 40,  # each figure is rounded to 0.1
          f"`cpus` says that the host's CPUs are used by {host:.1f} %, with one VM at {capped:.1f} %")


def latest_tick(the_lab, run, count):
    """How late the victim's latest timer interrupt was, of the next so many lines, in ms."""
    found = tenants.await_lines(the_lab, run, "victim", "TICKS", count + 1)[1:]
    return max(latest for _, latest, _, _ in found) / tenants.ticks_per_ms(the_lab)


def delayed_by(the_lab, run, names):
    """{name: ms} by how much more than undisturbed each of these VMs delays a tick of the victim."""
    alone = latest_tick(the_lab, run, 4)
    delays = {}
    for name in names:
        tenants.start(the_lab, run, name)
        delays[name] = latest_tick(the_lab, run, 2) - alone
        tenants.kill(the_lab, run, name)
    print(f"{the_lab.folder.name}: latest tick undisturbed {alone:.3f} ms; then later by "
          + ", ".join(f"{name} {delay:.3f}" for name, delay in delays.items()) + " ms")
    return delays


def neighbours(the_lab, cpus):
    attackers = [Tenant(name, f"attack-{name} cpus={cpus}", (f"cpus = {cpus}",), False) for name in ATTACKS]
    run = tenants.boot(the_lab, [Tenant("victim", "ticks every=500"), *attackers])
    for name, delay in delayed_by(the_lab, run, ATTACKS).items():
        check(delay <= tenants.SLICE_MS,
              f"'{name}' delays its neighbour's tick by {delay:.2f} ms, more than a slice of {tenants.SLICE_MS} ms")


def hostile_neighbour(the_lab):
    """Whatever a guest does with its CPU, the timer tick of a neighbour of equal weight comes at most one time slice
    later."""
    neighbours(the_lab, 1)


def hostile_neighbour_smp(the_lab):
    """The same with two vCPUs, which can flood each other with interrupts."""
    neighbours(the_lab, 2)


def on_one_core(the_lab, name, first, second):
    """{name: percent of a CPU's work} of two VMs with these keys, on two hardware threads of one core."""
    folder = the_lab.folder / name
    one = lab.Lab(folder.relative_to(lab.BUILD / "system"), the_lab.machine)
    try:
        run = tenants.boot(one, [Tenant("a", "work", first), Tenant("b", "work", second)], cpus=2,
                           extra=("cpu: count=1:1:2",))
        had = worked(one, run, ["a", "b"], SHORT_MS)
        tenants.ask(one, run, "cpus", r"hardware threads of one core: 0-1\n")
        return had
    finally:
        one.close()


def own_core(the_lab):
    """Two hardware threads of one core: VMs that want their core for themselves never run at once, others do."""
    both = sum(on_one_core(the_lab, "shared", (), ()).values())
    check(both > 180, f"two VMs on two hardware threads got {both:.0f} % of one CPU's work done, not nearly 200 %")
    alone = sum(on_one_core(the_lab, "own", ("own_core = yes",), ("own_core = yes",)).values())
    check(80 < alone < 102, f"two VMs with own_core got {alone:.0f} % of one CPU's work done, not nearly 100 %")


def own_core_pinned(the_lab):
    """VMs that want one core for themselves, and may not run on each other's hardware thread of it, take turns by weight."""
    pins = {"apart": ("pin = 0", "pin = 1"), "one_free": ("pin = 0-1", "pin = 1")}
    for name, (first, second) in pins.items():
        had = on_one_core(the_lab, name, ("own_core = yes", first, "weight = 200"), (second,))
        check(85 < sum(had.values()) < 102, f"{name}: both got {sum(had.values()):.0f} % of one CPU's work done")
        is_near(had["a"] / had["b"], 2, 0.3, f"{name}: work of weights 2:1")


def pinned(the_lab):
    """A VM runs where it is pinned; host CPUs that are not there are named, and without any it does not start."""
    run = tenants.boot(the_lab, [Tenant("first", "work", ("pin = 0",)), Tenant("second", "work", ("pin = 0,5",)),
                                 Tenant("third", "work", ("pin = 4-6,9",), False)], cpus=2)
    check("vm second: pin = 0,5: this machine has only host CPUs 0-1\n" in the_lab.leat_log(), "no word of CPU 5")
    tenants.ask(the_lab, run, "vm third start", r"vm third: not started")
    reason = "vm third: pin = 4-6,9: this machine has none of these host CPUs, only 0-1\n"
    the_lab.wait_for(run, {"why the third VM does not start": lambda: reason in the_lab.leat_log()}, 20)
    had = worked(the_lab, run, ["first", "second"], SHORT_MS)
    for name, share in had.items():
        is_near(share, 49, 4, f"VM {name} of the one host CPU that both are pinned to, in percent")
    use = tenants.ask(the_lab, run, "cpus", r"host CPU +0: +([\d.]+) % +1: +([\d.]+) %").groups()
    check(float(use[0]) > 95 > 20 > float(use[1]), f"`cpus` says {use}, not all of CPU 0 and little of CPU 1")


def clock_drift(the_lab):
    """Debian's clock beside the host's, with a busy neighbour on the same CPU and a cap that stops the guest most of the
    time: at 1 ms in ten minutes it may go away by DRIFT_SECONDS / 600 of that."""
    guest_clock.run_guest(the_lab, DRIFT_SECONDS, None, [Tenant("busy", "work every=1000", ("weight = 300",))],
                          keys=("cap = 40%",))
    points, window = guest_clock.drifts(the_lab)
    check(points[-1][0] > DRIFT_SECONDS - 1, f"the guest's clock was watched for {points[-1][0]:.1f} s only")
    worst = max(abs(ahead) for _, ahead in points)
    allowed = 1e6 * DRIFT_SECONDS / 600 + window
    print(f"clock_drift: clock source {guest_clock.source(the_lab)}: {worst / 1e3:.1f} us at most in "
          f"{points[-1][0]:.1f} s, read within {window / 1e3:.1f} us")
    check(worst <= allowed,
          f"the guest's clock went {worst / 1e3:.0f} us from the host's, more than {allowed / 1e3:.0f}")
    check(not re.search(r"clocksource: .*(unstable|skewed)|rcu.*stall", the_lab.guest_log(guest_clock.NAME)),
          "the guest's kernel complains about its clock")


if __name__ == "__main__":
    main(weights, cap, hostile_neighbour, hostile_neighbour_smp, own_core, own_core_pinned, pinned, clock_drift)
