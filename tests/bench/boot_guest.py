# SPDX-License-Identifier: BSD-2-Clause
"""A real guest's boot over a link: Debian 12 in QEMU without KVM, from the start of QEMU to the login prompt, with QEMU's
own NBD driver, and with leat-nbd behind it, with and without the profile of another boot; in turns. What the same boot
takes from a local file is taken off: the rest is what the link costs."""
import shutil
import statistics
import time

import setting
import streaming
from figures import Figure

LINKS = [(20, None), (20, 100)]
PATIENCE_S = 600


def guest_command(disk, serial):
    return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-m", "512", "-no-reboot", "-snapshot",
            "-serial", f"file:{serial}", "-kernel", setting.lab.GUESTS / "vmlinuz", "-initrd", setting.lab.GUESTS / "initrd",
            "-append", setting.lab.QUIET + " root=/dev/vda", "-drive", f"if=virtio,format=raw,file={disk}"]


def boot(place, disk):
    """Seconds to the login prompt."""
    serial = setting.Path(place.path("serial"))
    serial.unlink(missing_ok=True)
    begin = time.monotonic()
    guest = place.spawn(*guest_command(disk, serial))
    while not serial.exists() or b"login:" not in serial.read_bytes():
        if guest.poll() is not None or time.monotonic() - begin > PATIENCE_S:
            raise setting.BenchError(f"the guest does not come to its login: {streaming.said(guest)[-200:]}")
        time.sleep(0.05)
    took = time.monotonic() - begin
    guest.kill()
    guest.wait()
    return took


def run(place, who, link, profile):
    if who == "local":
        return boot(place, setting.lab.GUESTS / "root.img")
    place.spawn("nbdkit", "-f", "-r", "-U", place.path("server"), "file", setting.lab.GUESTS / "root.img", listens="server")
    place.relay(link)
    disk = place.path("relay")
    if who != "qemu":
        if profile:
            shutil.copy(profile, place.path("copy"))
        place.leat(*(["--profile", place.path("copy")] if who == "profile" else []))
        disk = place.path("disk")
    took = boot(place, f"nbd+unix:///?socket={disk}")
    place.end()
    return took


def record_profile(place):
    """Of a boot over a fast link; leat-nbd writes it when it ends."""
    place.spawn("nbdkit", "-f", "-r", "-U", place.path("server"), "file", setting.lab.GUESTS / "root.img", listens="server")
    place.relay((1, None))
    place.leat("--profile", place.path("profile"))
    boot(place, f"nbd+unix:///?socket={place.path('disk')}")
    place.end()
    return place.path("profile")


def figures(link, runs):
    words = f"{link[0]} ms" + (f", {link[1]} Mbit/s" if link[1] else "")
    name = f"rtt{link[0]}" + (f"_{link[1]}mbit" if link[1] else "")
    took = {who: statistics.median(found) for who, found in runs.items()}
    for who, what in (("local", "a local file"), ("qemu", "QEMU on demand"), ("first", "first boot"),
                      ("profile", "with a profile")):
        yield Figure(f"{name}_{who}_s", f"to the login, {words}: {what}", took[who], "s", raw=runs[who])
    stall = {who: max(took[who] - took["local"], 0) for who in runs}
    for who, what in (("first", "a first boot"), ("profile", "a boot with a profile")):
        yield Figure(f"{name}_{who}", f"what the link costs {what} / QEMU's, {words}", stall[who] / stall["qemu"], "")


def measure(_with_profile):
    setting.make_guests()
    found = []
    with streaming.Place() as place:
        profile = record_profile(place)
        for link in LINKS:
            runs = {"local": [], "qemu": [], "first": [], "profile": []}
            for _ in range(streaming.ROUNDS):
                for who, results in runs.items():
                    results.append(run(place, who, link, profile))
            found += figures(link, runs)
    return found, {"commit": setting.commit(), "rounds": streaming.ROUNDS,
                   "guest": "Debian 12 (tools/mkguest), QEMU TCG, 512 MiB"}
