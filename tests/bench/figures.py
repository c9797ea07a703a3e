# SPDX-License-Identifier: BSD-2-Clause
"""What is measured, in words; the figures of KVM with QEMU to compare with; the aims; and the table."""
import dataclasses

# What Linux 6.1 KVM with QEMU 7.2 needs on the same machine (Bochs' corei7_skylake_x, one CPU, mitigations off, no APIC
# virtualization), and the aim: half of it or a little less. docs/benchmarks.md says where a comparison limps.
KVM = {
    "cpuid": (969, 480),
    "vmcall": (1_007, 503),
    "out_vmm": (3_073, 1_500),
    "mmio_write": (5_487, 2_700),
    "mmio_read": (5_858, 2_700),
    "mmio_read_new": (5_858, 2_700),
    "doorbell_wakes": (1_272, None),
    "doorbell_to_eoi": (14_518, 7_000),
    "timer_now": (5_130, 2_565),
    "debian_read_4k": (63_000, 30_000),
    "boot_to_init": (645_000_000, None),
}
# What tools/bench --check guards.
GUARDED = ["cpuid", "out_vmm", "mmio_write", "mmio_read", "doorbell_to_eoi", "debian_read_4k"]


@dataclasses.dataclass
class Figure:
    name: str
    what: str
    value: float
    unit: str = "instructions"
    aim: float = None
    is_more_better: bool = False
    raw: list = None  # what the value is the median of

    def as_dict(self):
        kvm, aim = KVM.get(self.name, (None, self.aim))
        entry = {"what": self.what, "value": self.value, "unit": self.unit}
        if self.raw:
            entry["raw"] = self.raw
        if kvm:
            entry["kvm_qemu"] = kvm
        if aim is not None:
            entry |= {"aim": aim, "is_hit": self.value >= aim if self.is_more_better else self.value <= aim}
        return entry


def number(value):
    if not isinstance(value, float):
        return f"{value:,}"
    return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.2f}"


def print_table(figures):
    rows = [("what", "figure", "unit", "KVM+QEMU", "aim", "")]
    for figure in figures:
        entry = figure.as_dict()
        rows.append((figure.what, number(figure.value), figure.unit,
                     *(number(entry[key]) if key in entry else "" for key in ("kvm_qemu", "aim")),
                     {True: "hit", False: "MISSED"}.get(entry.get("is_hit"), "")))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(width) if i in (1, 3, 4) else cell.ljust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())
