#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The boot menu of a machine without a server ([console] menu): on the serial line and on the screen, answered by
serial keys, by the machine's keyboard, and by the clock."""
import re

import lab
import screen_text
from lab import check, main

TITLE = "Which VM is to start?"
ENTRIES = ["Debian 12", "B\u00fcro", "third"]
KEYS = "arrow keys and Enter, or a digit"


def boot(the_lab, seconds, title=TITLE, **options):
    """Three VMs that wait to be chosen, and say lines for ever when they run."""
    config = f"[console]\nmenu = {seconds}\n"
    for name, label in zip(("first", "second", "third"), ENTRIES):
        config += f"[vm {name}]\nmemory = 32M\nkernel = bench\ncmdline = do=work\nautostart = no\n"
        config += f"label = {label}\n" if label != name else ""
    image = the_lab.image(the_lab.config(config), files={"bench": str(lab.BUILD / "tests/guests/bench/bench.bzimage")})
    run = the_lab.boot(image, nic="none" if the_lab.machine == "qemu" else "user", **options)
    run.expect(re.escape(title), 120)
    return run


def page(marked, clock):
    """The menu's rows with that entry marked."""
    entries = [f"{'>' if i == marked else ' '} {i + 1}  {label}" for i, label in enumerate(ENTRIES)]
    return [TITLE, "", *entries, "", clock, f"{marked + 1} of 3; {KEYS}"]


def check_marked(rows, at, marked):
    """Of the entries exactly that one is in reverse video."""
    for i in range(3):
        text, reverse = rows[at + 2 + i]
        check(all(is_reverse == (i == marked) for is_reverse in reverse[:len(text)]),
              f"entry {i + 1} is {'not ' if i == marked else ''}in reverse video")


def runs_and_is_shown(run, name):
    run.expect(f"--- vm {name}", 60)
    run.expect(r"WORK \d+", 60)
    run.send("\x1dl")
    run.expect(f"menu: vm {name} starts", 60)


def by_clock(the_lab):
    """Nobody is there: the first is started, and the serial line says it in few lines."""
    run = boot(the_lab, 4)
    run.expect(r"> 1  Debian 12\n  2  B\xc3\xbcro\n  3  third\n\nstarts in [1-4] s; any key stops the clock\n", 60)
    start = run.position
    run.expect(r"starts: Debian 12", 60)
    said = run.text(start)[:run.position - start]
    check(said.count("\n") <= 6, f"the clock's four seconds take more than a few lines: {said!r}")
    runs_and_is_shown(run, "first")
    run.expect(r"\(nobody chose\)", 60)


def by_serial_keys(the_lab):
    """A key stops the clock; arrow keys and a digit; away from the menu and back."""
    run = boot(the_lab, 60)
    run.send("\x1b[B")
    run.expect(r"> 2  B\xc3\xbcro", 60)
    run.expect(re.escape(KEYS), 60)
    run.send("\x1dl")
    run.expect("--- leat", 60)
    run.send("vms\r")
    run.expect(r"1 first +off", 60)
    run.send("\x1dm")
    run.expect(r"> 2  B\xc3\xbcro\n  3  third\n\n\n", 60)
    run.send("\x1b[A\x1b[A\x1b[6~")
    run.expect("> 3  third", 60)
    run.send("2")
    run.expect(r"starts: B\xc3\xbcro", 60)
    runs_and_is_shown(run, "second")
    check("starts in" not in run.text().split("third", 2)[2], "the clock went on after a key")
    run.send("\x1dm")
    run.expect("there is no menu", 60)


def by_keyboard(the_lab):
    """The screen shows the same, and the machine's own keyboard works, in the menu and at the prompt."""
    run = boot(the_lab, 0)
    rows, at = screen_text.wait_for(the_lab, run, page(0, ""))
    check_marked(rows, at, 0)
    check(at == 0 and not any(text for text, _ in rows[8:]), "the menu is not alone on the screen")
    screen_text.press(run, ["down", "down", "up"])
    rows, at = screen_text.wait_for(the_lab, run, page(1, ""))
    check_marked(rows, at, 1)
    screen_text.press(run, ["ctrl-bracket_right", "l"])
    screen_text.wait_for(the_lab, run, ["leat>"])
    screen_text.press(run, ["h", "e", "l", "x", "backspace", "p", "ret"])
    run.expect("the VMs: state, memory", 60)  # of the answer to `help`
    screen_text.press(run, ["ctrl-bracket_right", "m"])
    screen_text.wait_for(the_lab, run, page(1, ""))
    screen_text.press(run, ["end", "ret"])
    runs_and_is_shown(run, "third")


def no_virtualization(the_lab):
    """In place of the menu a notice, on both; away from it and back."""
    run = boot(the_lab, 3, "No VM can be started on this machine", cpu="qemu64,-svm")
    notice = ["No VM can be started on this machine", "", "this CPU has neither VT-x nor AMD-V: no VM can run", "",
              "Ctrl-] l leads to Leat's log."]
    run.expect("\n".join(notice[1:]), 60)
    screen_text.wait_for(the_lab, run, notice)
    run.send("\x1dl")
    run.expect(r"supervisor: this CPU has neither", 60)
    screen_text.wait_for(the_lab, run, ["leat>"])
    screen_text.press(run, ["ctrl-bracket_right", "m"])
    screen_text.wait_for(the_lab, run, notice)


if __name__ == "__main__":
    main(by_clock, by_serial_keys, by_keyboard, no_virtualization)
