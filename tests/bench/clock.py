# SPDX-License-Identifier: BSD-2-Clause
"""clock: how far a guest's clock goes from the host's in ten minutes of load.

On Bochs time is instructions: with fewer of them to the emulated second (ips=) ten minutes pass sooner, and what Leat
and the guest have to do in that time weighs more."""
import guest_clock
import lab
import setting
import tenants
from figures import Figure

IPS = 10_000_000
WALL_S = 3000


def measure(_with_profile):
    setting.make_guests()
    figures, source = [], {}
    for key, what, seconds, cpus, keys in (
            ("weighed", "beside a busy VM of three times its weight", 600, 1, ("weight = 100",)),
            ("capped", "2 vCPUs with cap = 50% on 2 host CPUs, beside the same", 120, 2, ("cap = 50%",))):
        bench_lab = lab.Lab(f"bench-clock-{key}")
        neighbour = tenants.Tenant("busy", f"work every=10000 cpus={cpus}", ("weight = 300", f"cpus = {cpus}"))
        try:
            guest_clock.run_guest(bench_lab, seconds, setting.MACHINE, [neighbour], cpus, keys, WALL_S, cpu=setting.CPU,
                                  memory=setting.MEMORY_MIB, cpus=cpus, extra=(f"cpu: ips={IPS}",))
            points, window = guest_clock.drifts(bench_lab)
            source[key] = guest_clock.source(bench_lab)
        finally:
            bench_lab.close()
        whose = f"Debian's CLOCK_MONOTONIC, {what}"
        figures += [
            Figure(f"{key}_seconds", f"{whose}: host's time between first and last reading", points[-1][0], "s"),
            Figure(f"{key}_drift", f"{whose}: ahead of the host's clock in the end", points[-1][1] / 1e6, "ms"),
            Figure(f"{key}_worst", f"{whose}: the furthest that it ever was away",
                   max(abs(ahead) for _, ahead in points) / 1e6, "ms"),
            Figure(f"{key}_window", f"{whose}: within which the two were read", window / 1e6, "ms"),
        ]
    return figures, setting.parameters(cpus="1, 2", guest_kernel=setting.debian_kernel(), clocksource=source,
                                       ticks_per_emulated_s=IPS)
