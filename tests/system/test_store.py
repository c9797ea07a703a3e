#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The local store on emulated disks: the second boot reads from the local disk what the first one has streamed; mode
`local` keeps what a guest has made durable when the power is cut, again and again; a storage service that dies is
started again; and no byte of a disk outside of Leat's partition ever changes."""
import os
import random
import re
import subprocess
import time

from lab import base_config, check, load_tool, main, sha256, vm

SECTOR = 512
MIB = 1 << 20
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def leat_partition(path):
    """First byte of Leat's partition and the one behind it; both 0: there is none."""
    table = subprocess.run(["sfdisk", "--dump", str(path)], capture_output=True, text=True, check=True).stdout
    found = re.search(r"start= *(\d+), size= *(\d+), type=9357074E-1924-48A3-A9B4-982F9BDA4031", table)
    first, sectors = (int(found[1]), int(found[2])) if found else (0, 0)
    return first * SECTOR, (first + sectors) * SECTOR


def outside(path):
    """The sum of all that does not lie in Leat's partition."""
    first, end = leat_partition(path)
    data = path.read_bytes()
    return sha256(data[:first] + data[end:])


def inside(path):
    first, end = leat_partition(path)
    return sha256(path.read_bytes()[first:end])


def local_disk(lab, name, size="192M", has_leat=True):
    """A disk with random bytes in a partition of somebody else's, and (or not) an empty one of Leat's."""
    path = lab.folder / f"{name}.img"
    load_tool("mkdisk").make_disk(str(path), size, "8M", has_leat)
    with open(path, "r+b") as file:
        file.seek(2048 * SECTOR)
        file.write(os.urandom(8 * MIB))
    return path


def image_of(lab, mode, steps, more=""):
    return lab.image(lab.config(base_config(lab) + more + f"""
[disk one]
mode = {mode}
content = the image of this test
""" + vm("web", "one", steps)))


def wait_for(lab, run, text, seconds):
    lab.wait_for(run, {text: lambda: re.search(text, run.text())}, seconds)
    check(not re.search(r"TEST \w+ FAILED", run.text()), "a step of the guest has failed")


def rest(run, seconds):
    deadline = time.monotonic() + seconds * run.machine.patience
    while time.monotonic() < deadline:
        run.step(0.2)


def ask_disks(lab, run):
    """What `disks` answers at the prompt."""
    start = len(run.text())
    run.send("disks\r")
    lab.wait_for(run, {"the answer of 'disks'": lambda: re.search(r"\n  \S.*\n", run.text()[start:])}, 60)
    rest(run, 2)
    return run.text()[start:]


def cut_power(run):
    """At once, whatever the machine is doing."""
    run.process.kill()
    run.process.wait()
    run.close()


def bytes_of(answer, source):
    """What the line of the disk says of that source, in bytes."""
    found = re.search(rf"([\d.]+) (B|KiB|MiB|GiB) {source}", answer)
    return float(found[1]) * UNITS[found[2]] if found else 0


def second_boot(lab, bus, **options):
    lab.disk("one")
    disk = local_disk(lab, "local")
    before = outside(disk)
    lab.server.start()
    image = image_of(lab, "ram", "sums,shell")
    answers = []
    for _ in range(2):
        run = lab.boot(image, guests=("web",), disks=((bus, str(disk)),), **options)
        wait_for(lab, run, "TEST shell started", 900)
        rest(run, 7)  # what was cached is durable after 5 s
        answers.append(ask_disks(lab, run))
        cut_power(run)
    check(outside(disk) == before, "bytes outside of Leat's partition have changed")
    served = [bytes_of(answer, "from the server") for answer in answers]
    # After a start nothing is in memory: what a slow guest reads there has come from the local disk before it asked.
    local = [bytes_of(answer, "from the local disk") + bytes_of(answer, "read from RAM") for answer in answers]
    check(served[0] > MIB, f"the first boot says that it read {served[0]} bytes from the server")
    check(served[1] <= served[0] / 100, f"the second boot read {served[1]:.0f} bytes from the server")
    check(local[1] > MIB, f"the second boot read {local[1]:.0f} bytes from the local disk")


def second_boot_nvme(lab):
    second_boot(lab, "nvme")


def second_boot_ahci(lab):
    second_boot(lab, "ahci")


def second_boot_virtio(lab):
    second_boot(lab, "virtio")


def second_boot_ide(lab):
    second_boot(lab, "ide", board="pc")


def kept_files(run):
    return re.findall(r"web TEST kept (\d+) (\w{64})", run.text())


def check_found(run, kept):
    """What the step `kept` of this start says: the guest's file system is whole, and the files are what they were."""
    check("TEST kept ok" in run.text(), "the guest's file system is damaged")
    found = dict(re.findall(r"TEST found (\d+) (\w{64})", run.text()))
    for name, total in kept:
        check(found.get(name) == total, f"file {name}, which was durable, is {'damaged' if name in found else 'gone'}")


def check_kept(lab, kept, bus, disk, **options):
    """The same, by one more start of the machine."""
    run = lab.boot(image_of(lab, "local", "kept"), guests=("web",), disks=((bus, str(disk)),), **options)
    run.wait_end(900)
    check_found(run, kept)


