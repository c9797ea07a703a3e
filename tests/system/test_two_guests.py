#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two unmodified Debian guests at the same time on streamed disks: right sums inside, ordinary virtio disks,
and what each wrote is where its disk's mode says. Then a server that is away for half a minute."""
import re
import subprocess
import tempfile
import time
from pathlib import Path

from lab import (NbdServer, base_config, check, file_of_image, main, sha256, vm)

STEPS = "probe,sums,write,reread,trim,clock"
RATE = "40M"  # bits a second: 50 MiB of files take 8 s at least, and the server is killed after 1.5


def verdicts(log):
    return dict(re.findall(r"TEST (\w+) (ok|FAILED)", log))


def sums_of_image(image):
    """The list of sums as made here, from the files that the server's image holds in /srv/data."""
    with tempfile.TemporaryDirectory(prefix="leat-ext4-") as folder:
        subprocess.run(["debugfs", "-R", f"rdump /srv/data {folder}", str(image)], capture_output=True, check=True)
        files = sorted(Path(folder, "data").iterdir(), key=lambda file: file.name)
        return "".join(f"{sha256(file.read_bytes())}  ./{file.name}\n" for file in files)


def check_steps(lab, name, steps):
    found = verdicts(lab.guest_log(name))
    for step in steps.split(","):
        check(found.get(step) == "ok", f"guest {name}: step {step}: {found.get(step, 'never ended')}")


def two_guests(lab):
    one, two = lab.disk("one"), lab.disk("two")
    lab.server.start()
    image = lab.image(lab.config(base_config(lab) + """
[disk one]
mode = private
[disk two]
mode = ram
""" + vm("web", "one", STEPS) + vm("db", "two", STEPS)))
    before = sha256_of(two)
    lists = {"web": sha256(sums_of_image(one).encode()), "db": sha256(sums_of_image(two).encode())}
    run = lab.boot(image, guests=("web", "db"))
    lab.wait_for(run, {"web done": lambda: "TEST done" in lab.guest_log("web"),
                       "db done": lambda: "TEST done" in lab.guest_log("db")}, 900)
    run.wait_end(120)
    check(run.ended == "power off", f"the machine ended by {run.ended}, not by power off")
    lab.server.kill()
    for name in ("web", "db"):
        check_steps(lab, name, STEPS)
        log = lab.guest_log(name)
        check("1af4:1042" in log, f"guest {name}: lspci shows no modern virtio block device")
        check(re.search(r"vda\s+1G disk", log), f"guest {name}: lsblk shows no 1 GiB vda")
        check(re.search(r"virtio_blk virtio\d+: \[vda\]", log), f"guest {name}: dmesg names no virtio disk vda")
        told = re.search(r"sums list (\w{64})", log)
        check(told and told[1] == lists[name], f"guest {name}: its list of sums is not that of the server's image")
        total = re.search(r"sums files (\d+) bytes (\d+)", log)
        check(total and int(total[2]) >= 50 << 20, f"guest {name}: less than 50 MiB were summed")
    both = run.text()
    first_end = min(both.index("web TEST sums ok"), both.index("db TEST sums ok"))
    last_start = max(both.index("web TEST sums started"), both.index("db TEST sums started"))
    check(last_start < first_end, "the guests did not run at the same time")
    written = file_of_image(one, "/srv/written")
    told = re.search(r"TEST written (\w{64})", lab.guest_log("web"))
    check(written and told and sha256(written) == told[1], "private: the file is not in the server's image as written")
    check(sha256_of(two) == before, "ram: the server's image has changed")
    check(file_of_image(two, "/srv/written") is None, "ram: the file is in the server's image")


def sha256_of(path):
    return sha256(path.read_bytes())


def server_away(lab):
    """The server is killed during a guest's sums and comes back after 30 s: a pause, no error, right sums."""
    lab.disk("one")
    lab.server.start(RATE)
    image = lab.image(lab.config(base_config(lab) + "[disk one]\n" + vm("web", "one", "sums,write,reread")))
    run = lab.boot(image, guests=("web",))
    lab.wait_for(run, {"sums started": lambda: "TEST sums started" in lab.guest_log("web")}, 400)
    lab.wait_for(run, {"a moment": timer(1.5)}, 30)
    lab.server.kill()
    lab.wait_for(run, {"30 s": timer(30)}, 60)
    check("TEST sums ok" not in lab.guest_log("web"), "the sums ended although the server was away: it was killed too late")
    lab.server.start()
    lab.wait_for(run, {"done": lambda: "TEST done" in lab.guest_log("web")}, 600)
    run.wait_end(120)
    check_steps(lab, "web", "sums,write,reread")
    check(not re.search(r"I/O error|EXT4-fs error|blk_update_request", lab.guest_log("web")), "the guest saw an I/O error")
    check(re.search(r"one.*(away|lost|closed|refused|connect)", lab.leat_log()), "Leat did not say that the server was away")


def fail_over(lab):
    """The server is killed for good during a guest's sums; the disk's other one goes on, at once and without an error."""
    lab.disk("one")
    second = NbdServer(lab.exports, lab.server_log)
    lab.server.start(RATE)
    second.start()
    try:
        disk = f"[disk one]\nmode = ram\nfallback = 10.0.2.2:{second.port}\n"
        image = lab.image(lab.config(base_config(lab) + disk + vm("web", "one", "sums,write,reread")))
        run = lab.boot(image, guests=("web",))
        lab.wait_for(run, {"sums started": lambda: "TEST sums started" in lab.guest_log("web")}, 400)
        lab.wait_for(run, {"a moment": timer(1.5)}, 30)
        lab.server.kill()
        check("TEST sums ok" not in lab.guest_log("web"), "the sums ended before the server was killed: it was killed too late")
        lab.wait_for(run, {"done": lambda: "TEST done" in lab.guest_log("web")}, 600)
        run.wait_end(120)
    finally:
        second.kill()
    check_steps(lab, "web", "sums,write,reread")
    check(not re.search(r"I/O error|EXT4-fs error|blk_update_request", lab.guest_log("web")), "the guest saw an I/O error")
    back = re.search(r"one.*server back after (\d+) s", lab.leat_log())
    check(back, "Leat did not say that the other server took over")
    check(int(back[1]) <= 10, f"the other server took over after {back[1]} s")


def timer(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


if __name__ == "__main__":
    main(two_guests, server_away, fail_over)
