#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A 32-bit guest, Debian's unmodified i386 kernel with PAE, boots beside a 64-bit one; both read the same image by sums,
and the 32-bit one writes a disk of its own and reads it back."""
import re

from lab import GUESTS, QUIET, base_config, check, main, sha256, vm
from test_two_guests import check_steps

STEPS = "probe,sums,write"


def beside_64_bit(lab):
    lab.disk("root")
    with open(lab.exports / "scratch", "wb") as file:
        file.truncate(8 << 20)
    lab.server.start()
    image = lab.image(lab.config(base_config(lab) + "[disk root]\nmode = ram\n[disk scratch]\n" +
                                 vm("wide", "root", "sums,write,reread") + f"""[vm narrow]
memory = 128M
kernel = vmlinuz-i386
initrd = initrd-i386
cmdline = {QUIET} leat.do={STEPS}
disks = root, scratch
"""), files={name: str(GUESTS / name) for name in ("vmlinuz-i386", "initrd-i386")})
    run = lab.boot(image, guests=("wide", "narrow"))
    lab.wait_for(run, {f"{name} done": lambda n=name: "TEST done" in lab.guest_log(n) for name in ("wide", "narrow")}, 900)
    run.wait_end(120)
    check(run.ended == "power off", f"the machine ended by {run.ended}, not by power off")
    check_steps(lab, "wide", "sums,write,reread")
    check_steps(lab, "narrow", STEPS)
    for name, machine in (("narrow", "i686"), ("wide", r"6\S+-cloud-amd64")):
        check(re.search(rf"TEST up {machine} 1 cpu", lab.guest_log(name)), f"guest {name} does not say that it is a {machine}")
    files = re.search(r"TEST sums files (\d+)", lab.guest_log("narrow"))
    check(files and int(files[1]) == 56, f"guest narrow summed {files[1] if files else 'no'} files, not 56")
    told = re.search(r"TEST written (\w{64})", lab.guest_log("narrow"))
    check(told and told[1] == sha256((lab.exports / "scratch").read_bytes()[:1 << 20]),
          "what the 32-bit guest wrote is not in the server's image")


if __name__ == "__main__":
    main(beside_64_bit)
