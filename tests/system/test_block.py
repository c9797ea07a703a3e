#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The storage drivers (drivers/block) in a bare kernel (blocktest) on emulated controllers: what they read is what is in
the image, and what they wrote is there afterwards.

By hand: tests/system/test_block.py --machine qemu ide ahci ...; serial.log tells what the kernel found.
"""
import re
import struct
import subprocess

from lab import BUILD, Failed, check, main
import leatmachine

FOLDER = BUILD / "tests/system/blocktest"
MARKER = b"Leat's block test may overwrite this disk\n"
GRANULE = 512
MASK = (1 << 64) - 1
BOOT_COUNT, BOOT_ENTRY, BOOT_PIECE = 0x1b0, 0x1b4, 0x8000  # boot.S


def pattern(first, count, generation):
    """What pattern.c fills in."""
    words = []
    for granule in range(first, first + count):
        for word in range(GRANULE // 8):
            value = (generation << 56 | granule << 8 | word) * 0x9e3779b97f4a7c15 & MASK
            words.append(value ^ value >> 29)
    return struct.pack(f"<{len(words)}Q", *words)


class Disk:
    """A scratch disk: generation 1 everywhere but in the first sector."""

    def __init__(self, path, sectors, sector=512):
        self.path, self.sectors, self.sector = path, sectors, sector
        self.per = sector // GRANULE
        with open(path, "wb") as file:
            file.write(MARKER.ljust(sector, b"\0"))
            file.write(pattern(self.per, (sectors - 1) * self.per, 1))

    def check(self, has_discard):
        """What the kernel has left: generation 2 in the second quarter, 3 in the last sector, 4 in the fourth eighth of the
        third quarter on, where it discards."""
        data = self.path.read_bytes()
        quarter, half = self.sectors // 4, self.sectors // 2
        eighth = self.sectors // 4 // 2
        parts = [(1, quarter, 1), (quarter, half, 2), (self.sectors - 1, self.sectors, 3)]
        if has_discard:
            parts += [(half + eighth, half + self.sectors // 4, 4), (half + self.sectors // 4, self.sectors - 1, 1)]
        else:
            parts.append((half, self.sectors - 1, 1))
        check(data.startswith(MARKER), f"{self.path.name}: the first sector was overwritten")
        for first, end, generation in parts:
            wanted = pattern(first * self.per, (end - first) * self.per, generation)
            is_right = data[first * self.sector:end * self.sector] == wanted
            check(is_right, f"{self.path.name}: sectors {first} to {end - 1} are not generation {generation}")


def verdict(lab, output, disks, discards):
    (lab.folder / "serial.log").write_text(output)
    for line in re.findall(r"^(?:DISK|COUNTERS|LOG|KNOWN|SKIP) .*", output, re.M):
        print(line)
    failed = re.findall(r"^FAIL .*", output, re.M)
    check(not failed, "; ".join(failed)[:300])
    check(re.search(r"^DONE blocktest \d+ passed 0 failed", output, re.M), f"no end: {output[-200:]!r}")
    for disk in disks if discards is not None else ():
        disk.check(discards)


PLAIN = "format=raw,discard=unmap,file="
# Reads and writes of sector 1000 fail (blkdebug of QEMU); how is followed by the path.
BAD = "driver=raw,rerror=report,werror=report,file.driver=blkdebug," + "".join(
    f"file.inject-error.{i}.event={event},file.inject-error.{i}.sector=1000,file.inject-error.{i}.once=off,"
    for i, event in enumerate(("read_aio", "write_aio"))) + "file.image.driver=file,file.image.filename="


def run_qemu(lab, board, arguments, disks, discards=True, words="", how=PLAIN):
    if lab.machine != "qemu":
        raise Failed("this test is for QEMU")
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", board, "-accel", "tcg", "-m", "128",
               "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", str(FOLDER / "blocktest.elf"),
               "-append", words]
    for number, disk in enumerate(disks):
        command += ["-drive", f"if=none,id=disk{number},{how}{disk.path}"]
    try:
        done = subprocess.run(command + arguments, capture_output=True, text=True, timeout=240, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"no end: {(error.stdout or b'')[-300:]!r}") from error
    verdict(lab, done.stdout + done.stderr, disks, discards)


IDE = ["-device", "ide-hd,drive=disk0,bus=ide.0,unit=0", "-device", "ide-hd,drive=disk1,bus=ide.0,unit=1",
       "-device", "ide-cd,bus=ide.1,unit=0", "-device", "ide-hd,drive=disk2,bus=ide.1,unit=1"]


def ide(lab):
    """QEMU's PIIX3: two disks on one cable, one beside a CD-ROM on the other."""
    run_qemu(lab, "pc", IDE, [Disk(lab.folder / f"disk{i}.img", 16384 + i) for i in range(3)])


def ide_by_cpu(lab):
    """The same without its bus master."""
    run_qemu(lab, "pc", IDE, [Disk(lab.folder / f"disk{i}.img", 12288 + i) for i in range(3)], False, "no-bus-master")


AHCI = ["-device", "ahci,id=ahci", "-device", "ide-hd,drive=disk0,bus=ahci.0,serial=first",
        "-device", "ide-hd,drive=disk1,bus=ahci.3", "-device", "ide-cd,bus=ahci.5"]


