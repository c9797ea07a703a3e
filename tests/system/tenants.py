# SPDX-License-Identifier: BSD-2-Clause
"""VMs that share host CPUs: the bare guests of tests/guests/bench as load, neighbours and victims, and what their
lines say. Times are ticks of the machine's TSC: a guest's lines carry its own, whose zero Leat's log names."""
import bisect
import dataclasses
import os
import re

import lab

KERNEL = lab.BUILD / "tests/guests/bench/bench.bzimage"
SLICE_MS = 5  # of GUEST threads: kernel/sched.c
DISK_MIB = 8
# Bochs with several CPUs lets each in turn run up to its next jump, and moves time by the mean of what they ran; one
# that is halted counts as so many instructions. As many as are between two jumps of the guests' work: all keep step.
KEEP_STEP = "cpu: quantum=5"
# QEMU's time is the host's, unless it counts instructions, here of 4 ns each; with several CPUs that would be time in
# which each in turn stands still for long.
COUNTED_TIME = ("-icount", "shift=2,sleep=off")


@dataclasses.dataclass
class Tenant:
    """do: the guest's command line (main.c there says what there is). keys: more lines of its [vm] section."""
    name: str
    do: str
    keys: tuple = ()
    is_autostarted: bool = True

    def section(self):
        lines = [f"[vm {self.name}]", "memory = 32M", "kernel = bench.bzimage", f"cmdline = do={self.do}",
                 f"autostart = {'yes' if self.is_autostarted else 'no'}", *self.keys]
        if self.needs_disk():
            lines.append(f"disks = {self.name}")
        return "\n".join(lines) + "\n"

    def needs_disk(self):
        return re.match(r"reads|attack-(mmio|doorbell|reads)", self.do) is not None


def boot(the_lab, tenants, machine=None, more="", files=None, guests=(), efi=None, **options):
    """Boots them, and returns the machine when those that start by themselves have begun. more: of leat.conf, with
    the files and guests that it names. efi: in place of leat.efi."""
    disks = [tenant.name for tenant in tenants if tenant.needs_disk()]
    for disk in disks:
        (the_lab.exports / disk).write_bytes(os.urandom(DISK_MIB << 20))
    if disks:
        the_lab.server.start()
    config = the_lab.config(lab.base_config(the_lab) + "".join(f"[disk {disk}]\nread_only = yes\n" for disk in disks)
                            + "".join(tenant.section() for tenant in tenants) + more)
    image = the_lab.image(config, efi, {"bench.bzimage": str(KERNEL), **(files or {})})
    if (machine or the_lab.machine).startswith("bochs"):
        options["extra"] = (KEEP_STEP, *options.get("extra", ()))
    elif options.get("cpus", the_lab.cpus) == 1:
        options["extra"] = (*COUNTED_TIME, *options.get("extra", ()))
    run = the_lab.boot(image, machine, [*(tenant.name for tenant in tenants), *guests], **options)
    begun(the_lab, run, [tenant.name for tenant in tenants if tenant.is_autostarted])
    return run


def begun(the_lab, run, names, timeout=300):
    the_lab.wait_for(run, {f"{name} has begun": lambda n=name: re.search(r"BENCH ticks_per_ms|ATTACK", log(the_lab, n))
                           for name in names}, timeout)


def log(the_lab, name):
    text = the_lab.guest_log(name)
    failed = re.search(r"BENCH failed.*", text)
    lab.check(not failed, failed and f"VM {name} says: {failed[0]}")
    return text


def lines(the_lab, name, word):
    """The numbers of each whole line that begins with that word."""
    return [[int(number) for number in numbers.split()]
            for numbers in re.findall(rf"^{word}((?: \d+)+)$", log(the_lab, name), re.MULTILINE)]


def await_lines(the_lab, run, name, word, more, timeout=300):
    """Waits for so many more lines, and returns them."""
    had = len(lines(the_lab, name, word))
    the_lab.wait_for(run, {f"{more} lines '{word}' of {name}": lambda: len(lines(the_lab, name, word)) >= had + more},
                     timeout)
    return lines(the_lab, name, word)[had:]


def ticks_per_ms(the_lab):
    """Of the machine's TSC, as Leat's kernel found."""
    return int(re.search(r"TSC at (\d+) kHz", the_lab.leat_log())[1])


def work(the_lab, name):
    """[(machine's TSC, rounds of work done until then)] of a VM with do=work."""
    start = int(re.findall(rf"VM '{name}': its TSC counts from the machine's (\d+) on", the_lab.leat_log())[-1])
    return [(start + tsc, rounds) for tsc, rounds in lines(the_lab, name, "WORK")]


def done_until(points, at):
    """Rounds done until a moment between the first point and the last."""
    i = min(max(bisect.bisect_left([tsc for tsc, _ in points], at), 1), len(points) - 1)
    (t0, r0), (t1, r1) = points[i - 1], points[i]
    return r0 + (r1 - r0) * (at - t0) / (t1 - t0)


def span(the_lab, names, since=0):
    """The stretch of time of which lines of all these VMs tell."""
    points = [work(the_lab, name) for name in names]
    return max(since, *(p[0][0] for p in points)), min(p[-1][0] for p in points)


def round_ticks(the_lab, names):
    """What a round of work takes. It is the same work in each VM, and one that measured it while another CPU was not in
    step has found too little."""
    return max(lines(the_lab, name, "BENCH round_ticks")[-1][0] for name in names)


def shares(the_lab, names, since=0):
    """{name: percent of one CPU that its work has had} in the stretch of which all tell, from the TSC `since` on."""
    begin, end = span(the_lab, names, since)
    lab.check(end > begin, "the VMs' lines have no stretch of time in common")
    each = round_ticks(the_lab, names)
    return {name: 100 * each * (done_until(points, end) - done_until(points, begin)) / (end - begin)
            for name, points in ((name, work(the_lab, name)) for name in names)}


def until_worked(the_lab, run, names, milliseconds, timeout=600):
    """Runs the machine until all these VMs have told of so long a stretch from now on; returns its begin."""
    since = max(points[-1][0] if points else 0 for points in (work(the_lab, name) for name in names))
    goal = milliseconds * ticks_per_ms(the_lab)

    def is_long():
        if any(len(work(the_lab, name)) < 2 for name in names):
            return False
        begin, end = span(the_lab, names, since)
        return end - begin >= goal

    the_lab.wait_for(run, {f"{milliseconds} ms of work of {', '.join(names)}": is_long}, timeout)
    return since


def ask(the_lab, run, line, answer, timeout=120):
    """Types a command at Leat's prompt, waits for what must be said from then on, and returns the match."""
    start = len(run.output)
    run.send(line + "\r")
    the_lab.wait_for(run, {f"'{answer}' after '{line}'": lambda: re.search(answer, run.text(start))}, timeout)
    return re.search(answer, run.text(start))


def cpu_use(the_lab, run, names):
    """{name: percent of one CPU over a second} by Leat's own account, all from one answer of `cpus`."""
    pattern = "(?s)" + ".*".join(rf"vm {name} +([\d.]+) %" for name in names) + r".*supervisor.*\n"
    return dict(zip(names, map(float, ask(the_lab, run, "cpus", pattern).groups())))


def start(the_lab, run, name):
    ask(the_lab, run, f"vm {name} start", rf"vm {name}: runs")
    begun(the_lab, run, [name])


def kill(the_lab, run, name):
    ask(the_lab, run, f"vm {name} kill", rf"vm {name}: killed")
