# SPDX-License-Identifier: BSD-2-Clause
"""Many machines that boot at the same moment from one image, over loopback: hello, profile and a recorded boot's blocks, by
leatd and nbdkit with Leat's plugin; the same reads by nbdkit's plugin for files, qemu-nbd and tgt's iSCSI. In turns."""
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import setting
import streaming
from exports import cpu_seconds, private_kib
from figures import Figure

sys.path.insert(0, str(setting.TOP / "tests/server"))
import profiles  # noqa: E402
import server as leatd  # noqa: E402

COUNTS = [int(n) for n in os.environ.get("LEAT_STORM", "1,16,64,256").split(",")]
TRACE = streaming.TRACES[0]
IMAGE_BYTES = 1 << 30
THREADS = os.environ.get("LEAT_STORM_THREADS", "4")  # of nbdkit with the plugin, for a connection; the unit's
KEYS = ("open_median_s", "done_median_s", "done_last_s", "server_cpu_s", "idle_kib")
REPEATS = 5  # storms of one machine in a round, so that a few milliseconds of it can be told from the host's noise
PAUSE = 0.5  # seconds after a storm: its servers' closing of connections is no part of the next one
SPARE = 64  # machines more than the largest storm has: small ones are not always the same
# Who serves, with TLS or without: each is compared with the best of the others of its kind.
PLAIN = {"leat": "Leat, disk without TLS", "file": "nbdkit file", "qemu": "qemu-nbd", "tgt": "tgt, iSCSI"}
SECURE = {"leat_tls": "Leat", "file_tls": "nbdkit file, TLS", "qemu_tls": "qemu-nbd, TLS"}


