#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The log says what is done against side channels on the CPU at hand, and guests can use what the CPU has."""
import re

from lab import BUILD, base_config, check, main

KERNEL = BUILD / "tests/guests/kernels/speculation.elf"


def end(lab, run):
    """Before the next machine's turn."""
    lab.runs.remove(run)
    run.close()


def start_line(lab, machine, cpu, setting=""):
    run = lab.boot(lab.image(lab.config(f"[server]\n[machine]\n{setting}\n")), machine, cpu=cpu, memory=256)
    said = r"supervisor: (side channels: .*)\n"
    lab.wait_for(run, {said: lambda: re.search(said, run.text())}, 180)
    end(lab, run)
    return re.search(said, run.text())[1]


def log_line(lab):
    """An Intel CPU with enhanced IBRS, one without anything, an AMD CPU, and the switch."""
    line = start_line(lab, "bochs", "tigerlake")
    check(line == "side channels: enhanced IBRS, IBPB, return stack, VERW", f"tigerlake: {line}")
    line = start_line(lab, "bochs", "corei7_skylake_x")
    check(line == "side channels: return stack; open: branch targets (no IBPB), MDS (no MD_CLEAR), "
          "L1TF (no L1D flush), Meltdown by ring 3", f"skylake_x: {line}")
    line = start_line(lab, "qemu", "")
    check(line.startswith("side channels: return stack; open: branch targets (no IBPB)"), f"QEMU: {line}")
    line = start_line(lab, "bochs", "tigerlake", "mitigations = off")
    check(line == "side channels: nothing is done, as leat.conf says", f"off: {line}")


def guest(lab, machine, cpu, host, passed):
    config = base_config(lab) + f"[vm spec]\nmemory = 32M\ncpus = 2\nboot = multiboot\nkernel = speculation.elf\n" \
        f"cmdline = leat host={host}\n"
    run = lab.boot(lab.image(lab.config(config), files={"speculation.elf": str(KERNEL)}), machine, ("spec",), cpu=cpu,
                   memory=256)
    lab.wait_for(run, {"DONE": lambda: "DONE speculation" in lab.guest_log("spec")}, 240)
    log = lab.guest_log("spec")
    check("FAIL" not in log, (re.findall(r"FAIL .*", log) or [""])[0])
    for name in passed:
        check(f"PASS speculation.{name}" in log, f"{machine} {cpu}: {name} did not pass")
    end(lab, run)


def guests(lab):
    lab.server.start()
    guest(lab, "bochs", "tigerlake", "bochs",
          ("spec_ctrl", "each_cpu_its_own", "pred_cmd", "flush_cmd", "arch_capabilities"))
    guest(lab, "qemu", "", "tcg", ("pred_cmd", "flush_cmd", "arch_capabilities"))


if __name__ == "__main__":
    main(log_line, guests)
