# SPDX-License-Identifier: BSD-2-Clause
"""A Debian 12 in QEMU (TCG), on which an administrator installs the package: its disk is made once and kept under LEAT_CACHE
(~/.cache/leat); what is written to it goes away with the machine. Of the machine the host reaches the ports that it is asked
for, and the machine reaches the host as 10.0.2.2 (host.test)."""
import base64
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from ports import free_port  # noqa: E402

AGENT = 7777
WITH_US = ["setpriv", "--pdeathsig", "KILL"]  # what is started ends with the test, however that ends
BOUND = 300  # seconds, for anything, on a slow host
# What the package only recommends, and what runs beside it: dnsmasq and PostgreSQL as services.
RECOMMENDED = "dnsmasq, postgresql, mtools, gdisk, e2fsprogs, fdisk, ca-certificates"


def disk(depends):
    """The folder with the disk of a Debian that has these packages. Made by the first test that asks."""
    cache = Path(os.environ.get("LEAT_CACHE", Path.home() / ".cache/leat")) / "server"
    cache.mkdir(parents=True, exist_ok=True)
    depends = f"{depends}, {RECOMMENDED}"
    made_of = b"".join((HERE / name).read_bytes() for name in ("make-server-disk", "agent", "agent.service"))
    folder = cache / hashlib.sha256(made_of + depends.encode()).hexdigest()[:16]
    with open(cache / ".building", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "disk.img").exists():
            for old in cache.glob("*/"):  # another package's
                shutil.rmtree(old)
            subprocess.run([HERE / "make-server-disk", folder, depends], check=True, capture_output=True, timeout=900)
    return folder


class Failed(Exception):
    """What was done in the machine went wrong."""


class Machine:
    """It starts; wait_started() is for who wants it. folder: for its serial line's log. ports: those of the machine that the
    host wants to reach; self.ports has where."""

    def __init__(self, files, folder, ports):
        self.ports = {port: free_port() for port in (AGENT, *ports)}
        self.log = folder / "serial.log"
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{ours}-:{port}" for port, ours in self.ports.items())
        self.process = subprocess.Popen(
            [*WITH_US, "qemu-system-x86_64", "-nodefaults", "-accel", "tcg,thread=multi", "-machine", "q35", "-cpu",
             "max,la57=off", "-smp", "2", "-m", "1024", "-no-reboot", "-display", "none", "-serial", f"file:{self.log}",
             "-nic", f"user,model=virtio-net-pci{forwards}", "-device", "virtio-rng-pci",
             "-drive", f"if=virtio,format=raw,snapshot=on,file={files / 'disk.img'}", "-kernel", files / "vmlinuz",
             "-initrd", files / "initrd", "-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet mitigations=off"],
            stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(folder)})

    def wait_started(self):
        self.wait_for(lambda: self.ask({"words": ["true"]}), BOUND, "the machine starts")

    def close(self):
        self.process.kill()
        self.process.wait()

    def ask(self, what):
        with socket.create_connection(("127.0.0.1", self.ports[AGENT]), BOUND) as connection:
            connection.settimeout(BOUND)
            connection.sendall(json.dumps(what).encode() + b"\n")
            line = connection.makefile("rb").readline()
        if not line:
            raise ConnectionError("the machine's agent does not answer")
        return json.loads(line)

    def try_(self, *words, **more):
        """{"status", "out", "err"} of a command that root gives; more: input, environment."""
        return self.ask({"words": [*map(str, words)], **more})

    def run(self, *words, **more):
        """What it prints; Failed if it fails."""
        done = self.try_(*words, **more)
        if done["status"]:
            raise Failed(f"{' '.join(map(str, words))}: {done['status']}: {done['out'][-3000:]}{done['err'][-3000:]}")
        return done["out"]

    def put(self, path, data):
        """A file of the machine, mode 0644."""
        data = data.encode() if isinstance(data, str) else data
        answer = self.ask({"put": str(path), "data": base64.b64encode(data).decode()})
        if answer["status"]:
            raise Failed(f"{path}: {answer['err']}")

    def wait_for(self, what, last=BOUND, why=""):
        """Until the function answers with something true, which is returned."""
        deadline = time.monotonic() + last
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"QEMU has ended with {self.process.returncode}; see {self.log}")
            with contextlib.suppress(OSError, Failed):
                found = what()
                if found:
                    return found
            time.sleep(0.2)
        raise RuntimeError(f"{why or what}: not within {last} s; see {self.log}")
