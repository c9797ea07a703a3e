# SPDX-License-Identifier: BSD-2-Clause
"""exits: what it costs a guest of the real vmm to leave and come back, and which rings the instructions are of."""
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
    "timer_hlt_late": "HLT until a deadline: how late the guest goes on, EOI done",
    "read_4k_cached": "4 KiB virtio read from the RAM cache, bare guest",
}


def split(traces):
    for name, one in traces.items():
        for ring, count in sorted(one.rings.items()):
            yield Figure(f"{name}_{ring.replace(' ', '_')}", f"{name}, traced: {ring}", count)


def measure(with_profile):
    bench_lab = lab.Lab("bench-exits")
    try:
        found = setting.medians(setting.boot_bare(bench_lab, "bytes=0"))
    finally:
        bench_lab.close()
    bench_lab = lab.Lab("bench-trace")
    try:
        traces = trace.run(bench_lab)
    finally:
        bench_lab.close()
    figures = [Figure(name, what, found[name]) for name, what in WHAT.items()]
    signals = traces["doorbell_to_eoi"].to_scheduler
    figures.insert(7, Figure("doorbell_signals", "the same, traced up to where the kernel switches threads", signals))
    figures.insert(6, Figure("mmio_read_new", "MMIO read by an instruction that is not in the vmm's cache (traced)",
                             sum(traces["mmio_read_new"].rings.values())))
    figures += split(traces)
    if with_profile:
        for one in traces.values():
            trace.print_profile(one)
        print()
    traced_by = setting.bochs_version(trace.TracingBochs.find())
    return figures, setting.parameters(guest="tests/guests/bench, 64 MiB, 1 vCPU", rounds=1000,
                                       traced_on=f"Bochs {traced_by}")
