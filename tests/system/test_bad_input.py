#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bad input ends in one clear line on the serial line, never in silence; what can get better by itself is
tried again and says so. On QEMU, without virtualization, where that does not matter, because it starts in seconds."""
import re
import subprocess

from lab import BUILD, base_config, main, vm

NO_VIRT = "qemu64,-svm"


def says(lab, run, regex, timeout=60):
    """Waits for the line; returns it. It must be one line that stands alone."""
    lab.wait_for(run, {regex: lambda: re.search(regex, run.text())}, timeout)
    text = run.text()
    match = re.search(regex, text)
    return text[text.rfind("\n", 0, match.start()) + 1:].split("\n", 1)[0]


def boot_config(lab, text, efi=None, **options):
    """On QEMU without virtualization."""
    return lab.boot(lab.image(lab.config(text), efi=efi), "qemu", cpu=NO_VIRT, **options)


def boot_virt(lab, text, **options):
    """On the machine that the test is run for, whose CPU can run VMs."""
    return lab.boot(lab.image(lab.config(text)), **options)


def no_vtx(lab):
    lab.disk("one")
    lab.server.start()
    run = boot_config(lab, base_config(lab) + "[disk one]\n" + vm("web", "one", "probe"))
    says(lab, run, r"neither VT-x nor AMD-V: no VM can run")


def vtx_locked_off(lab):
    """Firmware that switched VT-x off: a small UEFI program of ours locks it so, then starts leat.efi."""
    image = lab.image(lab.config("[console]\nview = all\n"))
    esp = f"{image}@@1048576"
    subprocess.run(["mcopy", "-o", "-i", esp, str(BUILD / "leat.efi"), "::/EFI/BOOT/LEAT.EFI"], check=True)
    subprocess.run(["mcopy", "-o", "-i", esp, str(BUILD / "tests" / "lockvmx.efi"), "::/EFI/BOOT/BOOTX64.EFI"], check=True)
    run = lab.boot(image)
    says(lab, run, r"switched off and locked by the firmware", 180)


def too_little_memory(lab):
    lab.disk("one")
    lab.server.start()
    run = boot_virt(lab, base_config(lab) + "[disk one]\n" + vm("web", "one", "probe", memory="2G"), memory=512)
    says(lab, run, r"vm web: too little memory: it needs \d+ MiB", 180)


def no_config(lab):
    image = lab.image(lab.config("[console]\nview = all\n"))
    for name in ("::/leat.conf", "::/EFI/BOOT/leat.conf"):
        subprocess.run(["mdel", "-i", f"{image}@@1048576", name], check=False, capture_output=True)
    run = lab.boot(image, "qemu", cpu=NO_VIRT)
    says(lab, run, r"leat\.conf.*(not found|missing|no leat\.conf|not there)")


def malformed_config(lab):
    run = boot_config(lab, "[server]\naddress = 10.0.2.2\n[vm web]\nmemory = 12Q\n")
    says(lab, run, r"leat\.conf line 4: .*memory = 12Q")


def unknown_key(lab):
    run = boot_config(lab, "[server]\naddres = 10.0.2.2\n")
    says(lab, run, r"leat\.conf line 2: .*addres")


def missing_file(lab):
    lab.disk("one")
    lab.server.start()
    text = base_config(lab) + "[disk one]\n" + vm("web", "one", "probe")
    image = lab.image(lab.config(text))
    subprocess.run(["mdel", "-i", f"{image}@@1048576", "::/vmlinuz"], check=False, capture_output=True)
    subprocess.run(["mdel", "-i", f"{image}@@1048576", "::/EFI/BOOT/vmlinuz"], check=False, capture_output=True)
    run = lab.boot(image, "qemu", cpu=NO_VIRT)
    says(lab, run, r"vmlinuz.*(not found|missing|not there|no such)")


def damaged_bundle(lab):
    """One byte of a service inside leat.efi is flipped."""
    data = bytearray((BUILD / "leat.efi").read_bytes())
    at = data.index(b"\x7fELF") + 40000
    data[at] ^= 0x40
    efi = lab.folder / "damaged.efi"
    efi.write_bytes(data)
    run = boot_config(lab, "[console]\nview = all\n", efi=efi)
    says(lab, run, r"(damaged|checksum)")


def no_network_card(lab):
    lab.disk("one")
    lab.server.start()
    run = boot_config(lab, base_config(lab) + "[disk one]\n" + vm("web", "one", "probe"),
                      nic="none")
    says(lab, run, r"no known network card")


def no_dhcp(lab):
    run = boot_config(lab, base_config(lab) + "[disk one]\n" + vm("web", "one", "probe"), nic="silent")
    says(lab, run, r"no DHCP answer yet .*still trying", 120)


def server_unreachable(lab):
    """Nobody listens: tried again for ever, and the disk comes when the server does."""
    lab.disk("one")
    run = boot_virt(lab, base_config(lab) + "[disk one]\n" + vm("web", "one", "probe"))
    says(lab, run, r"web/one.*10\.0\.2\.2:\d+.*(refused|reset|unreachable|closed)", 180)
    says(lab, run, r"web/one.*try [2-9]", 60)
    lab.server.start()
    says(lab, run, r"one.*(ready|connected)", 60)


def export_unknown(lab):
    lab.server.start()
    run = boot_virt(lab, base_config(lab) + "[disk one]\nexport = nosuch\n" + vm("web", "one", "probe"))
    says(lab, run, r"nosuch.*no such export", 180)


def resized(lab, factor):
    disk = lab.disk("one")
    lab.server.start()
    run = boot_virt(lab, base_config(lab) + "[disk one]\n" + vm("web", "one", "probe"))
    says(lab, run, r"one.*(ready|connected)", 180)
    lab.server.kill()
    with open(disk, "r+b") as file:
        file.truncate(int((1 << 30) * factor))
    lab.server.start()
    says(lab, run, r"one.*(size|larger|smaller|bytes)", 60)


def export_larger(lab):
    resized(lab, 1.5)


def export_smaller(lab):
    resized(lab, 0.5)


if __name__ == "__main__":
    main(no_vtx, vtx_locked_off, too_little_memory, no_config, malformed_config, unknown_key, missing_file, damaged_bundle,
         no_network_card, no_dhcp, server_unreachable, export_unknown, export_larger, export_smaller)
