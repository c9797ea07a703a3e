#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Linux' own NBD client, in a Debian kernel in QEMU without Leat, as a client of leat-nbd: an ext4 file system is read, written,
trimmed and mounted again, four connections, while the server behind leat-nbd is killed and comes back."""
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from lab import BUILD, GUESTS, check, free_port, main

MODULES = ["net/core/failover", "drivers/net/net_failover", "drivers/virtio/virtio_ring", "drivers/virtio/virtio",
           "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci_legacy_dev", "drivers/virtio/virtio_pci",
           "drivers/net/virtio_net", "drivers/block/nbd"]
INIT = Path(__file__).resolve().parents[1] / "guests/debian/nbd-init"


def kernel_modules():
    cache = Path(os.environ.get("LEAT_CACHE", Path.home() / ".cache/leat"))
    found = sorted((cache / "guest").glob("linux-image-*-cloud-amd64/lib/modules/*/kernel"))
    check(found, "no Debian cloud kernel has been fetched: tools/mkguest kernel DIR does it")
    return found[-1]


def make_initrd(lab):
    """busybox, nbd-client with its libraries, and the modules in the order in which they are loaded."""
    root, modules = lab.folder / "initrd", kernel_modules()
    for name in ("bin", "modules", "dev", "proc", "sys", "root"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    shutil.copy(INIT, root / "init")
    client = shutil.which("nbd-client", path="/usr/sbin:/sbin:" + os.environ["PATH"])
    shutil.copy(client, root / "bin/nbd-client")
    listed = subprocess.run(["ldd", client], check=True, capture_output=True, text=True).stdout
    for library in re.findall(r"(/\S+)", listed):
        (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library[1:])
    for module in MODULES:
        shutil.copy(modules / f"{module}.ko", root / "modules")
    (root / "modules/order").write_text("".join(Path(module).name + "\n" for module in MODULES))
    out = lab.folder / "initrd.img"
    subprocess.run("find . | fakeroot cpio -o -H newc --quiet > " + str(out), shell=True, check=True, cwd=root)
    shutil.rmtree(root)
    return out


def said(log):
    return log.read_text(errors="replace") if log.exists() else ""


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.1)


def debian_kernel(lab):
    lab.disk("one")
    lab.server.start()
    port, log = free_port(), lab.folder / "serial.log"
    leat = subprocess.Popen(
        [BUILD / "vdisk/leat-nbd", "--port", str(port), "--mode", "ram", f"127.0.0.1:{lab.server.port}", "one"],
        stdin=subprocess.DEVNULL, stderr=lab.server_log)
    guest = subprocess.Popen(
        ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-m", "384", "-no-reboot",
         "-serial", f"file:{log}", "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net",
         "-kernel", GUESTS / "vmlinuz", "-initrd", make_initrd(lab),
         "-append", f"console=ttyS0 quiet mitigations=off random.trust_cpu=on nbd_port={port}"],
        stdin=subprocess.DEVNULL, stdout=lab.server_log, stderr=lab.server_log)
    try:
        wait_until(lambda: "TEST sums started" in said(log) or guest.poll() is not None, 300, "the guest's mount")
        lab.server.kill()
        time.sleep(3)
        lab.server.start()
        guest.wait(600)
    finally:
        guest.kill()
        leat.kill()
        guest.wait()
        leat.wait()
    check(re.search(r"TEST done [0-9a-f]{64}", said(log)), f"the guest did not end well: {re.findall('TEST .*', said(log))}")
    check("TEST sums 56" in said(log), "not all files were read")
    check("server back" in (lab.folder / "server.log").read_text(errors="replace"), "the server was not missed")


if __name__ == "__main__":
    main(debian_kernel)
