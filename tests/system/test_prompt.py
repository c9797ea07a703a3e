#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The prompt's commands about one VM, with a Debian guest under its ordinary init: it is shown, it is reset at
once and boots again, and its power button makes it switch itself off."""
import json
import re
import time

from lab import QUIET, base_config, check, main

LOGIN = "guest login:"


def command(lab, run, line, answer, timeout=30):
    """Types a line at the prompt and waits for what it must answer; returns all that came."""
    start = len(run.text())
    run.send(line + "\r")
    lab.wait_for(run, {f"'{line}' answers '{answer}'": lambda: re.search(answer, run.text()[start:])}, timeout)
    return run.text()[start:]


def login(lab, run, times):
    lab.wait_for(run, {f"login prompt {times}": lambda: run.text().count(LOGIN) >= times}, 1200)


def disk_views(lab, run):
    """The disks' figures as text, as JSON, and as the table that draws itself again."""
    command(lab, run, "disks", r"requests below \d+ us \(50%\).*round trip \d+ us, link \d+ KiB/s")
    answer = command(lab, run, "disks json", r"\n\]\s")
    disks = json.loads(answer[answer.index("["):answer.rindex("]") + 1])
    check([d["disk"] for d in disks] == ["web/one"], f"'disks json' shows {disks}")
    check(disks[0]["ram_bytes"] > 10 << 20, "the second boot read next to nothing from the cache")
    check(disks[0]["sources"]["demand"]["bytes"] > 1 << 20, "the first boot read next to nothing from the network")
    start = len(run.text())
    run.send("disks live\r")
    page = re.compile(r"--- disks .*\n.*\n"
                      r"disk +boot profile +rate +left +RAM +local +net .*\n"
                      r"web/one +(?:ready|\[#+\]100%) +\S+ +- +[\d.]+M .*\n"
                      r"  50%< \d+us")
    lab.wait_for(run, {"three pages": lambda: len(page.findall(run.text()[start:])) >= 3}, 60)
    run.send("q")
    lab.wait_for(run, {"the prompt again": lambda: re.search(r"--- leat \([^$]*leat> ", run.text()[start:])}, 30)
    seen = len(page.findall(run.text()))
    command(lab, run, "cpus", r"supervisor +[\d.]+ %")
    check(len(page.findall(run.text())) == seen, "the table is drawn though nobody looks at it")


def vm_commands(lab):
    lab.disk("one")
    lab.server.start()
    run = lab.boot(lab.image(lab.config(base_config(lab) + f"""
[disk one]
mode = ram
[vm web]
memory = 256M
kernel = vmlinuz
initrd = initrd
cmdline = {QUIET}
disks = one
""")), guests=("web",))
    login(lab, run, 1)
    shown = command(lab, run, "vm 1 show", "exit 0 before the last")
    for what in ("vCPU 0: ", "RIP ", "CR3 ", "CS ", "APIC base", "exits: "):
        check(what in shown, f"'vm 1 show' does not show {what}")
    command(lab, run, "vm web reset", "vm web is restarted")
    login(lab, run, 2)
    command(lab, run, "disks", "KiB written.*connects")
    disk_views(lab, run)
    command(lab, run, "vm web stop", "vm web: power button pressed")
    lab.wait_for(run, {"power off": lambda: "vm web: powered off" in run.text()}, 600)
    run.wait_end(120)
    check(run.ended == "power off", f"the machine ended by {run.ended}, not by power off")


def stop_while_waiting(lab):
    """A VM whose disk does not come neither uses the CPU nor keeps the machine from stopping it."""
    run = lab.boot(lab.image(lab.config(base_config(lab) + f"""
[disk one]
[vm web]
memory = 64M
kernel = vmlinuz
initrd = initrd
cmdline = {QUIET}
disks = one
""")), guests=("web",))
    lab.wait_for(run, {"waits": lambda: "waits for disk 'one'" in run.text()}, 200)
    line = re.compile(r"1 web +starting +64 MiB +1 cpu +(\d+)\.(\d) s")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        run.step(0.2)
    before = line.search(command(lab, run, "vms", line.pattern))
    end = time.monotonic() + 10
    while time.monotonic() < end:
        run.step(0.2)
    after = line.search(command(lab, run, "vms", line.pattern))
    tenths = int(after[1] + after[2]) - int(before[1] + before[2])
    check(tenths <= 1, f"the waiting vmm used {tenths / 10} s of CPU time in some seconds")
    command(lab, run, "vm 1 stop", "powered off")
    run.wait_end(60)
    check(run.ended == "power off", f"the machine ended by {run.ended}, not by power off")


if __name__ == "__main__":
    main(vm_commands, stop_while_waiting)
