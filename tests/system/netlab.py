# SPDX-License-Identifier: BSD-2-Clause
"""A network of a test's own, for machines that start over it: a namespace with a bridge, in which the test itself and
all that it starts live, dnsmasq, and machines without a disk. It goes away with the test's process."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab import BUILD, GUESTS, TOP, check
import leatnet
from leatnet import BRIDGE, HOST, MAC, NETWORK

DNSMASQ = shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin")
SKIPPED = 77  # as tests/system/CMakeLists.txt has it
NO_PXE = [word for version in (4, 6)
          for word in ("-fw_cfg", f"name=opt/org.tianocore/IPv{version}PXESupport,string=n")]


def ip(*words):
    why = leatnet.ip(*words)
    check(why is None, why)


def enter():
    """Puts the test into a network namespace; ends it as skipped, and says why, where that is not allowed."""
    why = leatnet.enter()
    if why:
        print(f"SKIPPED: {why}", flush=True)
        sys.exit(SKIPPED)


class Net:
    """The namespace's bridge, and what runs there until close()."""

    def __init__(self, lab):
        enter()
        self.lab, self.started, self.taps = lab, [], 0
        self.boot = lab.folder / "netboot" / "boot"
        self.dnsmasq_conf = self.boot.with_name("dnsmasq.conf")
        self.boot.mkdir(parents=True)

    def start(self, *command, log, ready=None, **options):
        """A program that ends with the test. ready: what it says when it serves."""
        path = self.lab.folder / log
        process = subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stdout=open(path, "wb"),
                                   stderr=subprocess.STDOUT, start_new_session=True, **options)
        self.started.append(process)
        deadline = time.monotonic() + 60
        while ready and not re.search(ready, path.read_text(errors="replace")):
            check(process.poll() is None, f"{command[0]} ended: {path.read_text(errors='replace').strip()[-300:]}")
            check(time.monotonic() < deadline, f"{command[0]} does not get ready; see {path}")
            time.sleep(0.05)
        return process

    def leatctl_netboot(self, *words):
        """The boot folder and dnsmasq.conf, as an administrator makes them."""
        done = subprocess.run([TOP / "tools" / "leatctl", "netboot", self.boot, "--address", HOST, "--interface", BRIDGE,
                               "--efi", BUILD / "leat.efi", *words], capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"leatctl netboot: {done.stderr.strip()}")

    def put(self, **files):
        """Files of the boot folder: leat_conf="text", vmlinuz=PATH."""
        for name, content in files.items():
            target = self.boot / name.replace("_", ".")
            if isinstance(content, Path):
                shutil.copyfile(content, target)
            else:
                target.write_text(content)
            target.chmod(0o644)

    def put_guest(self):
        self.put(vmlinuz=GUESTS / "vmlinuz", initrd=GUESTS / "initrd")

    def dnsmasq(self, conf=None, log="dnsmasq.log", before=(), **more):
        check(DNSMASQ, "dnsmasq is missing: tools/deps installs dnsmasq-base")
        leases = self.lab.folder / (log + ".leases")
        return self.start(*before, DNSMASQ, "--no-daemon", "--user=root", "--log-dhcp", f"--dhcp-leasefile={leases}",
                          f"--conf-file={conf or self.dnsmasq_conf}", log=log, ready="dnsmasq: started|DHCP, IP range", **more)

    def nbdkit(self, port=10809):
        """Every file of the lab's folder of exports."""
        return self.start("nbdkit", "-f", "-v", "-i", HOST, "-p", port, "file", f"dir={self.lab.exports}", log="nbdkit.log",
                          ready="listening|bound to")

    def nic(self, device, mac=MAC, extra=""):
        """QEMU's arguments for a card on the bridge."""
        name = f"leattap{self.taps}"
        self.taps += 1
        why = leatnet.tap(name)
        check(why is None, why)
        return leatnet.nic(name, device, mac, extra)

    def two_nics(self):
        """One that OVMF has a driver for, and behind it one that Leat has one for."""
        return self.nic("virtio-net-pci", extra=",romfile=") + self.nic("e1000", mac=MAC[:-2] + "57", extra=",romfile=")

    def machine(self, nics, extra=(), **options):
        return self.lab.boot("", "qemu", nic="none", extra=(*nics, *extra), **options)

    def text(self, log):
        return (self.lab.folder / log).read_text(errors="replace")

    def close(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def in_net(test):
    """A test of lab.main() that gets a Net."""
    def wrapped(lab):
        net = Net(lab)
        try:
            test(net)
        finally:
            net.close()
    wrapped.__name__ = test.__name__
    return wrapped


def firmware_key(variables):
    """The values of the variable LeatKey in a file of OVMF's variables, those that were deleted too."""
    found, data, name = [], Path(variables).read_bytes(), "LeatKey\0".encode("utf-16-le")
    at = data.find(name)
    while at >= 0:
        found.append(data[at + len(name):at + len(name) + 32])
        at = data.find(name, at + 1)
    return found

