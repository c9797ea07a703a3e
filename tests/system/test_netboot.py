#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Leat over the network: UEFI PXE, UEFI HTTP boot and iPXE, beside another DHCP server, and the key in the firmware."""
import os
import re
import shutil
import sys
import threading
import time

from lab import BUILD, QUIET, TEST_INIT, TOP, check, main
from netlab import BRIDGE, HOST, NETWORK, NO_PXE, firmware_key, in_net, ip

sys.path.insert(0, str(TOP / "tests" / "server"))
from server import Server  # noqa: E402 — leatd, as its own tests start it

GUEST = f"""[server]
address = {HOST}
[console]
view = all
[machine]
when_idle = power_off
[disk one]
mode = ram
[vm web]
memory = 192M
kernel = vmlinuz
initrd = initrd
cmdline = {QUIET} {TEST_INIT} leat.do=probe
disks = one
"""
RANGE = "10.77.0.50,10.77.0.99,255.255.255.0"
LEATD = f"[leatd]\nservers = {HOST}\n"


def says(lab, run, regex, timeout=180):
    lab.wait_for(run, {regex: lambda: re.search(regex, run.text())}, timeout)
    check("Shell>" not in run.text(), "the firmware starts nothing over the network")


def guest_probes(net, run, kind):
    """What was loaded is whole: a guest starts from it and sees its disk."""
    net.lab.wait_for(run, {"the guest's steps": lambda: "TEST done" in net.lab.guest_log("web")}, 180)
    check("TEST probe ok" in net.lab.guest_log("web"), "the guest does not see its disk")
    check(f"booted from {kind}" in run.text(), f"Leat was not started by {kind}")


def print_cost(net, run, *files):
    """docs/netboot.md, "What it takes": from leat.efi's first instruction until it leaves the firmware."""
    began, left = map(int, re.search(r"leat\.efi began at (\d+), left the firmware at (\d+)", run.text()).groups())
    seconds = (left - began) / 1000 / int(re.search(r"TSC at (\d+) kHz", run.text())[1])
    size = sum((net.boot / name).stat().st_size for name in files)
    print(f"leat.efi had {size} bytes of files {seconds:.1f} s after its start; itself {(net.boot / 'leat.efi').stat().st_size}")


def serve_http(net):
    return Server(more=f"[boot]\nlisten = {HOST}:9472\nfolder = {net.boot}\n")


@in_net
def pxe(net):
    net.lab.disk("one")
    net.leatctl_netboot("--range", RANGE)
    net.put(leat_conf=GUEST)
    net.put_guest()
    net.dnsmasq()
    net.nbdkit()
    run = net.machine(net.two_nics(), guests=("web",))
    guest_probes(net, run, "pxe")
    print_cost(net, run, "vmlinuz", "initrd")


@in_net
def http(net):
    net.lab.disk("one")
    net.leatctl_netboot("--range", RANGE)
    net.put(leat_conf=GUEST.replace("initrd = initrd", "initrd = boot%20/in itrd"))
    net.put_guest()
    (net.boot / "boot%20").mkdir(mode=0o755)
    with open(net.boot / "initrd", "rb") as small:  # an archive may be followed by zeros: 40 MiB, under an awkward name
        (net.boot / "boot%20" / "in itrd").write_bytes(small.read().ljust(40 << 20, b"\0"))
    net.dnsmasq()
    net.nbdkit()
    leatd = serve_http(net)
    try:
        run = net.machine(net.two_nics(), extra=NO_PXE, guests=("web",))
        guest_probes(net, run, "http")
        print_cost(net, run, "vmlinuz", "boot%20/in itrd")
    finally:
        leatd.close()


@in_net
def ipxe(net):
    """A network card with iPXE in its ROM, as QEMU's has: it loads leat.conf by itself, and the disk is served over it."""
    net.leatctl_netboot("--range", RANGE)
    net.dnsmasq()
    run = net.machine(net.nic("e1000"))
    says(net.lab, run, r"this machine has a new key now")
    says(net.lab, run, r"supervisor: network card 8086:100e")
    check("leat.ipxe" in net.text("dnsmasq.log"), "iPXE was not given its script")


