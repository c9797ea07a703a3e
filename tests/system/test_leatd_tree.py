#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A machine of a real leatd verifies what nbdkit gives it by the hash tree that leatctl has made at the import: a byte that has
changed on the server never reaches the guest, is told on the machine and in leatd's log, and the guest goes on when it is right
again."""
import os
import re
import time

from lab import GUESTS, QUIET, TEST_INIT, check, main
from leatd_lab import HOST, UUID, add_client, report_of, stick, with_control
from test_verified import BLOCK, block_of

FILE = "/srv/data/file-8388608-3"  # the guest's step `sums` reads it


def flip(image, block):
    with open(image, "r+b") as file:
        byte = os.pread(file.fileno(), 1, block * BLOCK + 100)[0]
        os.pwrite(file.fileno(), bytes([byte ^ 1]), block * BLOCK + 100)


def bring(control, mode):
    """The guest's image by leatctl, which makes its tree, and a disk of it. The version's image file."""
    control.leatctl("image", "import", "debian", str(GUESTS / "root.img"), "--publish", "--kernel", str(GUESTS / "vmlinuz"),
                    "--initrd", str(GUESTS / "initrd"), "--cmdline", f"{QUIET} {TEST_INIT} leat.do=sums")
    control.leatctl("disk", "add", mode, "--image", "debian", "--mode", mode)
    control.leatctl("assign", "add", mode, "--client", "lab-01", "--memory", "256")
    version, = control.items("images/debian/versions")
    return control.folder / "images" / version["source"]


def counts(control, mode):
    """What the machine's last report says of the disk's blocks."""
    for session in control.sessions():
        for disk in report_of(session).get("disks", []):
            return (disk.get("shared", {}) if mode == "server" else disk).get("verity", {})
    return {}


def verified(lab, control, mode):
    key = add_client(control)
    image = bring(control, mode)
    wrong = block_of(image, FILE)
    flip(image, wrong)
    run = lab.boot(stick(lab, control, key), uuid=UUID, guests=(mode,))
    lab.wait_for(run, {
        "the machine refuses the block":
            lambda: re.search(rf"block {wrong} from {HOST}:{control.nbd_port} does not match the root hash", run.text()),
        "leatd's log": lambda: "not as the image's root hash wants them" in control.leatctl("log", "--kind", "verify")}, 600)
    before = counts(control, mode)
    check(before["lies"] > 0 and before["blocks"] > 1000, f"the report says {before}")
    run.send("disks\r")
    lab.wait_for(run, {"its line": lambda: "no server has a block as the root hash wants it" in run.text()}, 60)
    end = time.monotonic() + 3
    while time.monotonic() < end:  # it waits, and does not give it to the guest some day
        run.step(0.2)
    check(not re.search("TEST sums (ok|FAILED)|I/O error", run.text()), "the guest has read the block")
    flip(image, wrong)
    lab.wait_for(run, {"the guest's sums": lambda: "TEST sums ok" in run.text()}, 600)
    refused = set(re.findall(r"block (\d+) from \S+ does not match", run.text()))
    check(refused == {str(wrong)}, f"blocks {refused} were refused, wrong was {wrong}")
    check(control.sessions(), "the session has ended")


@with_control
def tree_ram(lab, control):
    verified(lab, control, "ram")


@with_control
def tree_server(lab, control):
    verified(lab, control, "server")


if __name__ == "__main__":
    main(tree_ram, tree_server)
