#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What stands in the package: all of it is there, belongs to root, and runs from where it was put."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

from package import TOP, PackageCase  # noqa: E402
from ports import free_port  # noqa: E402

NEEDED = """
    etc/leat/leatd.conf etc/default/leat-nbdkit lib/systemd/system/leatd.service lib/systemd/system/leat-nbdkit.service
    usr/sbin/leatd usr/bin/leatctl usr/bin/leat-difference usr/bin/leat-nbd usr/share/leat/leatctl usr/share/leat/leatapi.py
    usr/share/leat/leat.efi usr/share/leat/mkverity usr/lib/x86_64-linux-gnu/nbdkit/plugins/nbdkit-leat-plugin.so
    usr/lib/sysusers.d/leat.conf usr/lib/tmpfiles.d/leat.conf
    usr/share/man/man8/leatd.8.gz usr/share/man/man5/leatd.conf.5.gz usr/share/man/man1/leatctl.1.gz
    usr/share/man/man1/leat-difference.1.gz usr/share/man/man1/leat-nbd.1.gz usr/share/man/man1/nbdkit-leat-plugin.1.gz
    usr/share/bash-completion/completions/leatctl usr/share/zsh/vendor-completions/_leatctl
    usr/share/doc/leat/copyright usr/share/doc/leat/changelog.gz usr/share/doc/leat/server.md usr/share/doc/leat/licences/lwip
""".split()


class Package(PackageCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = cls.folder / "root"
        subprocess.run(["dpkg-deb", "-x", cls.deb, cls.root], check=True)

    def field(self, name):
        return subprocess.run(["dpkg-deb", "-f", self.deb, name], check=True, capture_output=True, text=True).stdout.strip()

    def test_what_is_in_it(self):
        lines = subprocess.run(["dpkg-deb", "-c", self.deb], check=True, capture_output=True, text=True).stdout.splitlines()
        names = {line.split()[5][2:]: line for line in lines}
        self.assertEqual([], [name for name in NEEDED if name not in names])
        for name, line in names.items():
            self.assertIn(" root/root ", line)
            if not line.startswith("l"):
                self.assertNotRegex(line[:10], "^.{8}w|^.{5}w|s", name)
        self.assertEqual([], [n for n in names if n.endswith((".pyc", "leatrun.py")) or "fuzz" in n or "checked" in n])

    def test_what_it_needs(self):
        needs = re.findall(r"[^ ,]+(?= \(|,|$)", self.field("Depends"))
        for name in ("nbdkit", "qemu-utils", "python3", "systemd", "libmicrohttpd12", "libgnutls30", "libpq5", "libsqlite3-0",
                     "libnbd0", "libcjson1", "libargon2-1"):
            self.assertIn(name, needs)
        with tempfile.TemporaryDirectory() as control:
            subprocess.run(["dpkg-deb", "-e", self.deb, control], check=True)
            self.assertEqual("/etc/leat/leatd.conf\n/etc/default/leat-nbdkit\n", (Path(control) / "conffiles").read_text())
            for script in ("postinst", "prerm", "postrm"):
                subprocess.run(["sh", "-n", Path(control) / script], check=True)
                self.assertNotIn("/var/lib/leat ", (Path(control) / script).read_text().replace("/var/lib/leat stays", ""))

    def test_nothing_of_the_tree(self):
        """No program looks for its parts where it was built."""
        for name in ("usr/sbin/leatd", "usr/bin/leat-nbd", "usr/bin/leat-difference",
                     "usr/lib/x86_64-linux-gnu/nbdkit/plugins/nbdkit-leat-plugin.so"):
            said = subprocess.run(["readelf", "-dW", self.root / name], check=True, capture_output=True, text=True).stdout
            self.assertNotRegex(said, "RPATH|RUNPATH", name)
            self.assertIn("BIND_NOW", said)
            self.assertNotIn(str(TOP).encode(), (self.root / name).read_bytes(), name)

    def test_units(self):
        """The programs of the units are the package's or nbdkit's, and the nbdkit unit's paths are leatd's own."""
        leatd = (self.root / "lib/systemd/system/leatd.service").read_text()
        self.assertTrue((self.root / re.search(r"ExecStart=/(\S+)", leatd)[1]).exists())
        nbdkit = (self.root / "lib/systemd/system/leat-nbdkit.service").read_text()
        for name in ("nbd.psk", "control.sock"):
            self.assertIn(f"/var/lib/leat/{name}", nbdkit)
        for line in ("User=leat", "Group=leat", "ProtectSystem=strict"):
            self.assertIn(line, leatd)
            self.assertIn(line, nbdkit)

    def test_configuration(self):
        """Without what stands behind semicolons leatd does the same: each of those lines is a default or an example."""
        text = (self.root / "etc/leat/leatd.conf").read_text()
        pages = (TOP / "docs" / "server.md").read_text()
        for key, value in re.findall(r"^;(\w+) = (.*)$", text, re.M):
            line, = [row for row in pages.split("\n") if row.startswith("|") and f"`{key}`" in row and row.count("|") == 5
                     and (value in row or "none" in row)][:1] or [None]
            self.assertIsNotNone(line, f"{key} = {value}")

    def test_runs(self):
        """leatd and leatctl as they were packed: an administrator, an image, a client."""
        state, config = self.folder / "state", self.folder / "leatd.conf"
        port, listening = free_port(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notice = self.folder / "notify"
        listening.bind(str(notice))
        listening.settimeout(60)
        text = (self.root / "etc/leat/leatd.conf").read_text()
        for old, new in ((";folder = /var/lib/leat", f"folder = {state}"),
                         (";listen = 127.0.0.1:9470", f"listen = 127.0.0.1:{port}"),
                         (";listen = 0.0.0.0:9471", f"listen = 127.0.0.1:{free_port()}")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        config.write_text(text)
        words = [self.root / "usr/sbin/leatd", "--config", config]
        subprocess.run([*words, "add-admin", "anna"], input="a long enough password\n", text=True, check=True, timeout=60)
        environment = {**os.environ, "LEAT_SERVER": f"http://127.0.0.1:{port}", "XDG_CONFIG_HOME": str(self.folder)}

        def leatctl(*words, **more):
            return subprocess.run([self.root / "usr/bin/leatctl", *words, "--json"], check=True, capture_output=True,
                                  text=True, timeout=60, env=environment, **more).stdout
        with subprocess.Popen(words, env={**os.environ, "NOTIFY_SOCKET": str(notice)}, stderr=subprocess.DEVNULL) as leatd:
            try:
                self.assertEqual(b"READY=1", listening.recv(100))  # and it serves from then on
                leatctl("login", "anna", input="a long enough password\n")
                image = self.folder / "image"
                image.write_bytes(b"x" * 8192)
                self.assertEqual("published", json.loads(leatctl("image", "import", "debian", image, "--publish"))["state"])
                leatctl("client", "add", "lab-01", "4c4c4544-0000-2010-8020-80c04f202020")
                self.assertEqual(1, json.loads(leatctl("status"))["counts"]["clients"])
            finally:
                leatd.terminate()
                began = time.monotonic()
                self.assertEqual(0, leatd.wait(60))
                self.assertLess(time.monotonic() - began, 60)
        listening.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
