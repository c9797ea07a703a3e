# SPDX-License-Identifier: BSD-2-Clause
"""What all benches share: the build, the machine, the guests, and how figures are kept.

What instructions are counted for is measured on Bochs with one CPU, as corei7_skylake_x if nothing else is said, where
the time stamp counter advances by one at each instruction: a difference of it counts all that ran, guest, ring 0 and
ring 3.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(TOP / "tests/system"), str(TOP / "tools")]
import lab  # noqa: E402
import leatmachine  # noqa: E402

BUILD = lab.BUILD
MACHINE = "bochs"
CPU = "corei7_skylake_x"
AMD_CPU = "ryzen"
MEMORY_MIB = 1024
TICKS_PER_S = 30_000_000  # of emulated time: leatmachine's ips=
DISK = "one"
GUEST = "bench"
GUEST_KERNEL = BUILD / "tests/guests/bench/bench.bzimage"


EXITS = {  # as vmm/cpu/report.c names them: as people do
    "in all": "all", "to the VMM": "to the vmm", "host IRQ": "host interrupt", "IRQ window": "interrupt window",
    "CPUID": "CPUID", "HLT": "HLT", "I/O": "I/O port", "doorbell": "doorbell", "MMIO": "MMIO", "RDMSR": "RDMSR",
    "WRMSR": "WRMSR", "CR": "control register", "XSETBV": "XSETBV", "hypercall": "hypercall", "exception": "exception",
    "PAUSE": "PAUSE", "other": "other (on Bochs with VT-x the preemption timer, each ms)",
}


class BenchError(Exception):
    """The bench cannot be run or went wrong: one line for people."""


def run(*command, **options):
    """A command's output; BenchError with its last line if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines() or ["it says nothing"]
        raise BenchError(f"{command[0]} failed: {lines[-1]}")
    return done.stdout


def build():
    """Builds leat.efi and the guest of the benches, in LEAT_BUILD or build/."""
    if not (BUILD / "build.ninja").exists():
        print("bench: building for the first time", file=sys.stderr)
        run("cmake", "-S", TOP, "-B", BUILD, "-G", "Ninja")
    run("ninja", "-C", BUILD, "leat_efi", "guest_bench")


def make_guests():
    """Kernel, initrd and root disk of a Debian guest, made once."""
    run(TOP / "tests/system/make-guests", lab.GUESTS)


def commit():
    """Of what is measured: changes of the benches' own files do not count."""
    try:
        name = run("git", "-C", TOP, "rev-parse", "--short=12", "HEAD").strip()
        changed = run("git", "-C", TOP, "status", "--porcelain", "--", ".", ":!tests/bench", ":!tests/guests",
                      ":!tools/bench", ":!docs").strip()
    except (BenchError, OSError):
        return "unknown"
    return name + (" with changes" if changed else "")


def bochs_version(binary):
    said = subprocess.run([binary, "--help", "cpu"], capture_output=True, text=True, check=False,
                          env=leatmachine.Bochs.environment())
    found = re.search(r"Bochs x86 Emulator ([\w.]+)", said.stdout + said.stderr)
    return found[1] if found else "unknown"


def parameters(**more):
    """What the figures hold for."""
    return {"commit": commit(), "machine": f"Bochs {bochs_version(leatmachine.Bochs.find())}", "cpu": CPU, "cpus": 1,
            "memory_mib": MEMORY_MIB, **more}


def debian_kernel():
    """The version of the Debian guest's kernel, from its header (boot.rst: kernel_version)."""
    data = (lab.GUESTS / "vmlinuz").read_bytes()[:0x8000]
    at = int.from_bytes(data[0x20e:0x210], "little") + 0x200
    return data[at:].split(b" ")[0].decode()


def config(bench_lab, kernel, cmdline, memory="64M", initrd=None, disk=DISK):
    """A leat.conf with one VM."""
    lines = [f"[disk {disk}]", f"[vm {GUEST}]", f"memory = {memory}", f"kernel = {kernel}", f"cmdline = {cmdline}",
             f"disks = {disk}"]
    if initrd:
        lines.append(f"initrd = {initrd}")
    return bench_lab.config(lab.base_config(bench_lab) + "\n".join(lines) + "\n")


def wait(bench_lab, machine, pattern, timeout):
    """Until the guest has printed a line with the pattern; BenchError if it prints a failure first."""
    found = re.compile(pattern)

    def look():
        log = bench_lab.guest_log(GUEST)
        bad = re.search(r"BENCH failed.*|Kernel panic.*", log)
        if bad:
            raise BenchError(f"the guest says: {bad[0]}")
        return found.search(log)

    bench_lab.wait_for(machine, {pattern: look}, timeout)


def boot_bare(bench_lab, cmdline, machine=MACHINE, disk_mib=64, cpu=CPU, **options):
    """Boots the bare guest of tests/guests/bench with a disk of random bytes, until it has ended."""
    (bench_lab.exports / DISK).write_bytes(os.urandom(disk_mib << 20))
    bench_lab.server.start()
    image = bench_lab.image(config(bench_lab, "bench.bzimage", cmdline), files={"bench.bzimage": str(GUEST_KERNEL)})
    machine = bench_lab.boot(image, machine, (GUEST,), cpu=cpu, memory=MEMORY_MIB, **options)
    wait(bench_lab, machine, "BENCH done", 600)
    machine.wait_end(120)
    return bench_lab.guest_log(GUEST)


def boot_debian(bench_lab, steps, memory="192M"):
    """Boots the Debian guest of the tests; its init does these steps. Returns at once."""
    bench_lab.disk(DISK)
    bench_lab.server.start()
    cmdline = f"{lab.QUIET} {lab.TEST_INIT} leat.do={steps}"
    image = bench_lab.image(config(bench_lab, "vmlinuz", cmdline, memory, "initrd"))
    return bench_lab.boot(image, MACHINE, (GUEST,), cpu=CPU, memory=MEMORY_MIB)


def bench_lines(log):
    """{name: [numbers]} of the guest's BENCH lines."""
    return {name: [int(n) for n in numbers.split()]
            for name, numbers in re.findall(r"BENCH (\w+)((?: \d+)+)\s*$", log, re.MULTILINE)}


def medians(log):
    """Of lines with minimum, median, mean and count: {name: median}."""
    return {name: numbers[1] for name, numbers in bench_lines(log).items() if len(numbers) == 4}


def exit_counts(log):
    """{reason: how many} of the vmm's last account of its guest's exits in Leat's log."""
    lines = " ".join(re.findall(r"(\d+ in all.*|MMIO \d+, RDMSR.*)", log)[-2:])
    found = {what: re.search(rf"(\d+) {key}" if key in ("in all", "to the VMM") else rf"\b{key} (\d+)", lines)
             for key, what in EXITS.items()}
    return {what: int(match[1]) for what, match in found.items() if match}
