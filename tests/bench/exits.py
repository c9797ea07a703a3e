# SPDX-License-Identifier: BSD-2-Clause
"""exits: what it costs a guest of the real vmm to leave and come back, on VT-x and on AMD-V, and which rings the
instructions are of; and how often a busy Linux guest does it."""
import re

import guest_clock
import lab
import setting
import trace
from figures import Figure

WHAT = {
    "cpuid": "CPUID, handled in the kernel",
    "vmcall": "unknown VMCALL, answered by the vmm",
    "out_vmm": "OUT to the vmm and back",
    "in_vmm": "IN from the vmm (a register of the RTC)",
    "mmio_write": "MMIO write to the vmm and back",
    "mmio_read": "MMIO read from the vmm and back",
    "doorbell_wakes": "doorbell; the device thread runs, finds nothing, sleeps",
    "doorbell_to_eoi": "doorbell -> device thread -> MSI -> HLT wake-up -> EOI",
    "timer_now": "TSC-deadline timer, immediate, up to the EOI",
    "timer_arm": "TSC-deadline timer, set far ahead",
    "self_ipi": "x2APIC SELF_IPI up to the EOI",
    "ipi_to_self": "ICR, an IPI to its own id, up to the EOI",
    "timer_hlt_late": "HLT until a deadline: how late the guest goes on, EOI done",
    "read_4k_cached": "4 KiB virtio read from the RAM cache, bare guest",
}


BACKENDS = (("", "VT-x", setting.CPU), ("amd_", "AMD-V", setting.AMD_CPU))
LOAD_S = (2, 12)  # two runs of the busy Linux guest: what lies between them is load, without the boot


def named(key, backend, figures):
    """The figures of one back end: those of AMD-V have their own names, and say so."""
    for figure in figures:
        what = f"{backend}: {figure.what}" if key else figure.what
        yield Figure(key + figure.name, what, figure.value, figure.unit)


def split(traces):
    for name, one in traces.items():
        for ring, count in sorted(one.rings.items()):
            yield Figure(f"{name}_{ring.replace(' ', '_')}", f"{name}, traced: {ring}", count)


def round_trips(cpu):
    bench_lab = lab.Lab("bench-exits")
    try:
        found = setting.medians(setting.boot_bare(bench_lab, "do=exits bytes=0", cpu=cpu))
    finally:
        bench_lab.close()
    return [Figure(name, what, found[name]) for name, what in WHAT.items()]


def traced(cpu):
    bench_lab = lab.Lab("bench-trace")
    try:
        return trace.run(bench_lab, cpu)
    finally:
        bench_lab.close()


def counts(cpu, seconds):
    """{reason: exits} of the busy Linux guest of the clock tests, from its first instruction to its end."""
    bench_lab = lab.Lab("bench-exits-load")
    try:
        guest_clock.run_guest(bench_lab, seconds, setting.MACHINE, cpu=cpu, memory=setting.MEMORY_MIB)
        return setting.exit_counts(bench_lab.leat_log())
    finally:
        bench_lab.close()


def rates(cpu):
    short, long = (counts(cpu, seconds) for seconds in LOAD_S)
    for reason, number in long.items():
        name = re.sub(r"\W+", "_", reason.split(" (")[0].lower())
        yield Figure(f"rate_{name}", f"busy Linux guest, exits a second: {reason}",
                     (number - short.get(reason, 0)) / (LOAD_S[1] - LOAD_S[0]), "exits per emulated second")


def measure(with_profile):
    setting.make_guests()
    figures = []
    for key, backend, cpu in BACKENDS:
        mine, traces = round_trips(cpu), traced(cpu)
        signals = traces["doorbell_to_eoi"].to_scheduler
        mine.insert(7, Figure("doorbell_signals", "the same, traced up to where the kernel switches threads", signals))
        mine.insert(6, Figure("mmio_read_new", "MMIO read by an instruction that is not in the vmm's cache (traced)",
                              sum(traces["mmio_read_new"].rings.values())))
        figures += named(key, backend, [*mine, *split(traces), *rates(cpu)])
        if with_profile:
            for one in traces.values():
                trace.print_profile(one)
            print()
    traced_by = setting.bochs_version(trace.TracingBochs.find())
    return figures, setting.parameters(cpu=f"{setting.CPU}; AMD-V: {setting.AMD_CPU}",
                                       guest="tests/guests/bench, 64 MiB, 1 vCPU", rounds=1000,
                                       busy_guest=f"{setting.debian_kernel()}, tests/guests/debian/clock-init.c",
                                       traced_on=f"Bochs {traced_by}")