class Ways:
    """All servers, running; each as (processes, words of leat-storm)."""

    def __init__(self, place):
        self.place, self.tgtd, self.first = place, None, 0
        with open(place.path("image.raw"), "wb") as image:
            for _ in range(IMAGE_BYTES >> 20):
                image.write(os.urandom(1 << 20))
        leatd.LEATD = streaming.BUILD / "tools/leatd/leatd"  # without sanitizers
        self.ports = {name: leatd.free_port() for name in (*PLAIN, *SECURE)}
        self.server = leatd.Server(export=f"127.0.0.1:{self.ports['leat_tls']}")
        try:
            self.make_clients()
            self.make_profile()
            self.start()
        except BaseException:
            self.close()
            raise

    def make_clients(self):
        """One line a client in a file that all TLS servers take."""
        os.link(self.place.path("image.raw"), self.server.folder / "images/storm.raw")
        self.server.api("POST", "images", {"name": "storm"})
        self.server.api("POST", "images/storm/versions", {"source": "storm.raw", "state": "published"})
        self.server.api("POST", "disks", {"name": "storm", "image": "storm", "mode": "ram"})
        self.server.api("POST", "groups", {"name": "room"})
        self.server.api("POST", "assignments", {"group": "room", "disk": "storm"})
        os.mkdir(self.place.path("psk"))
        with open(self.place.path("psk/keys.psk"), "w", encoding="ascii") as keys:
            for i in range(max(COUNTS) + SPARE):
                self.client = self.server.client(i + 1, group="room")
                keys.write(f"{self.client.uuid}:{self.client.key}\n")

    def make_profile(self):
        """A machine has booted before, and sent up what it needed; the next hello is told of it."""
        blocks, runs = {}, []
        for line in Path(TRACE).read_text(encoding="ascii").splitlines():
            if not line.startswith("#"):
                offset, sectors = map(int, line.split()[:2])
                blocks.update({block: None for block in range(offset // 8, (offset + sectors + 7) // 8)})
        for block in blocks:  # in the order of first need
            if runs and block == sum(runs[-1][:2]):
                runs[-1] = (runs[-1][0], runs[-1][1] + 1, 0)
            else:
                runs.append((block, 1, 0))
        self.client.hello()
        data = profiles.encode(IMAGE_BYTES, runs)
        status, answer = self.client.request("PUT", "profile/storm", token=self.client.session, data=data)
        if status != 200:
            raise setting.BenchError(f"leatd does not take the boot profile: {answer}")
        time.sleep(2.1)  # PROFILE_SETTLE of tools/leatd/profile.h
        self.client.hello()
        self.client.bye()

    def nbdkit(self, name, *arguments):
        port = self.ports[name]
        words = ["--tls=require", f"--tls-psk={self.place.path('psk/keys.psk')}"] if name.endswith("_tls") else []
        process = self.place.spawn("nbdkit", "-f", "-i", "127.0.0.1", "-p", port, *words, *arguments)
        leatd.wait_for_port(port, process)
        return process

    def qemu(self, name):
        port, words = self.ports[name], []
        if name.endswith("_tls"):
            words = ["--object", f"tls-creds-psk,id=tls,endpoint=server,dir={self.place.path('psk')}", "--tls-creds", "tls"]
        process = self.place.spawn("qemu-nbd", "-r", "-t", "-e", "0", "-f", "raw", "-b", "127.0.0.1", "-p", port, *words,
                                   self.place.path("image.raw"))
        leatd.wait_for_port(port, process)
        return process

    def tgt(self):
        port, control = self.ports["tgt"], str(self.ports["tgt"])
        process = self.tgtd = self.place.spawn("tgtd", "-f", "-C", control, "--iscsi", f"portal=127.0.0.1:{port}")
        leatd.wait_for_port(port, process)
        admin = ["tgtadm", "-C", control, "--lld", "iscsi", "--op"]
        setting.run(*admin, "new", "--mode", "target", "--tid", "1", "-T", "iqn.2026-11.org.leat:disk")
        setting.run(*admin, "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", self.place.path("image.raw"))
        setting.run(*admin, "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
        return process

    def start(self):
        plugin = [streaming.BUILD / "nbdkit-leat-plugin.so", f"socket={self.server.folder}/control.sock", "-t", THREADS]
        image, keys, port = self.place.path("image.raw"), self.place.path("psk/keys.psk"), self.ports
        by_leatd = ["--leatd", f"127.0.0.1:{self.server.client_port}", "--keys", keys]
        control = self.server.process
        self.all = {
            "leat": ([self.nbdkit("leat", *plugin), control], [*by_leatd, "--nbd", f"127.0.0.1:{port['leat']}"]),
            "leat_tls": ([self.nbdkit("leat_tls", *plugin), control], by_leatd),
            "file": ([self.nbdkit("file", "-r", "file", image)], ["--nbd", f"127.0.0.1:{port['file']}"]),
            "file_tls": ([self.nbdkit("file_tls", "-r", "file", image)],
                         ["--nbd", f"127.0.0.1:{port['file_tls']}", "--keys", keys]),
            "qemu": ([self.qemu("qemu")], ["--nbd", f"127.0.0.1:{port['qemu']}"]),
            "qemu_tls": ([self.qemu("qemu_tls")], ["--nbd", f"127.0.0.1:{port['qemu_tls']}", "--keys", keys]),
            "tgt": ([self.tgt()], ["--iscsi", f"iscsi://127.0.0.1:{port['tgt']}/iqn.2026-11.org.leat:disk/1"]),
        }

    def next(self, count):
        """The first of the machines of the next storm."""
        first = self.first
        self.first = (first + count) % (SPARE + 1)
        return first

    def close(self):
        if self.tgtd:
            self.tgtd.kill()  # it does not heed SIGTERM while it has a target
            self.tgtd.wait()
        self.place.end()
        self.server.close()


def storm(ways, who, count):
    """One storm: the generator's own figures, with the servers' CPU seconds, and KiB for each client afterwards."""
    processes, words = ways.all[who]
    cpu, memory = sum(map(cpu_seconds, processes)), sum(map(private_kib, processes))
    with subprocess.Popen([streaming.BUILD / "tests/leat-storm", "--clients", str(count), "--first", str(ways.next(count)),
                           "--trace", TRACE, *words],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        line = run.stdout.readline()
        if not line:
            raise setting.BenchError(f"{who}, {count} clients: {run.stderr.read().strip()}")
        found = json.loads(line)
        found["server_cpu_s"] = sum(map(cpu_seconds, processes)) - cpu
        time.sleep(0.5)  # whatever is freed by then is not an idle client's
        found["idle_kib"] = (sum(map(private_kib, processes)) - memory) / count
        run.stdin.close()
        run.wait(120)
    time.sleep(PAUSE)
    return found


def rows_of(found, count):
    middle = {who: {key: statistics.median(r[key] for r in runs) for key in KEYS}
              for (who, n), runs in found.items() if n == count}
    figures = []
    for kind in (SECURE, PLAIN):
        ours, *others = kind
        for who, name in kind.items():
            what, m = f"{count} clients, {name}", middle[who]
            raw = {key: [r[key] for r in found[who, count]] for key in m}
            figures.append(Figure(f"open_{who}_{count}", f"{what}: half have their export open", m["open_median_s"] * 1000, "ms"))
            figures.append(Figure(f"half_{who}_{count}", f"{what}: half have their boot set", m["done_median_s"], "s"))
            figures.append(Figure(f"last_{who}_{count}", f"{what}: the last one has its boot set", m["done_last_s"], "s",
                                  raw=raw["done_last_s"]))
            figures.append(Figure(f"cpu_{who}_{count}", f"{what}: servers' CPU for each", m["server_cpu_s"] / count * 1000, "ms"))
            figures.append(Figure(f"idle_{who}_{count}", f"{what}: servers' memory for each, idle", m["idle_kib"], "KiB",
                                  aim=1024 if who == ours and count > 1 else None, raw=raw["idle_kib"]))
        best = min(middle[who]["done_last_s"] for who in others)
        figures.append(Figure(f"ratio_{ours}_{count}", f"{count} clients, {kind[ours]} against the best other",
                              middle[ours]["done_last_s"] / best, "", aim=1.0))
    return figures


def turns(names):
    """(who, for how many machines), all in each turn, in another order each time: what a storm finds is what the one before it,
    of fewer machines or by another server, has left in the host's caches and free memory."""
    names, chance = list(names), random.Random(1)
    for _ in range(streaming.ROUNDS):
        for count in COUNTS:
            for _ in range(REPEATS if count == 1 else 1):
                chance.shuffle(names)
                yield from ((who, count) for who in names)


def measure(_with_profile):
    found = {}
    with streaming.Place() as place:
        ways = Ways(place)
        try:
            for who, count in turns(ways.all):
                found.setdefault((who, count), []).append(storm(ways, who, count))
        finally:
            ways.close()
    figures = [figure for count in COUNTS for figure in rows_of(found, count)]
    return figures, {"commit": setting.commit(), "rounds": streaming.ROUNDS, "trace": TRACE.name,
                     "bytes of a boot set": found["leat", COUNTS[0]][0]["bytes"]}