def move_link(net, link, count):
    """Into the namespace of the process that waits for it there, the next after `count`, once that has one."""
    own, deadline = os.readlink("/proc/self/ns/net"), time.monotonic() + 60
    while time.monotonic() < deadline:
        for process in net.started[count:]:
            if os.readlink(f"/proc/{process.pid}/ns/net") != own:
                ip("link", "set", link, "netns", str(process.pid))
                return
        time.sleep(0.05)


def other_dhcp_server(net):
    """The network has a DHCP server, which knows nothing of Leat, on a host of its own: another namespace."""
    conf = net.lab.folder / "existing.conf"
    conf.write_text("port=0\ninterface=theirs\nbind-interfaces\ndhcp-range=10.77.0.50,10.77.0.99,255.255.255.0,1h\n")
    ip("link", "add", "ours", "type", "veth", "peer", "name", "theirs")
    wait = ("until ip link show theirs >/dev/null 2>&1; do sleep 0.05; done; "
            "ip addr add 10.77.0.2/24 dev theirs; ip link set theirs up; exec \"$@\"")
    script = [shutil.which("unshare"), "-n", "sh", "-c", wait, "sh"]
    mover = threading.Thread(target=move_link, args=(net, "theirs", len(net.started)))
    mover.start()
    net.dnsmasq(conf, "existing.log", before=script)
    mover.join()
    ip("link", "set", "ours", "master", BRIDGE, "up")


def beside_it(net, kind, extra=()):
    other_dhcp_server(net)
    net.leatctl_netboot("--proxy", NETWORK)
    net.put(leat_conf="[console]\nview = all\n")
    net.dnsmasq()
    run = net.machine(net.nic("virtio-net-pci", extra=",romfile="), extra=extra)
    says(net.lab, run, f"kernel: Leat starts, booted from {kind}")
    check("leat.conf is missing" not in run.text(), "leat.conf was not found")
    check("DHCPACK" in net.text("existing.log"), "the address did not come from the other server")


@in_net
def proxy_pxe(net):
    beside_it(net, "pxe")


@in_net
def proxy_http(net):
    leatd = serve_http(net)
    try:
        beside_it(net, "http", NO_PXE)
    finally:
        leatd.close()


@in_net
def firmware_keeps_key(net):
    """Made once, kept over starts; and a folder without leat.conf is said."""
    net.leatctl_netboot("--range", RANGE)
    (net.boot / "leat.conf").unlink()
    net.dnsmasq()
    variables = str(net.lab.folder / "variables.fd")
    nics = net.nic("virtio-net-pci", extra=",romfile=")

    def start(regex):
        run = net.machine(nics, extra=("-device", "virtio-rng-pci"), variables=variables)
        says(net.lab, run, regex)
        said = run.text()
        says(net.lab, run, "kernel: Leat starts")
        run.close()
        return said

    start(r"leat\.conf is missing: put it beside leat\.efi \(at tftp://10\.77\.0\.1/: (no such file|the TFTP server)")
    check(not firmware_key(variables), "a key was made without [leatd]")
    net.put(leat_conf=LEATD)
    start("this machine has a new key now")
    first = firmware_key(variables)
    check(len(first) == 1 and len(set(first[0])) > 8, "the firmware has no key, or several")
    said = start("kernel: Leat starts")
    check("new key" not in said, "the key was made twice")
    check(firmware_key(variables) == first, "the key has changed")


def tftp_of_qemu(lab):
    """Without any rights: QEMU's own network has a TFTP server."""
    folder = lab.folder / "tftp"
    folder.mkdir()
    shutil.copyfile(BUILD / "leat.efi", folder / "leat.efi")
    (folder / "leat.conf").write_text(LEATD)
    run = lab.boot("", "qemu", nic="none", extra=(
        "-netdev", f"user,id=n,tftp={folder},bootfile=leat.efi", "-device", "virtio-net-pci,romfile=,netdev=n"))
    says(lab, run, "this machine has a new key now")
    says(lab, run, "kernel: Leat starts, booted from pxe")


if __name__ == "__main__":
    main(pxe, http, ipxe, proxy_pxe, proxy_http, firmware_keeps_key, tftp_of_qemu)
