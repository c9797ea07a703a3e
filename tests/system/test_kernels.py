#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The test kernels (tests/guests/kernels) as guests of Leat, all at the same time, and one by itself on a bare CPU.

What a kernel calls KNOWN is a fault of the emulator; it is printed, with the reason, and does not fail the test.
"""
import re
import subprocess

from lab import BUILD, Failed, check, load_tool, main

KERNELS = ("multiboot", "cpuid", "msr", "exceptions", "apic_timer", "ipi", "ioapic", "tsc", "paging", "modes", "xsave", "debug",
           "instructions")
FOLDER = BUILD / "tests/guests/kernels"
HOST = {"bochs": "bochs", "bochs-amd": "bochs-amd", "qemu": "tcg"}  # what is under all, by machine; kvm: nothing
# The models with most. Bochs: AVX-512, SMAP. LA57 its sapphire_rapids would have; but up to 3.0 its VM entry refuses a
# guest whose CR4.LA57 is not the host's (3.1 does not), so five-level paging is tried on QEMU only.
CPU = {"bochs": "corei7_skylake_x", "qemu": "EPYC,+svm,+npt,+la57"}


def vms(machine, cpus, apic):
    host = f" host={HOST[machine]}" if machine in HOST else ""
    return "".join(f"""[vm {name}]
memory = 16M
cpus = {cpus}
boot = multiboot
kernel = {name}.elf
apic = {apic}
{"modules = first, notes/second" if name == "multiboot" else ""}
cmdline = leat{host}
""" for name in KERNELS)


def verdict(name, log):
    """Prints what was not plainly passed; returns the failures."""
    for line in re.findall(r"^(?:KNOWN|SKIP) .*", log, re.M):
        print(line)
    failed = re.findall(r"^FAIL .*", log, re.M)
    done = re.search(rf"^DONE {name} (\d+) passed (\d+) failed \d+ skipped (\d+) known", log, re.M)
    if not done:
        failed.append(f"{name} did not come to its end: {log.strip()[-120:]!r}")
    elif int(done[2]) and not failed:  # its line was cut in two by another VM's
        failed.append(f"{name}: {done[2]} failed")
    elif int(done[1]) == 0:
        failed.append(f"{name}: not one test passed")
    return failed


def has_ended(lab, name):
    return f"DONE {name} " in lab.guest_log(name) or re.search(rf"vm {name}: (crashed|ended|powered off)", lab.leat_log())


def run_all(lab, guest_cpus, apic="auto", cpu=None):
    image = lab.folder / "leat.img"
    config = lab.config("[console]\nview = all\n" + vms(lab.machine, guest_cpus, apic))
    files = {f"{name}.elf": str(FOLDER / f"{name}.elf") for name in KERNELS}
    for name, which in (("first", "first"), ("notes/second", "second")):
        files[name] = str(lab.folder / f"module-{which}")
        (lab.folder / f"module-{which}").write_text(f"the {which} module")
    load_tool("mkimage").make_image(str(image), str(BUILD / "leat.efi"), str(config), files)
    run = lab.boot(image, guests=KERNELS, cpu=cpu or CPU.get(lab.machine, ""))
    lab.wait_for(run, {name: lambda name=name: has_ended(lab, name) for name in KERNELS}, 300)
    failed = [line for name in KERNELS for line in verdict(name, lab.guest_log(name))]
    for line in failed:
        print(line)
    check(not failed, f"{len(failed)} failed: {'; '.join(failed)[:300]}")


def one_cpu(lab):
    """Each kernel with one vCPU."""
    run_all(lab, 1)


def four_cpus(lab):
    """Each kernel with four vCPUs, however many the machine has."""
    run_all(lab, 4)


def software_apic(lab):
    """Four vCPUs on a CPU that could work their APICs, and does not."""
    run_all(lab, 4, apic="software")
    check("local APICs by the VMM" in lab.leat_log(), "the CPU works them all the same")


def posted_interrupts(lab):
    """Four vCPUs with all that the CPU has; else what Bochs does wrong is left out."""
    run_all(lab, 4, apic="cpu")
    check("local APICs by the CPU, reads too" in lab.leat_log(), "this CPU has not what was meant")
    if "reads too, posted interrupts" not in lab.leat_log():
        print("SKIP posted interrupts: this Bochs has none, 3.0 does; the rest of APIC virtualization was tried")


def apic_without_posting(lab):
    """Four vCPUs whose APICs the CPU works, without posted interrupts."""
    run_all(lab, 4, cpu="corei7_haswell_4770")
    check(re.search(r"local APICs by the CPU, reads too\n", lab.leat_log()), "this CPU has not what was meant")


def bare(lab):
    """The tests themselves, tried on QEMU's CPU without Leat."""
    failed = []
    for name in KERNELS:
        command = ["qemu-system-x86_64", "-nodefaults", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "4",
                   "-m", "64", "-display", "none", "-serial", "stdio", "-no-reboot",
                   "-kernel", str(FOLDER / f"{name}.elf"), "-append", "host=tcg"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{name} does not end: {(error.stdout or b'')[-200:]!r}") from error
        (lab.folder / f"{name}.log").write_text(done.stdout + done.stderr)
        failed += verdict(name, done.stdout)
    check(not failed, f"{len(failed)} failed: {'; '.join(failed)[:300]}")


if __name__ == "__main__":
    main(one_cpu, four_cpus, software_apic, posted_interrupts, apic_without_posting, bare)
