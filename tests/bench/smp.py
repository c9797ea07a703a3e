# SPDX-License-Identifier: BSD-2-Clause
"""smp: how much more a CPU-bound load gets done on 2 and 4 host CPUs. Bochs lets its CPUs run in turn, a few
instructions each, and only then moves the one clock: in emulated time they run at once, whatever the machine below has.
Work is counted by the guests, time by the TSC."""
import lab
import setting
import tenants
from figures import Figure

LONG_MS = 2000
CASES = ((2, 2, 1), (4, 4, 1), (2, 1, 2), (4, 1, 4), (4, 2, 4), (1, 1, 2))  # host CPUs, VMs, vCPUs of each


def work(host_cpus, vms, vcpus):
    """What all VMs together get done, in percent of what one CPU could."""
    bench_lab = lab.Lab("bench-smp")
    guests = [tenants.Tenant(f"vm{i}", f"work every=500 cpus={vcpus}", (f"cpus = {vcpus}",)) for i in range(vms)]
    try:
        machine = tenants.boot(bench_lab, guests, setting.MACHINE, cpu=setting.CPU, memory=setting.MEMORY_MIB,
                               cpus=host_cpus)
        names = [guest.name for guest in guests]
        since = tenants.until_worked(bench_lab, machine, names, LONG_MS)
        return sum(tenants.shares(bench_lab, names, since).values())
    finally:
        bench_lab.close()


def measure(_with_profile):
    one = work(1, 1, 1)
    figures = [Figure("one", "1 host CPU, 1 VM with 1 vCPU: work, of the CPU's time", one, "%")]
    for host_cpus, vms, vcpus in CASES:
        figures.append(Figure(f"host{host_cpus}_vms{vms}_vcpus{vcpus}",
                              f"{host_cpus} host CPUs, {vms} VMs with {vcpus} vCPUs each: times the work of one",
                              work(host_cpus, vms, vcpus) / one, "times"))
    return figures, setting.parameters(cpus="1, 2, 4", guests="tests/guests/bench", stretch_ms=LONG_MS)
