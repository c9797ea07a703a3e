#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The package in a Debian that has nothing else: apt brings what it depends on; leatd and nbdkit run as their units say, by
the user that the package has made; a client gets its disk; and a removal leaves what was written. Needs root."""
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import types
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "server")]

from package import PackageCase  # noqa: E402
from server import PASSWORD, Client, free_port  # noqa: E402

UUID = "4c4c4544-0000-2010-8020-80c04f202020"


class Install(PackageCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = cls.folder / "root"
        # apt in the new root has the network's names from the host for so long.
        install = f'cp {cls.deb} "$1/leat.deb" && chroot "$1" apt-get -qq install -y --no-install-recommends /leat.deb'
        run = subprocess.run(["mmdebstrap", "--variant=minbase", f"--customize-hook={install}", "bookworm", cls.root],
                             capture_output=True, text=True, timeout=600)
        if run.returncode:
            raise RuntimeError(run.stderr[-3000:])

    def inside(self, *words, user=None, **more):
        as_user = [f"--userspec={user}:{user}"] if user else []
        return subprocess.run(["chroot", *as_user, self.root, *words], capture_output=True, text=True, timeout=120,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **more.pop("environment", {})},
                              check=more.pop("check", True), **more)

    def begin(self, *words):
        """A program that runs until the test is over, as the unit's user."""
        with open(self.folder / "log", "a") as log:
            process = subprocess.Popen(["chroot", "--userspec=leat:leat", self.root, *words], stdin=subprocess.DEVNULL,
                                       stderr=log)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.terminate)
        return process

    def unit(self, name):
        """The words of the unit's ExecStart."""
        text = (self.root / "lib/systemd/system" / name).read_text().replace("\\\n", " ")
        return [w for w in re.search(r"^ExecStart=(.*)$", text, re.M)[1].split() if not w.startswith("$")]

    def wait_for(self, what, last=60):
        """Until the function answers with something true, or does not fail any more."""
        deadline = time.monotonic() + last
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if what():
                    return
            time.sleep(0.1)
        self.fail((self.folder / "log").read_text())

    def leatctl(self, *words, **more):
        return self.inside("leatctl", *words, environment={"LEAT_SERVER": f"http://127.0.0.1:{self.admin_port}"}, **more).stdout

    def serve(self):
        self.admin_port, self.client_port, self.nbd_port = free_port(), free_port(), free_port()
        config = self.root / "etc/leat/leatd.conf"
        config.write_text(f"[admin]\nlisten = 127.0.0.1:{self.admin_port}\n[client]\nlisten = 127.0.0.1:{self.client_port}\n"
                          f"[export]\nservers = 127.0.0.1:{self.nbd_port}\n")
        self.inside("leatd", "add-admin", "anna", user="leat", input=PASSWORD + "\n")
        self.begin(*self.unit("leatd.service"))
        self.wait_for(lambda: socket.create_connection(("127.0.0.1", self.admin_port), 5).close() is None)
        self.leatctl("login", "anna", input=PASSWORD + "\n")

    def test_all(self):
        state = self.root / "var/lib/leat"
        owner = self.inside("stat", "-c", "%U:%G %a", "/var/lib/leat").stdout
        self.assertEqual("leat:leat 750\n", owner)
        for unit in ("leatd", "leat-nbdkit"):
            self.assertTrue((self.root / f"etc/systemd/system/multi-user.target.wants/{unit}.service").is_symlink())
        self.serve()
        (self.root / "image").write_bytes(b"a disk's first bytes".ljust(1 << 20, b"\0"))
        self.leatctl("image", "import", "debian", "/image", "--publish")
        self.leatctl("disk", "add", "debian", "--image", "debian", "--mode", "server")
        key = self.leatctl("client", "add", "lab-01", UUID).strip().rpartition(":")[2]
        self.leatctl("assign", "add", "debian", "--client", "lab-01")
        # nbdkit reads the keys when it starts.
        words = self.unit("leat-nbdkit.service")
        self.wait_for(lambda: UUID in (state / "nbd.psk").read_text())
        self.begin(words[0], "-i", "127.0.0.1", "-p", str(self.nbd_port), *words[1:])
        status, answer = Client(types.SimpleNamespace(client_port=self.client_port), UUID, key).hello()
        self.assertEqual(200, status, answer)
        keys = self.folder / "psk"
        keys.write_text(f"{UUID}:{key}\n")
        uri = f"nbds://{UUID}@127.0.0.1:{self.nbd_port}/{answer['disks'][0]['export']}?tls-psk-file={keys}"
        copy = ["nbdcopy", uri, str(self.folder / "copy")]
        self.wait_for(lambda: not subprocess.run(copy, capture_output=True).returncode)
        self.assertEqual(b"a disk's first bytes", (self.folder / "copy").read_bytes()[:20], (self.folder / "log").read_text())
        self.doCleanups()
        for action in ("--remove", "--purge"):
            self.inside("dpkg", action, "leat")
            self.assertTrue((state / "leat.db").exists())
            self.assertEqual(1, len(list((state / "differences").iterdir())))
            self.assertFalse((self.root / "usr/sbin/leatd").exists())
            self.assertEqual(action == "--remove", (self.root / "etc/leat/leatd.conf").exists())
        # It comes back, and finds all of it.
        self.inside("dpkg", "--install", "/leat.deb")
        self.serve()
        self.assertIn("lab-01", self.leatctl("client", "list"))


if __name__ == "__main__":
    if os.geteuid():
        sys.exit("test_install.py: needs root, for a root folder of its own")
    unittest.main(verbosity=2)
