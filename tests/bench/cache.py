# SPDX-License-Identifier: BSD-2-Clause
"""A second boot from the local store while the server says nothing after the connect, against QEMU reading the same image
from a local NBD server. What both read lies on this machine's disk, and not in its page cache."""
import os
import statistics

import setting
import streaming
from figures import Figure

THINKS = (0, 0.1)
SILENT = ["rdelay=1000", "delay-extents=1000"]  # seconds: the server negotiates, and answers no read


def make_image(place):
    """The pattern as a file, as leat-replay checks it."""
    server = place.server()
    setting.run("nbdcopy", f"nbd+unix:///?socket={place.path('server')}", place.path("image"))
    place.end(server)


def forget(path):
    """Out of the page cache: the next read is the disk's."""
    with open(path, "rb") as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def server_of(place, *arguments, flags=()):
    return place.spawn("nbdkit", "-f", "-r", "-U", place.path("server"), *flags, "file", place.path("image"), *arguments,
                       listens="server")


def with_store(place):
    return place.leat("--store", place.path("store:512M"), "--content", "bench")


def warm_up(place):
    """Both boots once, over a good link; ended in order, so that all of it is on the disk."""
    for trace in streaming.TRACES:
        server_of(place)
        place.relay((1, None))
        with_store(place)
        streaming.result(place.replay(trace, 0))
        place.end()


def second_boot(place, think):
    forget(place.path("store"))
    server_of(place, *SILENT, flags=["--filter=delay"])
    relay = place.relay((20, 100))
    disk = with_store(place)
    found = streaming.result(place.replay(streaming.TRACES[1], think))
    place.end(disk)
    counts = streaming.last_json(disk)
    place.end(relay)
    place.end()
    found["asked"] = sum(source["bytes"] for source in counts["sources"].values())
    found["from_server"] = counts["network_bytes"]
    found["from_disk"] = counts["local"]["bytes"]
    found["down"] = streaming.last_json(relay)["down_bytes"]
    return found


def local_qemu(place, think):
    forget(place.path("image"))
    server_of(place)
    place.qemu(upstream="server")
    found = streaming.result(place.replay(streaming.TRACES[1], think))
    place.end()
    return found


def figures(think, qemu, leat):
    words = "think times / 10" if think else "no think times"
    stall = {who: statistics.median(r["stall_s"] for r in runs) for who, runs in (("qemu", qemu), ("leat", leat))}
    for who, runs, what in (("qemu", qemu, "QEMU, local NBD server"), ("leat", leat, "second boot, local store")):
        yield Figure(f"think{think}_{who}_s", f"stall, {words}: {what}", stall[who], "s",
                     raw=[r["stall_s"] for r in runs])
    yield Figure(f"think{think}_stall", f"stall of a second boot / QEMU's, {words}", stall["leat"] / stall["qemu"], "",
                 aim=1.2)


def measure(_with_profile):
    found, boots = [], []
    with streaming.Place() as place:
        make_image(place)
        warm_up(place)
        for think in THINKS:
            qemu, leat = [], []
            for _ in range(streaming.ROUNDS):
                qemu.append(local_qemu(place, think))
                leat.append(second_boot(place, think))
            found += figures(think, qemu, leat)
            boots += leat
        found.append(Figure("server_bytes", "bytes of the image from the server at a second boot",
                            max(r["from_server"] for r in boots), "bytes", aim=0))
        found.append(Figure("asked_bytes", "bytes asked of the server", max(r["asked"] for r in boots), "bytes"))
        found.append(Figure("down_bytes", "bytes from the server, negotiation and all",
                            max(r["down"] for r in boots), "bytes"))
        found.append(Figure("disk_bytes", "bytes read from the local store",
                            statistics.median(r["from_disk"] for r in boots), "bytes"))
    return found, {"commit": setting.commit(), "rounds": streaming.ROUNDS, "trace": "debian12-b, after debian12-a and -b",
                   "link": "20 ms, 100 Mbit/s, silent after the connect"}