def ahci(lab):
    """QEMU's AHCI card: two disks and a CD-ROM among its six ports."""
    run_qemu(lab, "pc", AHCI, [Disk(lab.folder / f"disk{i}.img", 16384 + i) for i in range(2)])


def q35(lab):
    """The AHCI controller of QEMU's q35, with disks on its first port and its last."""
    run_qemu(lab, "q35", ["-device", "ide-hd,drive=disk0,bus=ide.0", "-device", "ide-hd,drive=disk1,bus=ide.5"],
             [Disk(lab.folder / f"disk{i}.img", 24576 + i) for i in range(2)])


def nvme(lab):
    """Two controllers: one with its own namespace, one with two, of which one has sectors of 4096 bytes."""
    disks = [Disk(lab.folder / "disk0.img", 16384), Disk(lab.folder / "disk1.img", 16387),
             Disk(lab.folder / "disk2.img", 2048, 4096)]
    run_qemu(lab, "q35", ["-device", "nvme,drive=disk0,serial=one", "-device", "nvme,id=two,serial=two",
                          "-device", "nvme-ns,drive=disk1,bus=two,nsid=1",
                          "-device", "nvme-ns,drive=disk2,bus=two,nsid=5,logical_block_size=4096,physical_block_size=4096"],
             disks)


def nvme_short(lab):
    """A controller that moves 64 KiB at a time, and has one pair of I/O queues."""
    run_qemu(lab, "pc", ["-device", "nvme,drive=disk0,serial=short,mdts=4,max_ioqpairs=1"],
             [Disk(lab.folder / "disk0.img", 16384)])


VIRTIO = "virtio-blk-pci,drive=disk"


def virtio(lab):
    """Modern only; transitional, with sectors of 4096 bytes; with a short queue and no cache."""
    disks = [Disk(lab.folder / "disk0.img", 16384), Disk(lab.folder / "disk1.img", 2048, 4096),
             Disk(lab.folder / "disk2.img", 8191)]
    run_qemu(lab, "pc", ["-device", VIRTIO + "0,disable-legacy=on,serial=modern",
                         "-device", VIRTIO + "1,disable-legacy=off,logical_block_size=4096,physical_block_size=4096",
                         "-device", VIRTIO + "2,disable-legacy=on,queue-size=16,write-cache=off,num-queues=3"], disks)


def bad_sector(lab):
    """A bad sector fails the commands that touch it, and no other: on IDE, and by NCQ without the log that tells which."""
    disks = [Disk(lab.folder / f"disk{i}.img", 4096) for i in range(2)]
    run_qemu(lab, "pc", ["-device", "ide-hd,drive=disk0", "-device", "ahci,id=ahci", "-device", "ide-hd,drive=disk1,bus=ahci.0"],
             disks, None, "only=bad", BAD)


def boot_image(path):
    """A disk that starts the kernel by the BIOS."""
    kernel = (FOLDER / "blocktest.bin").read_bytes()
    pieces = -(-len(kernel) // BOOT_PIECE)
    entry = struct.unpack_from("<I", (FOLDER / "blocktest.elf").read_bytes(), 24)[0]  # e_entry
    boot = bytearray((FOLDER / "boot.bin").read_bytes())
    struct.pack_into("<II", boot, BOOT_COUNT, pieces, entry)
    image = bytes(boot) + kernel.ljust(pieces * BOOT_PIECE, b"\0")
    cylinder = 16 * 63 * 512
    path.write_bytes(image.ljust(-(-len(image) // cylinder) * cylinder, b"\0"))


def bochs_ide(lab):
    """Bochs' PIIX3: the boot disk and one scratch disk on a cable, another on the second."""
    machine = leatmachine.Bochs()
    boot = lab.folder / "boot.img"
    boot_image(boot)
    disks = [Disk(lab.folder / f"disk{i}.img", 16 * 63 * 17) for i in range(2)]
    serial = lab.folder / "com1.log"
    places = [("ata0-master", boot), ("ata0-slave", disks[0].path), ("ata1-master", disks[1].path)]
    lines = ["cpu: model=corei7_haswell_4770, ips=30000000, reset_on_triple_fault=0", "megs: 128",
             f"romimage: file={leatmachine.BOCHS_SHARE}/BIOS-bochs-latest",
             f"vgaromimage: file={leatmachine.BOCHS_SHARE}/VGABIOS-lgpl-latest", "pci: enabled=1, chipset=i440fx",
             "ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15",
             *(f'{place}: type=disk, path="{path}", mode=flat' for place, path in places),
             "boot: disk", "clock: sync=none", "speaker: enabled=0", f"com1: enabled=1, mode=file, dev={serial}",
             "port_e9_hack: enabled=1", f'log: "{lab.folder}/bochs.log"', "panic: action=fatal", "error: action=report",
             "info: action=ignore", "debug: action=ignore", *machine.own_lines()]
    command, environment = machine.start_command(lab.folder, lines)
    try:
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                       timeout=120 * machine.patience)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"no end: {serial.read_bytes()[-300:] if serial.exists() else ''!r}") from error
    verdict(lab, serial.read_text(errors="replace"), disks, False)


if __name__ == "__main__":
    main(ide, ide_by_cpu, ahci, q35, bad_sector, bochs_ide, nvme, nvme_short, virtio)
