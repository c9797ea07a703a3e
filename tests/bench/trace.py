# SPDX-License-Identifier: BSD-2-Clause
"""Instruction by instruction: which of guest, ring 0 and ring 3 a round trip is made of, and which functions.

The guest puts two marks (xchg bx, bx) around each round trip, at which the debugger that Debian's Bochs is built with
stops; between them it prints every instruction.
"""
import collections
import os
import re

import leatmachine
import setting
from elf import Program

LINE = re.compile(r"^\(0\)\.\[(\d+)\] \[0x[0-9a-f]+\] ([0-9a-f]{4}):([0-9a-f]{16}) .*; ([0-9a-f]+)\s*$")
NAME = re.compile(r"TRACE (\w+)")
KERNEL = 0xFFFFFFFF80000000
RING3 = {"vmm": "vmm/vmm.elf", "vdisk": "vdisk/vdisk.elf", "net": "services/net/net.elf",
         "console": "services/console/console.elf", "supervisor": "services/supervisor/supervisor.elf"}
MOST_TRACES = 8


class TracingBochs(leatmachine.Bochs):
    name = "bochs-tracing"

    @staticmethod
    def find():
        return leatmachine.require("/usr/bin/bochs", "bochs")

    def command(self, options, folder, addresses):
        result = super().command(options, folder, addresses)
        with open(os.path.join(folder, "start.rc"), "w", encoding="ascii") as file:
            file.write("c\n" + "trace on\nc\ntrace off\nc\n" * MOST_TRACES + "c\n")
        return result


leatmachine.MACHINES[TracingBochs.name] = TracingBochs


class Trace:
    """One round trip: how many instructions ran where."""

    def __init__(self, name):
        self.name = name
        self.rings = collections.Counter()  # "guest", "ring 0", "ring 3 vmm" ...
        self.functions = collections.Counter()  # (ring, function)
        self.order = []  # ring by ring: [ring, instructions]
        self.to_scheduler = None  # instructions before the kernel's schedule() is entered

    def add(self, ring, function):
        if function == "schedule" and ring == "ring 0" and self.to_scheduler is None:
            self.to_scheduler = sum(self.rings.values())
        self.rings[ring] += 1
        self.functions[ring, function] += 1
        if not self.order or self.order[-1][0] != ring:
            self.order.append([ring, 0])
        self.order[-1][1] += 1

    def ring3(self):
        return sum(count for ring, count in self.rings.items() if ring.startswith("ring 3"))


def ring_of(selector, address):
    if address >= KERNEL:
        return "ring 0"
    return "ring 3" if selector & 3 == 3 else "guest"


def programs():
    found = {name: Program(name, setting.BUILD / path) for name, path in RING3.items()}
    found["kernel"] = Program("kernel", setting.BUILD / "kernel/kernel.elf")
    found["guest"] = Program("guest", setting.BUILD / "tests/guests/bench/bench.elf")
    return found


def whose(known, run):
    """The ring-3 program that these instructions are of: (address, bytes) in a row."""
    for name in RING3:
        if all(known[name].holds(address, code) for address, code in run):
            return name
    return "unknown"


def add_run(trace, known, ring, run):
    program = {"ring 0": "kernel", "guest": "guest"}.get(ring) or whose(known, run)
    for address, _ in run:
        function = known[program].function(address) if program in known else "?"
        trace.add(f"ring 3 {program}" if ring == "ring 3" else ring, function)


def read(name, lines, known):
    trace = Trace(name)
    run, current = [], None
    for selector, address, code in lines:
        ring = ring_of(selector, address)
        if ring != current and run:
            add_run(trace, known, current, run)
            run = []
        current = ring
        run.append((address, code))
    if run:
        add_run(trace, known, current, run)
    return trace


def pieces(text):
    """The instructions between each pair of marks, the marks themselves left out."""
    piece = None
    for line in text.splitlines():
        if line.startswith("Tracing enabled"):
            piece = []
        elif line.startswith("Tracing disabled") and piece is not None:
            yield piece[:-1]
            piece = None
        elif piece is not None:
            found = LINE.match(line)
            if found:
                piece.append((int(found[2], 16), int(found[3], 16), bytes.fromhex(found[4])))


def run(bench_lab, cpu):
    """{name: Trace} of the round trips that the guest marks."""
    log = setting.boot_bare(bench_lab, "do=trace", machine=TracingBochs.name, cpu=cpu,
                            extra=("magic_break: enabled=1",))
    text = (bench_lab.folder / "logs/machine.log").read_text(errors="replace")
    known = programs()
    traces = {name: read(name, piece, known) for name, piece in zip(NAME.findall(log), pieces(text))}
    if not traces:
        raise setting.BenchError(f"no instruction was traced; see {bench_lab.folder}/logs/machine.log")
    return traces


def print_profile(trace, most=25):
    total = sum(trace.rings.values())
    print(f"\n{trace.name}: {total:,} instructions: "
          + ", ".join(f"{ring} {count:,}" for ring, count in trace.rings.most_common()))
    for (ring, function), count in trace.functions.most_common(most):
        print(f"  {count:6,}  {100 * count / total:4.1f} %  {ring:14}  {function}")
