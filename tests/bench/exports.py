# SPDX-License-Identifier: BSD-2-Clause
"""nbdkit with Leat's plugin against nbdkit's own plugin file, on one raw image in the page cache, in turns:
nbdcopy to nowhere, and fio's 4 KiB reads, 32 at a time; and the memory that clients take who are on and idle."""
import json
import os
import re
import statistics
import sys
import time

import setting
import streaming
from figures import Figure

sys.path.insert(0, str(setting.TOP / "tests/system"))
from leatd_double import Double  # noqa: E402
from vdisk_case import RawClient  # noqa: E402

BYTES = 512 << 20
SECONDS = 2
CLIENTS = 32
THREADS = 4
NAMES = {"file": "nbdkit file", "shared": "shared image", "server": "mode server"}
TOKEN = "x." + "A" * 43


def serve(place, name, *plugin):
    return place.spawn("nbdkit", "-f", "-t", THREADS, "-U", place.path(name), *plugin, listens=name)


def grant(place, mode):
    return {"lease": "l-" + mode, "client": "bench", "disk": "bench", "format": "raw", "size": BYTES, "renew": 60,
            "path": place.path("image"), "mode": mode, "read_only": mode != "server",
            **({"difference": place.path("difference")} if mode == "server" else {})}


def copy(uri):
    """Returns what was done in how many seconds, in units of the figure."""
    begin = time.monotonic()
    setting.run("nbdcopy", uri, "null:")
    return BYTES / 1e6, time.monotonic() - begin


def random_reads(uri):
    out = setting.run("fio", "--name=r", "--ioengine=nbd", f"--uri={uri}", "--rw=randread", "--bs=4k", "--iodepth=32",
                      f"--size={BYTES}", f"--runtime={SECONDS}", "--time_based", "--output-format=json")
    read = json.loads(out[out.index("{"):])["jobs"][0]["read"]
    return read["total_ios"], read["runtime"] / 1000


def cpu_seconds(process):
    fields = open(f"/proc/{process.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(rates, what, who, function, process, uri):
    """One round: how fast, and what of the server's CPU it took."""
    before = cpu_seconds(process)
    done, seconds = function(uri)
    rates.setdefault((what, who, "rate"), []).append(done / seconds)
    rates.setdefault((what, who, "cpu"), []).append((cpu_seconds(process) - before) / done * 1e6)


def private_kib(process):
    with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(n) for n in re.findall(r"^Private_\w+: +(\d+) kB", f.read(), re.M))


def memory_of_idle(place, leatd, nbdkit):
    """KiB of nbdkit for each of many clients of mode `server`, each with a difference and 256 KiB written."""
    begin, clients, data = private_kib(nbdkit), [], bytes(256 << 10)
    for i in range(CLIENTS):
        token = f"x.client{i}"
        leatd.grants[token] = {**grant(place, "server"), "lease": f"l-{i}", "difference": place.path(f"difference{i}")}
        clients.append(RawClient(place.path("leat"), token.encode()))
        if clients[-1].command(1, 0, len(data), data):
            raise setting.BenchError("a client could not write")
    used = (private_kib(nbdkit) - begin) / CLIENTS
    for client in clients:
        client.socket.close()
    return used


def measure(_with_profile):
    rates = {}
    with streaming.Place() as place:
        with open(place.path("image"), "wb") as image:
            for _ in range(BYTES >> 20):
                image.write(os.urandom(1 << 20))
        leatd = Double(place.path("control"))
        leatd.grants = {TOKEN: grant(place, "read-only"), TOKEN + "s": grant(place, "server")}
        nbdkit = serve(place, "leat", streaming.BUILD / "nbdkit-leat-plugin.so", f"socket={place.path('control')}")
        plain = serve(place, "file", "file", place.path("image"))
        ways = {"file": (plain, f"nbd+unix:///?socket={place.path('file')}"),
                "shared": (nbdkit, f"nbd+unix:///{TOKEN}?socket={place.path('leat')}"),
                "server": (nbdkit, f"nbd+unix:///{TOKEN}s?socket={place.path('leat')}")}
        for _ in range(streaming.ROUNDS):
            for what, function in (("copy", copy), ("random", random_reads)):
                for who, way in ways.items():
                    run(rates, what, who, function, *way)
        idle = memory_of_idle(place, leatd, nbdkit)
    middle = {key: statistics.median(found) for key, found in rates.items()}
    figures = []
    for what, words, unit, cost in (("copy", "in a row", "MB/s", "us/MB"), ("random", "4 KiB at random", "reads/s", "us/read")):
        for who, name in NAMES.items():
            rate, cpu = (what, who, "rate"), (what, who, "cpu")
            figures.append(Figure(f"{what}_{who}", f"{words}, {name}", middle[rate], unit, raw=rates[rate]))
            figures.append(Figure(f"{what}_{who}_cpu", f"{words}, {name}: the server's CPU", middle[cpu], cost, raw=rates[cpu]))
        for who in ("shared", "server"):
            ratio = middle[what, who, "rate"] / middle[what, "file", "rate"]
            figures.append(Figure(f"{what}_{who}_ratio", f"{words}, {NAMES[who]} against nbdkit file", ratio, "",
                                  aim=1.0 if who == "shared" else None, is_more_better=True))
    figures.append(Figure("idle_kib", "memory of nbdkit for a client that is on and idle", idle, "KiB", aim=1024))
    return figures, {"commit": setting.commit(), "rounds": streaming.ROUNDS, "bytes": BYTES, "threads": THREADS,
                     "idle clients": CLIENTS}
