# SPDX-License-Identifier: BSD-2-Clause
"""boot: instructions from reset to a guest's first instruction, its init, its shell, its userland; what it exits for;
and the memory that Leat needs beside its guests.

The guest's initrd gets a file more, which says the TSC as the kernel's first process, and again in the initrd's shell.
"""
import os
import re
import subprocess
import tempfile
from pathlib import Path

import lab
import setting
from figures import Figure

GUEST_MIB = 256
GUEST_MEMORY = f"{GUEST_MIB}M"
PROGRAM = Path(__file__).with_name("say_tsc.c")
STARTED = r"its TSC counts from the machine's (\d+) on; its kernel begins at (\d+)"

def with_program(initrd, out):
    """The initrd with say-tsc in it: archives in a row are one (Linux, initramfs buffer format)."""
    with tempfile.TemporaryDirectory(prefix="leat-bench-") as folder:
        root = Path(folder) / "root"
        (root / "bin").mkdir(parents=True)
        setting.run("gcc", "-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector",
                    "-o", root / "say-init", PROGRAM)
        os.link(root / "say-init", root / "bin/say-tsc")
        (root / "shell-rc").write_text("say-tsc shell\npoweroff -f\n")
        names = "\n".join(str(p.relative_to(root)) for p in sorted(root.rglob("*"))) + "\n"
        packed = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=root, input=names.encode(),
                                capture_output=True, check=True).stdout
    data = initrd.read_bytes()
    out.write_bytes(data + bytes(-len(data) % 4) + packed)


def one(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise setting.BenchError(f"no line '{pattern}' in the log")
    return [int(group) for group in found.groups()]


def exit_figures(log):
    for what, number in setting.exit_counts(log).items():
        name = re.sub(r"\W+", "_", what.split(" (")[0])
        yield Figure(f"exits_{name}", f"exits up to the shell: {what}", number, "exits")


def to_shell():
    bench_lab = lab.Lab("bench-boot")
    try:
        bench_lab.disk(setting.DISK)
        bench_lab.server.start()
        initrd = bench_lab.folder / "initrd"
        with_program(lab.GUESTS / "initrd", initrd)
        cmdline = f"{lab.QUIET} rdinit=/say-init leat.initrd_shell ENV=/shell-rc"
        image = bench_lab.image(setting.config(bench_lab, "vmlinuz", cmdline, GUEST_MEMORY, "initrd"),
                                files={"initrd": str(initrd)})
        machine = bench_lab.boot(image, setting.MACHINE, (setting.GUEST,), cpu=setting.CPU, memory=setting.MEMORY_MIB)
        setting.wait(bench_lab, machine, r"BENCH shell \d+", 600)
        machine.wait_end(120)
        leat, guest = bench_lab.leat_log(), setting.bench_lines(bench_lab.guest_log(setting.GUEST))
    finally:
        bench_lab.close()
    entered, left, kernel = one(r"leat.efi began at (\d+), left the firmware at (\d+); the kernel began at (\d+)",
                                leat)
    start, begin = one(STARTED, leat)
    init, shell = guest["init"][0], guest["shell"][0]
    yield Figure("reset_to_boot", "reset to leat.efi (the firmware)", entered)
    yield Figure("boot", "leat.efi, until it leaves the firmware", left - entered)
    yield Figure("kernel_to_guest", "kernel and services, until the guest's kernel is loaded", start + begin - kernel)
    yield Figure("reset_to_guest", "reset to the guest's first instruction", start + begin)
    yield Figure("boot_to_init", "the guest's first instruction to its first process (initrd)", init - begin)
    yield Figure("guest_to_shell", "the guest's first instruction to its shell (initrd)", shell - begin)
    yield Figure("reset_to_shell", "reset to the guest's shell (initrd)", start + shell)
    yield from exit_figures(leat)


def to_userland():
    bench_lab = lab.Lab("bench-boot-debian")
    try:
        machine = setting.boot_debian(bench_lab, "bench", GUEST_MEMORY)
        setting.wait(bench_lab, machine, r"BENCH tsc_now \d+", 600)
        machine.send("mem\r")
        bench_lab.wait_for(machine, {"mem": lambda: re.search(r"\nconsole +\d+ KiB.*\n", bench_lab.leat_log())}, 60)
        guest, leat = setting.bench_lines(bench_lab.guest_log(setting.GUEST)), bench_lab.leat_log()
    finally:
        bench_lab.close()
    start, begin = one(STARTED, leat)
    now = guest["tsc_now"][0]
    yield Figure("guest_to_userland", "the guest's first instruction to Debian's userland on the streamed disk",
                 now - begin)
    yield Figure("reset_to_userland", "reset to Debian's userland on the streamed disk", start + now)
    total, free = one(r"RAM (\d+) MiB, free (\d+) MiB", leat)
    yield Figure("memory_all", "memory: all that Leat takes beside the guest's", total - free - GUEST_MIB, "MiB")
    yield Figure("memory_kernel", "memory: kernel", one(r"kernel (\d+) KiB", leat)[0], "KiB")
    for name, used in re.findall(r"^(\S+) +(\d+) KiB used of", leat, re.MULTILINE):
        yield Figure(f"memory_{name.split('-')[0]}", f"memory: {name}", int(used), "KiB")


def measure(_with_profile):
    setting.make_guests()
    figures = [*to_shell(), *to_userland()]
    return figures, setting.parameters(guest_kernel=setting.debian_kernel(), guest_memory=GUEST_MEMORY,
                                       guest_cmdline=lab.QUIET, vdisk_cache_mib=64)
