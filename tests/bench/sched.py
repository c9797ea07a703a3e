# SPDX-License-Identifier: BSD-2-Clause
"""sched: how VMs share host CPUs: weights, a cap, and what that load does to the reads of a third VM."""
import statistics

import lab
import setting
import tenants
from figures import Figure

LONG_MS = 3000  # of each stretch that shares are taken from
READ_LINES = 5  # of 100 reads each
CAP = 25


def reads(bench_lab, machine, key, what, per_us):
    """The spread of 4 KiB reads in the next lines of the VM `reader`."""
    found = tenants.await_lines(bench_lab, machine, "reader", "READS", READ_LINES + 1)[1:]
    for name, index, choose in (("median", 2, statistics.median), ("p90", 3, statistics.median), ("max", 5, max)):
        yield Figure(f"{key}_{name}", f"{what}: {name}", choose([line[index] for line in found]) / per_us,
                     "µs, emulated")


def worked(bench_lab, machine, names):
    """{name: percent of one CPU} of the next stretch."""
    return tenants.shares(bench_lab, names, tenants.until_worked(bench_lab, machine, names, LONG_MS))


def on_cpus(cpus):
    bench_lab = lab.Lab(f"bench-sched-{cpus}")
    work = f"work every=500 cpus={cpus}"
    keys = (f"cpus = {cpus}",)
    vms = [tenants.Tenant("reader", "reads rounds=100 pause=2"),
           tenants.Tenant("heavy", work, (*keys, "weight = 200"), False),
           tenants.Tenant("light", work, (*keys, "weight = 100"), False),
           tenants.Tenant("capped", work, (*keys, f"cap = {CAP}%"), False)]
    at = f"{cpus} host CPU{'s' if cpus > 1 else ''}"
    key = f"cpus{cpus}"
    try:
        machine = tenants.boot(bench_lab, vms, setting.MACHINE, cpu=setting.CPU, memory=setting.MEMORY_MIB, cpus=cpus)
        per_us = tenants.ticks_per_ms(bench_lab) / 1000
        yield from reads(bench_lab, machine, f"{key}_read_unloaded", f"{at}: 4 KiB cached read, nobody else busy",
                         per_us)
        for name in ("heavy", "light"):
            tenants.start(bench_lab, machine, name)
        had = worked(bench_lab, machine, ["heavy", "light"])
        yield Figure(f"{key}_weights", f"{at}: work of two busy VMs with weights 2:1", had["heavy"] / had["light"],
                     "times")
        yield Figure(f"{key}_weights_sum", f"{at}: work of both, of one CPU's time", sum(had.values()), "%")
        tenants.start(bench_lab, machine, "capped")
        had = worked(bench_lab, machine, ["heavy", "light", "capped"])
        yield Figure(f"{key}_cap", f"{at}: work of a third busy VM with cap = {CAP}%, of one CPU's time", had["capped"],
                     "%")
        yield Figure(f"{key}_weights_beside_cap", f"{at}: work of the two with weights 2:1 beside it",
                     had["heavy"] / had["light"], "times")
        yield from reads(bench_lab, machine, f"{key}_read_loaded", f"{at}: the same read beside these three", per_us)
        for name in ("heavy", "light"):
            tenants.kill(bench_lab, machine, name)
        had = worked(bench_lab, machine, ["capped"])
        yield Figure(f"{key}_cap_alone", f"{at}: work with cap = {CAP}% when nobody else is busy", had["capped"], "%")
    finally:
        bench_lab.close()


def measure(_with_profile):
    figures = [*on_cpus(1), *on_cpus(2)]
    return figures, setting.parameters(cpus="1, 2", guests="tests/guests/bench, 32 MiB each, as many vCPUs as the host "
                                       "has CPUs; the reader has 1", stretch_ms=LONG_MS)
