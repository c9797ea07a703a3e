#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Disks over TLS in Leat itself: by a pre-shared key and by certificates, beside a disk in plain text; who has the wrong
key is told so and gets nothing; and machines on which TLS must not be used."""
import re
import subprocess

import tls_files
from lab import NbdServer, base_config, check, free_port, main, vm

KEY = "6a" * 32
OTHER_KEY = "6b" * 32


class Relay:
    """Between Leat and a server: keeps all that it sees, in both directions."""

    def __init__(self, lab, port):
        self.files = [lab.folder / "seen-up", lab.folder / "seen-down"]
        self.port = free_port()
        self.process = subprocess.Popen(
            ["socat", "-r", self.files[0], "-R", self.files[1], f"TCP-LISTEN:{self.port},bind=127.0.0.1,fork,reuseaddr",
             f"TCP:127.0.0.1:{port}"], stdin=subprocess.DEVNULL, stderr=lab.server_log)

    def end(self):
        self.process.kill()
        self.process.wait()

    def check_nothing_plain(self, texts, least):
        for file in self.files:
            seen = file.read_bytes()
            check(len(seen) > 1000, f"{file.name}: the relay saw nothing")
            for text in texts:
                check(text not in seen, f"{file.name}: {text!r} went by in plain text")
        check(self.files[1].stat().st_size > least, "the disk did not come by the relay")
        for file in self.files:
            file.unlink()


def boot(lab, config, files, guests=("web", "db"), **options):
    image = lab.image(lab.config(config), files={name: str(lab.folder / name) for name in files})
    return lab.boot(image, guests=guests, **options)


def wait_for_sums(lab, run, line):
    """The guest's sums, and that line in Leat's log."""
    lab.wait_for(run, {"web's sums": lambda: "TEST sums list" in lab.guest_log("web"),
                       f"the line '{line}'": lambda: re.search(line, lab.leat_log())}, 600)
    check("TEST sums ok" in lab.guest_log("web"), "web's sums are wrong")


def check_silence(lab, secrets):
    """No key in any log, and no guest on a disk that was refused."""
    check("TEST" not in lab.guest_log("db"), "db has started although its disk was refused")
    for log in (lab.folder / "logs").iterdir():
        text = log.read_text(errors="replace")
        for secret in secrets:
            check(secret not in text, f"{log.name} holds a key")


def pre_shared_key(lab):
    """Keys in a file, and one in leat.conf itself, a wrong one. The second disk of web is in plain text."""
    lab.disk("one")
    lab.disk("two")
    (lab.folder / "server.psk").write_text(f"leat:{KEY}\n")
    (lab.folder / "psk").write_text(f"leat:{KEY}\n")
    lab.server.start()
    secure = NbdServer(lab.exports, lab.server_log, ["--tls=require", f"--tls-psk={lab.folder / 'server.psk'}"])
    secure.start()
    relay = Relay(lab, secure.port)
    try:
        run = boot(lab, base_config(lab, server="tls_psk_file = psk") + f"""[disk one]
mode = ram
port = {relay.port}
[disk two]
mode = ram
tls = no
[disk wrong]
mode = ram
export = one
port = {secure.port}
tls_psk = leat:{OTHER_KEY}
""" + vm("web", "one, two", "sums") + vm("db", "wrong", "sums"), ["psk"])
        wait_for_sums(lab, run, r"disk 'db/wrong'.*TLS: the server refuses: is the pre-shared key the right one")
    finally:
        relay.end()
        secure.kill()
    check(re.search(r"disk 'web/two'.*ready", lab.leat_log()), "the disk in plain text did not come")
    relay.check_nothing_plain([b"base:allocation", b"/lib/x86_64-linux-gnu/", b"SHA256SUMS"], 50 << 20)
    check_silence(lab, [KEY[:16], OTHER_KEY[:16]])


def certificates(lab):
    """The server wants a certificate too; db trusts somebody else."""
    lab.disk("one")
    tls_files.authority(lab.folder, "ours")
    tls_files.authority(lab.folder, "theirs")
    tls_files.certificate(lab.folder, "server", "ours", "disks.example")
    tls_files.certificate(lab.folder, "client", "ours", "leat.example")
    pki = tls_files.server_folder(lab.folder, "ours", "server")
    secure = NbdServer(lab.exports, lab.server_log, ["--tls=require", f"--tls-certificates={pki}", "--tls-verify-peer"])
    secure.start()
    lab.server.port = secure.port
    try:
        run = boot(lab, base_config(lab) + """[disk one]
mode = ram
tls_ca = ours.pem
tls_cert = client.pem
tls_key = client-key.pem
tls_name = disks.example
[disk other]
export = one
mode = ram
tls_ca = theirs.pem
tls_name = disks.example
""" + vm("web", "one", "sums") + vm("db", "other", "sums"), ["ours.pem", "theirs.pem", "client.pem", "client-key.pem"])
        wait_for_sums(lab, run, r"disk 'db/other'.*TLS: the server's certificate is not to be trusted")
    finally:
        secure.kill()
    check_silence(lab, ["PRIVATE KEY"])


def refused(lab, keys, line, files=(), **options):
    """Leat says that line of db's disk, and asks no server for it."""
    lab.server.start()
    config = base_config(lab, server=keys) + "[disk one]\nmode = ram\n" + vm("db", "one", "sums")
    run = boot(lab, config, files, ["db"], **options)
    line = "disk 'db/one': failed: TLS: " + line
    lab.wait_for(run, {f"the line '{line}'": lambda: line in lab.leat_log()}, 200)
    check_silence(lab, [KEY[:16]])


def no_random_numbers(lab):
    refused(lab, f"tls_psk = leat:{KEY}", "this CPU has no random number generator", cpu="EPYC,+svm,+npt,-rdrand,-rdseed")


def old_clock(lab):
    tls_files.authority(lab.folder, "ours")
    refused(lab, "tls_ca = ours.pem\ntls_name = x", "this machine's clock says 2003-02-01", ["ours.pem"],
            extra=("-rtc", "base=2003-02-01"))


def bad_key_file(lab):
    (lab.folder / "psk").write_text("x" * (256 << 10))
    refused(lab, "tls_psk_file = psk", "its key file psk could not be loaded", ["psk"])


if __name__ == "__main__":
    main(pre_shared_key, certificates, no_random_numbers, old_clock, bad_key_file)