def power_cut(lab, bus, cuts, **options):
    """So many times, each at a random moment of the guest's start (one in four, but the last cut if no file is kept before) or in
    mid-write, and it goes on with the same disk: after each, all that it had made durable before is there, and its file
    system is whole. The same cuts again: LEAT_SEED."""
    seed = int(os.environ.get("LEAT_SEED", random.SystemRandom().randrange(10**6)))
    print(f"LEAT_SEED={seed}", flush=True)
    chance, kept = random.Random(seed), []
    lab.disk("one")
    disk = local_disk(lab, "local")
    before, image_before = outside(disk), sha256((lab.exports / "one").read_bytes())
    lab.server.start()
    image = image_of(lab, "local", "kept,fsyncs")
    for left in reversed(range(cuts)):
        run = lab.boot(image, guests=("web",), disks=((bus, str(disk)),), **options)
        lab.wait_for(run, {"its start": lambda r=run: "vm web: runs" in r.text()}, 300)
        if (kept or left) and chance.random() < 0.25:
            rest(run, chance.uniform(0, 8))
        else:
            files = chance.randint(1, 12)
            lab.wait_for(run, {f"{files} files": lambda r=run, n=files: len(kept_files(r)) >= n}, 900)
            check_found(run, kept)
            rest(run, chance.uniform(0, 0.5))
        cut_power(run)
        kept += kept_files(run)
    check_kept(lab, kept, bus, disk, **options)
    check(kept, "no file was kept before the last cut")
    check(outside(disk) == before, "bytes outside of Leat's partition have changed")
    check(sha256((lab.exports / "one").read_bytes()) == image_before, "the server's image has changed")


def power_cut_nvme(lab):
    power_cut(lab, "nvme", 2)


def power_cut_ahci(lab):
    power_cut(lab, "ahci", 2)


def power_cut_virtio(lab):
    power_cut(lab, "virtio", 5)


def power_cut_ide(lab):
    power_cut(lab, "ide", 1, board="pc")


def storage_dies(lab, bus, **options):
    """Again and again, while a guest starts and writes: it waits and sees no error, and nothing is lost."""
    lab.disk("one")
    disk = local_disk(lab, "local")
    before = outside(disk)
    lab.server.start()
    run = lab.boot(image_of(lab, "local", "fsyncs"), guests=("web",), disks=((bus, str(disk)),), **options)
    for wanted in (0, 0, 5, 10, 12, 15):
        lab.wait_for(run, {f"{wanted} files": lambda w=wanted: len(kept_files(run)) >= w and "vm web: runs" in run.text()}, 900)
        again = len(re.findall("the local disk is there again", run.text()))
        run.send("restart storage\r")
        lab.wait_for(run, {"another storage service":
                           lambda n=again: len(re.findall("the local disk is there again", run.text())) > n}, 60)
    lab.wait_for(run, {"files": lambda: len(kept_files(run)) >= 25}, 900)
    check(len(re.findall("service 'storage' has died", lab.leat_log())) == 6, "the log does not tell of six deaths")
    check(not re.search(r"I/O error|EXT4-fs error|fsyncs FAILED", lab.guest_log("web")), "the guest has seen an error")
    cut_power(run)
    check_kept(lab, kept_files(run), bus, disk, **options)
    check(outside(disk) == before, "bytes outside of Leat's partition have changed")


def storage_dies_nvme(lab):
    storage_dies(lab, "nvme")


def storage_dies_ahci(lab):
    storage_dies(lab, "ahci")


def storage_dies_virtio(lab):
    storage_dies(lab, "virtio")


def storage_dies_ide(lab):
    storage_dies(lab, "ide", board="pc")


def left_alone(lab):
    """A disk without Leat's partition, one whose partition holds something else, one with a broken table: not a byte
    of them changes, the log says why, and the guest's disk works; one in mode `local` does not."""
    lab.disk("one")
    disks = [local_disk(lab, "other", has_leat=False), local_disk(lab, "filled"), local_disk(lab, "broken")]
    first, _ = leat_partition(disks[1])
    for path, place in ((disks[1], first), (disks[2], SECTOR + 60), (disks[2], os.path.getsize(disks[2]) - SECTOR + 60)):
        with open(path, "r+b") as file:
            file.seek(place)
            file.write(b"something else")
    before = [sha256(path.read_bytes()) for path in disks]
    lab.server.start()
    config = base_config(lab) + "[disk one]\nmode = ram\n[disk two]\nmode = local\nexport = one\n"
    run = lab.boot(lab.image(lab.config(config + vm("web", "one", "probe") + vm("db", "two", "probe"))),
                   guests=("web", "db"), disks=tuple(("nvme", str(path)) for path in disks))
    wait_for(lab, run, "TEST probe ok", 600)
    log = lab.leat_log()
    for line in ("no partition of Leat's; it is left alone", "its partition table is not sound",
                 "holds something that is no store; .store. format = yes", "two': failed: mode = local needs a store"):
        check(re.search(line, log), f"the log does not say '{line}'")
    run.close()
    check([sha256(path.read_bytes()) for path in disks] == before, "a disk that is not Leat's has changed")


if __name__ == "__main__":
    main(second_boot_nvme, second_boot_ahci, second_boot_virtio, second_boot_ide, power_cut_nvme, power_cut_ahci,
         power_cut_virtio, power_cut_ide, storage_dies_nvme, storage_dies_ahci, storage_dies_virtio, storage_dies_ide,
         left_alone)
