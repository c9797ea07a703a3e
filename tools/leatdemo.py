#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The demo behind tools/demo: a server and a diskless machine in a network namespace.

usage: leatdemo.py BUILD FOLDER [--check] [what tools/run takes]

leatd on SQLite, nbdkit with Leat's plugin and dnsmasq serve; two machines are known, and may bring their keys; one of them
starts over the network (OVMF's PXE), shows the menu of its two disks, and takes the first after ten seconds.
"""
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOOLS))
import leatnet  # noqa: E402

UUIDS = ["4c4c4544-0000-2010-8020-80c04f202001", "4c4c4544-0000-2010-8020-80c04f202002"]
CMDLINE = "console=ttyS0 quiet nokaslr mitigations=off cryptomgr.notests trace_clock=local init_on_alloc=0"
ADMIN, CLIENTS, BLOCKS, BOOT = 9470, 9471, 10809, 9472


class DemoError(Exception):
    pass


class Server:
    """All of it, in one folder, which is made anew."""

    def __init__(self, build, folder):
        self.build, self.folder, self.started = build, folder, []
        shutil.rmtree(folder / "server", ignore_errors=True)
        self.state, self.boot = folder / "server" / "state", folder / "server" / "boot"
        self.boot.mkdir(parents=True)
        self.config = folder / "server" / "leatd.conf"
        self.config.write_text(
            f"[state]\nfolder = {self.state}\n[admin]\nlisten = 127.0.0.1:{ADMIN}\n[client]\nlisten = {leatnet.HOST}:{CLIENTS}\n"
            f"[boot]\nlisten = {leatnet.HOST}:{BOOT}\nfolder = {self.boot}\n[export]\nservers = {leatnet.HOST}:{BLOCKS}\n")

    def start(self, name, *command, port=None):
        """A program of the server; port: (host, number) that it must answer at."""
        log = self.folder / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        with open(log, "wb") as file:
            process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        self.started.append(process)
        end = time.monotonic() + 60
        while port:
            if process.poll() is not None or time.monotonic() > end:
                raise DemoError(f"{name} does not serve; see {log}")
            try:
                socket.create_connection(port, 1).close()
                return
            except OSError:
                time.sleep(0.05)

    def leatctl(self, *words, text=None):
        print("  leatctl " + " ".join(map(str, words)), file=sys.stderr, flush=True)
        environment = {**os.environ, "XDG_CONFIG_HOME": str(self.folder / "server"), "LEAT_SERVER": f"http://127.0.0.1:{ADMIN}"}
        done = subprocess.run([TOOLS / "leatctl", *map(str, words)], input=text, capture_output=True, text=True, env=environment,
                              check=False)
        if done.returncode:
            raise DemoError(f"leatctl {words[0]}: {done.stderr.strip()}")

    def begin(self):
        leatd, password = self.build / "tools/leatd/leatd", secrets.token_urlsafe(12)
        subprocess.run([leatd, "--config", self.config, "add-admin", "demo"], input=password + "\n", text=True, check=True)
        self.start("leatd", leatd, "--config", self.config, port=("127.0.0.1", ADMIN))
        self.start("nbdkit", "nbdkit", "-f", "--exit-with-parent", "-i", leatnet.HOST, "-p", BLOCKS, "--tls=require",
                   f"--tls-psk={self.state / 'nbd.psk'}", self.build / "nbdkit-leat-plugin.so",
                   f"socket={self.state / 'control.sock'}", port=(leatnet.HOST, BLOCKS))
        self.leatctl("login", "demo", text=password + "\n")
        self.know()
        self.leatctl("netboot", self.boot, "--address", leatnet.HOST, "--interface", leatnet.BRIDGE,
                     "--efi", self.build / "leat.efi", "--range", "10.77.0.100,10.77.0.199")
        self.start("dnsmasq", "/usr/sbin/dnsmasq", "--no-daemon", "--user=root",
                   f"--conf-file={self.boot.parent / 'dnsmasq.conf'}", f"--dhcp-leasefile={self.folder / 'server' / 'leases'}")

    def know(self):
        """What an administrator does once: an image, disks, a room with two machines."""
        self.leatctl("image", "import", "debian", self.folder / "exports" / "web", "--kernel", self.folder / "vmlinuz",
                     "--initrd", self.folder / "initrd", "--cmdline", CMDLINE, "--publish")
        self.leatctl("group", "add", "room")
        for place, (disk, mode, label) in enumerate((("debian", "server", "Debian, changes kept on the server"),
                                                     ("guest", "ram", "Debian, changes forgotten"))):
            self.leatctl("disk", "add", disk, "--image", "debian", "--mode", mode)
            self.leatctl("assign", "add", disk, "--group", "room", "--label", label, "--place", place, "--memory", 256)
        for number, uuid in enumerate(UUIDS):
            self.leatctl("client", "add", f"room-{number + 1}", uuid, "--group", "room", "--enrol")

    def end(self):
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def machine(build, folder, is_check, more):
    """tools/run with a machine that has no disk: a card that OVMF starts from, and one that Leat has a driver for."""
    arguments = []
    for name, device, mac in (("demo0", "virtio-net-pci", leatnet.MAC), ("demo1", "e1000", leatnet.MAC[:-2] + "57")):
        why = leatnet.tap(name)
        if why:
            raise DemoError(why)
        arguments += leatnet.nic(name, device, mac, ",romfile=")
    expect = ["--timeout", "1500", "--expect", "Debian, changes forgotten", "--expect", "web login:"] if is_check else []
    extra = [f"--extra={word}" for word in [*arguments, "-device", "virtio-rng-pci"]]
    return subprocess.run([TOOLS / "run", "--netboot", "--machine", "qemu", "--uuid", UUIDS[0],
                           "--logs", folder / "logs" / "machine", *extra, *expect, *more], check=False).returncode


def main():
    build, folder, *more = sys.argv[1:]
    is_check = "--check" in more
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    why = leatnet.enter()
    if why:
        print(f"demo: {why}; run it as root", file=sys.stderr)
        return 1
    server = Server(Path(build), Path(folder))
    try:
        print("demo: starting the server", file=sys.stderr, flush=True)
        server.begin()
        print("demo: a machine without a disk starts over the network (Ctrl-] then l: Leat's prompt, 1: the guest)",
              file=sys.stderr, flush=True)
        return machine(Path(build), Path(folder), is_check, [word for word in more if word != "--check"])
    except (DemoError, OSError, subprocess.CalledProcessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        server.end()


if __name__ == "__main__":
    sys.exit(main())
