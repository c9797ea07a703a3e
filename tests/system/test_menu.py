#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The boot menu of a machine without a server ([console] menu): on the serial line and on the screen, answered by
serial keys, by the machine's keyboard, and by the clock."""
import re
import time

import lab
import screen_text
from lab import check, main

TITLE = "Which VM is to start?"
ENTRIES = ["Debian 12", "B\u00fcro", "third"]
KEYS = "arrow keys and Enter, or a digit"
CABLE = ("-netdev", "user,id=cable", "-device", "e1000,netdev=cable,mac=52:54:00:1e:a7:01")
DOWN = "link down: check the cable"


def boot(the_lab, seconds, title=TITLE, more="", efi=None, **options):
    """Three VMs that wait to be chosen, and say lines for ever when they run. more: of leat.conf. efi: in place of leat.efi."""
    config = f"[console]\nmenu = {seconds}\n"
    for name, label in zip(("first", "second", "third"), ENTRIES):
        config += f"[vm {name}]\nmemory = 32M\nkernel = bench\ncmdline = do=work\nautostart = no\n"
        config += f"label = {label}\n" if label != name else ""
    files = {"bench": str(lab.BUILD / "tests/guests/bench/bench.bzimage")}
    image = the_lab.image(the_lab.config(config + more), efi, files)
    options.setdefault("nic", "none" if the_lab.machine == "qemu" else "user")
    run = the_lab.boot(image, **options)
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


def check_seconds(said, left):
    """What the serial line says from that many seconds of the menu's clock on: each second at most its row, and behind lines
    of the log, which stand above it, the whole menu once. Nothing else."""
    second, keys = r"starts in (\d) s; any key stops the clock\n", re.escape(KEYS)
    again = r"(?:\[[^\n]*\n)+" + re.escape("\n".join(page(0, "")[:6])) + rf"\n(?:{second}1 of 3; {keys}\n|(?=starts:))"
    alone = re.sub(again, "", said)
    check(re.fullmatch(rf"1 of 3; {keys}\n(?:{second})*starts: Debian 12", alone), f"the serial line says {said!r}")
    seconds = [left, *map(int, re.findall(second, alone))]
    check(seconds == sorted(set(seconds), reverse=True), f"a second is said more than once: {said!r}")


def by_clock(the_lab):
    """Nobody is there: the first is started, and the serial line says it in few lines."""
    run = boot(the_lab, 4)
    drawn = run.expect(r"> 1  Debian 12\n  2  B\xc3\xbcro\n  3  third\n\nstarts in ([1-4]) s; any key stops the clock\n", 60)
    start = run.position
    run.expect(r"starts: Debian 12", 60)
    said = run.output[start:run.position].decode()
    check_seconds(said, int(drawn[1]))
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


def plug(run, is_in):
    screen_text.command(run, "set_link", name="cable", up=is_in)


def lines_above(the_lab):
    """What Leat says while the menu waits is on the serial line at once, and the menu below it again; the screen keeps the
    menu, and has the lines when that has gone."""
    run = boot(the_lab, 0, extra=CABLE)
    screen_text.wait_for(the_lab, run, page(0, ""))
    the_lab.wait_for(run, {"the card": lambda: "link up" in run.text()}, 60)
    plug(run, False)
    run.expect(rf"\n\[[^\n]*{DOWN}[^\n]*\n(\[[^\n]*\n)*{re.escape(TITLE)}\n\n> 1  Debian 12\n", 60)
    run.expect(re.escape(KEYS), 60)
    rows, at = screen_text.wait_for(the_lab, run, page(0, ""))
    check(at == 0 and not any(text for text, _ in rows[8:]), "the menu is not alone on the screen")

    run.send("2")
    runs_and_is_shown(run, "second")
    screen_text.wait_for(the_lab, run, ["leat>"])
    shown = [text for text, _ in screen_text.read(the_lab, run)]
    check(any(DOWN in text for text in shown), f"the screen has not got the lines: {shown}")


def flood_above(the_lab):
    """A vmm that says lines for ever (tests/system/floodvmm): the menu is drawn seldom, and still answers."""
    run = boot(the_lab, 0, efi=lab.BUILD / "tests/system/floodvmm/floodvmm.efi",
               more="[vm logs]\nmemory = 32M\nkernel = bench\ncmdline = do=work\n")
    run.expect("####\n.*####\n", 60)
    began, start = time.monotonic(), len(run.output)
    the_lab.wait_for(run, {"lines": lambda: run.text(start).count("####\n") >= 500}, 60)
    took, said = time.monotonic() - began, run.text(start)
    check(1 <= said.count(TITLE) <= 2 * took + 4, f"in {took:.1f} s the menu was drawn {said.count(TITLE)} times")
    run.send("\x1b[B")
    run.expect(r"> 2  B\xc3\xbcro", 60)
    run.send("\x1b[A")
    run.expect(r"> 1  Debian 12", 60)
    run.send("2")
    run.expect(r"--- vm second", 60)
    run.expect(r"WORK \d+", 60)


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
    main(by_clock, by_serial_keys, by_keyboard, lines_above, flood_above, no_virtualization)
