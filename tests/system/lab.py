# SPDX-License-Identifier: BSD-2-Clause
"""What the system tests share: guest images, an NBD server, a leat.conf, a machine that boots them.

A test is a function that takes a Lab. Everything lies in one folder under the build tree, which is kept for
reading afterwards; disks are sparse copies of the one image that the fixture made.
"""
import argparse
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools"))
sys.dont_write_bytecode = True
import importlib.machinery  # noqa: E402
import importlib.util  # noqa: E402
from ports import free_port  # noqa: E402,F401: for the tests
import leatmachine  # noqa: E402
import leatrun  # noqa: E402

BUILD = Path(os.environ.get("LEAT_BUILD", TOP / "build"))
GUESTS = BUILD / "guests"
QUIET = "console=ttyS0 quiet nokaslr mitigations=off cryptomgr.notests trace_clock=local init_on_alloc=0"
TEST_INIT = "init=/usr/sbin/leat-guest-test"


def load_tool(name):
    loader = importlib.machinery.SourceFileLoader(name, str(TOP / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class Failed(Exception):
    """A test's own verdict, in one line."""


def check(condition, what):
    if not condition:
        raise Failed(what)


def wait_for_server(process, port):
    """Until it takes connections."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            check(process.poll() is None, f"{process.args[0]} did not start; see server.log")
            time.sleep(0.05)
    raise Failed(f"{process.args[0]} does not answer")


class NbdServer:
    """nbdkit serving every file of a folder under its name; killed and started again at will.

    One thread for a connection: with more, nbdkit 1.32 aborts now and then when a client leaves with reads under way, as a
    machine does whose power is cut.
    """

    def __init__(self, folder, log, flags=()):
        self.folder, self.log, self.flags = folder, log, flags
        self.port = free_port()
        self.process = None

    def start(self, rate=None):
        """rate: the most bits a second, all connections together ("40M"), so that a fast host does not read all at once."""
        slow = (["--filter=rate"], [f"rate={rate}"]) if rate else ([], [])
        self.process = subprocess.Popen(
            ["nbdkit", "-f", "-t", "1", "--exit-with-parent", "-i", "127.0.0.1", "-p", str(self.port), *self.flags, *slow[0],
             "file", f"dir={self.folder}", *slow[1]],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        wait_for_server(self.process, self.port)

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


class Lab:
    """machine, cpus: what the test is run for; boot() takes them."""

    def __init__(self, name, machine="bochs", cpus=1):
        self.machine, self.cpus = machine, cpus
        self.folder = BUILD / "system" / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.exports = self.folder / "exports"
        self.exports.mkdir(parents=True)
        self.server_log = open(self.folder / "server.log", "wb")
        self.server = NbdServer(self.exports, self.server_log)
        self.runs = []

    def close(self):
        for run in self.runs:
            run.close()
        self.server.kill()
        self.server_log.close()
        shutil.rmtree(self.exports, ignore_errors=True)
        for image in self.folder.glob("*.img"):
            image.unlink()

    def disk(self, export):
        """A fresh Debian root disk under that export name."""
        path = self.exports / export
        subprocess.run(["cp", "--sparse=always", GUESTS / "root.img", path], check=True)
        return path

    def config(self, text):
        path = self.folder / "leat.conf"
        path.write_text(text)
        return path

    def image(self, config, efi=None, files=None):
        """leat.img with that configuration and the files it names."""
        out = self.folder / "leat.img"
        named = {"vmlinuz": str(GUESTS / "vmlinuz"), "initrd": str(GUESTS / "initrd")}
        load_tool("mkimage").make_image(str(out), str(efi or BUILD / "leat.efi"), str(config), {**named, **(files or {})})
        return out

    def boot(self, image, machine=None, guests=(), logs="logs", **options):
        """machine: another one than the test is run for. logs: where a second one beside the first has its own."""
        machine = machine or self.machine
        options.setdefault("cpus", self.cpus)
        run = leatrun.Run(leatrun.Options(image=str(image), machine=machine, logs=str(self.folder / logs),
                                          guests=tuple(guests), **options))
        run.__enter__()
        self.runs.append(run)
        return run

    def guest_log(self, name):
        path = self.folder / "logs" / f"guest-{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def leat_log(self):
        return (self.folder / "logs" / "leat.log").read_text(errors="replace")

    def wait_for(self, run, conditions, timeout):
        """Moves the machine until each of {name: function() -> bool} has been true; says which was not. The
        time is for a fast machine; a slow one gets more."""
        timeout *= run.machine.patience
        deadline = time.monotonic() + timeout
        waiting = dict(conditions)
        while waiting:
            alive = run.step(0.2)
            waiting = {name: test for name, test in waiting.items() if not test()}
            if not waiting:
                return
            check(alive, f"the machine ended ({run.ended}) before: {', '.join(waiting)}; last line: {run.last_line()}")
            check(time.monotonic() < deadline, f"not within {timeout} s: {', '.join(waiting)}; last line: {run.last_line()}")
            crash = re.search(r"kernel panic: .*", run.text())
            check(not crash, crash and crash[0])


def vm(name, disk, steps, memory="192M", extra="", cpus=1):
    return f"""[vm {name}]
memory = {memory}
cpus = {cpus}
kernel = vmlinuz
initrd = initrd
cmdline = {QUIET} {TEST_INIT} leat.do={steps} {extra}
disks = {disk}
"""


def base_config(lab, console="all", when_idle="power_off", server=""):
    """server: more lines of that section."""
    return f"""[server]
address = 10.0.2.2
port = {lab.server.port}
{server}
[console]
view = {console}
[machine]
when_idle = {when_idle}
"""


def file_of_image(image, path):
    """The bytes of a file inside an ext4 image; None if it is not there. The journal is replayed first."""
    with tempfile.TemporaryDirectory(prefix="leat-ext4-") as folder:
        subprocess.run(["e2fsck", "-fp", str(image)], capture_output=True, check=False)
        out = Path(folder) / "out"
        subprocess.run(["debugfs", "-R", f"dump {path} {out}", str(image)], capture_output=True, check=False)
        return out.read_bytes() if out.exists() and out.stat().st_size else None


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def setting(machine, cpus):
    """The name of a machine with so many CPUs, as tests and their folders carry it."""
    return machine if cpus == 1 else f"{machine}-{cpus}"


def main(*tests):
    """Runs the tests one after the other (or those named as arguments) and exits 0 if none failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--machine", choices=[*leatmachine.MACHINES], default="bochs", help="default bochs")
    parser.add_argument("--cpus", type=int, default=1, metavar="N", help="of the machine (default 1)")
    parser.add_argument("tests", nargs="*", metavar="TEST", help="default: all; " + ", ".join(t.__name__ for t in tests))
    args = parser.parse_args()
    unknown = set(args.tests) - {test.__name__ for test in tests}
    if unknown:
        parser.error(f"no such test: {', '.join(unknown)}")
    failed = 0
    for test in tests:
        if args.tests and test.__name__ not in args.tests:
            continue
        name = f"{test.__name__}.{setting(args.machine, args.cpus)}"
        lab = Lab(name, args.machine, args.cpus)
        start = time.monotonic()
        try:
            test(lab)
            verdict = "ok"
        except (Failed, leatrun.RunError, leatmachine.MachineError, subprocess.CalledProcessError, OSError) as error:
            verdict = f"FAILED: {error}"
            failed += 1
        finally:
            lab.close()
        print(f"{name}: {verdict} ({time.monotonic() - start:.0f} s; logs in {lab.folder})", flush=True)
    sys.exit(1 if failed else 0)
