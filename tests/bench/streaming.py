# SPDX-License-Identifier: BSD-2-Clause
"""What the streaming benches share: an NBD server with an image, a made-up link, leat-nbd or QEMU behind it.

The image is nbdkit's pattern (each 8 bytes are their own offset), which has no holes and needs no disk. Everything talks
over Unix sockets in a folder that goes away.
"""
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

import setting

BUILD = setting.BUILD
TRACES = [setting.TOP / f"tests/bench/replay/debian12-{name}.trace" for name in "ab"]
IMAGE_BYTES = 1 << 30
ROUNDS = int(os.environ.get("LEAT_BENCH_ROUNDS", "5"))


def build():
    """The programs, in LEAT_BUILD or build/; leat.efi is not needed."""
    if not (BUILD / "build.ninja").exists():
        setting.run("cmake", "-S", setting.TOP, "-B", BUILD, "-G", "Ninja")
    setting.run("ninja", "-C", BUILD, "leat-nbd", "leat-relay", "leat-replay", "leat-bulk",
                "leat-storm", "leatd", "nbdkit-leat-plugin")


class Place:
    """A folder, and the processes that were started for it, in the order in which they must end."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="leat-bench-")
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def spawn(self, *command, listens=None):
        """Starts a program, and waits until its socket answers."""
        if listens and os.path.exists(self.path(listens)):
            os.unlink(self.path(listens))  # of one that was killed
        log = open(self.path(f"log{len(self.processes)}"), "w+", encoding="utf-8")
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process.log = log
        self.processes.append(process)
        end = time.monotonic() + 30
        while listens and not can_connect(self.path(listens)):
            if process.poll() is not None or time.monotonic() > end:
                raise setting.BenchError(f"{command[0]} does not serve: {said(process)[-200:]}")
            time.sleep(0.01)
        return process

    def end(self, *which):
        """Ends these processes, or all, the last one first."""
        for process in reversed(which or self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
            if not which:
                process.log.close()
        self.processes = [p for p in self.processes if p.poll() is None]

    def server(self):
        return self.spawn("nbdkit", "-f", "-r", "-U", self.path("server"), "pattern", IMAGE_BYTES, listens="server")

    def relay(self, link):
        """link: (round trip in ms, Mbit/s or None)"""
        rate = ["--rate", link[1]] if link[1] else []
        process = self.spawn(BUILD / "tests/leat-relay", "--rtt", link[0], *rate, f"unix:{self.path('relay')}",
                             f"unix:{self.path('server')}")
        while not os.path.exists(self.path("relay")) and process.poll() is None:  # a connection would be counted
            time.sleep(0.01)
        return process

    def qemu(self, upstream="relay"):
        """QEMU's own NBD driver over the relay or at the server, served again."""
        return self.spawn("qemu-nbd", "-r", "-t", "-e", "16", "-k", self.path("disk"), "-f", "raw",
                          f"nbd+unix:///?socket={self.path(upstream)}", listens="disk")

    def leat(self, *options, upstream="relay"):
        return self.spawn(BUILD / "vdisk/leat-nbd", "--read-only", "--socket", self.path("disk"), *options,
                          f"unix:{self.path(upstream)}", "", listens="disk")

    def replay(self, trace, think, name="disk"):
        """Starts the replay of a trace."""
        return subprocess.Popen([BUILD / "tests/leat-replay", "--pattern", "--think", str(think), trace,
                                 f"nbd+unix:///?socket={self.path(name)}"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)


def can_connect(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


def said(process):
    process.log.flush()
    with open(process.log.name, encoding="utf-8", errors="replace") as log:
        return log.read()


def last_json(process):
    """Of what an ended process has said."""
    return json.loads([line for line in said(process).splitlines() if line.startswith("{")][-1])


def result(replay, seconds=300):
    out, err = replay.communicate(timeout=seconds)
    if replay.returncode:
        raise setting.BenchError(f"leat-replay: {err.strip()}")
    return json.loads(out)


def distinct_bytes(trace):
    """Of the 4 KiB blocks that a trace touches."""
    blocks = set()
    for line in trace.read_text().splitlines():
        if not line.startswith("#"):
            offset, count = map(int, line.split()[:2])
            blocks.update(range(offset // 8, (offset + count - 1) // 8 + 1))
    return len(blocks) * 4096
