# SPDX-License-Identifier: BSD-2-Clause
"""What a guest waits for its disk during a boot: QEMU's own NBD driver on demand, the engine at a first boot, and with the
profile of another boot; in turns, over made-up links."""
import shutil
import statistics
import sys
import time

import setting
import streaming
from figures import Figure

# Round trip in ms, Mbit/s (None: no limit), think times (0: none, so that nothing hides behind the guest's own work; 0.1:
# a tenth of those under TCG, about a CPU's).
CASES = [(20, None, 0), (50, None, 0), (20, 100, 0), (50, 100, 0), (20, 100, 0.1)]


def record_profile(place):
    """By a boot over a fast link."""
    place.server()
    place.relay((1, None))
    place.leat("--profile", place.path("profile"))
    streaming.result(place.replay(streaming.TRACES[0], 0))
    place.end()
    return open(place.path("profile"), "rb").read()


def run(place, who, case, profile):
    server = place.server()  # anew: nbdkit 1.32 may abort when a connection with much under way ends
    relay = place.relay(case[:2])
    if who == "qemu":
        disk = place.qemu()
    elif who == "first":
        disk = place.leat()
    else:
        with open(place.path("copy"), "wb") as f:
            f.write(profile)
        disk = place.leat("--profile", place.path("copy"))
    found = streaming.result(place.replay(streaming.TRACES[1], case[2]))
    place.end(disk)
    place.end(relay)
    place.end(server)
    found["fetched"] = streaming.last_json(relay)["down_bytes"]
    return found


def name_of(case):
    return f"rtt{case[0]}" + (f"_{case[1]}mbit" if case[1] else "") + (f"_think{case[2]}" if case[2] else "")


def words_of(case):
    return f"{case[0]} ms" + (f", {case[1]} Mbit/s" if case[1] else "") + (", think times / 10" if case[2] else "")


def figures(case, runs, needed):
    stall = {who: statistics.median(r["stall_s"] for r in found) for who, found in runs.items()}
    fetched = {who: statistics.median(r["fetched"] for r in found) for who, found in runs.items()}
    name, words = name_of(case), words_of(case)
    for who, what in (("qemu", "QEMU on demand"), ("first", "first boot"), ("profile", "with a profile")):
        yield Figure(f"{name}_{who}_s", f"stall, {words}: {what}", stall[who], "s",
                     raw=[r["stall_s"] for r in runs[who]])
    yield Figure(f"{name}_profile", f"stall with a profile / QEMU's, {words}", stall["profile"] / stall["qemu"], "",
                 aim=1 / 20 if not case[1] else None)
    yield Figure(f"{name}_first", f"stall of a first boot / QEMU's, {words}", stall["first"] / stall["qemu"], "", aim=0.5)
    if case[1]:
        link_s = needed * 8 / (case[1] * 1e6)
        yield Figure(f"{name}_link", f"stall with a profile / time of its bytes on the link, {words}",
                     stall["profile"] / link_s, "", aim=1.15 if case[:2] == (20, 100) else None)
    for who in ("first", "profile"):
        yield Figure(f"{name}_{who}_bytes", f"bytes fetched / distinct bytes needed, {words}: {who}",
                     fetched[who] / needed, "", aim=1.1 if who == "profile" else None)


def overtaking(place):
    """Reads that no profile names, one at a time, beside a profile of 64 MiB that is being streamed, and without it: the
    medians of their times. 50 reads at 100 Mbit/s are long over before the stream is."""
    stream, reads = (setting.Path(place.path(name)) for name in ("stream.trace", "reads.trace"))
    stream.write_text("".join(f"{i * 2048} 2048 0 -\n" for i in range(64)))
    reads.write_text("".join(f"{1000000 + i * 4000} 8 2000 -\n" for i in range(50)))
    place.server()
    place.relay((1, None))
    place.leat("--profile", place.path("large"))
    streaming.result(place.replay(stream, 0))
    place.end()
    medians = {}
    for who in ("idle", "streaming"):
        runs = []
        for _ in range(streaming.ROUNDS):
            place.server()
            place.relay((20, 100))
            shutil.copy(place.path("large"), place.path("copy"))  # what is read here must not get into it
            place.leat(*(["--profile", place.path("copy")] if who == "streaming" else []))
            time.sleep(0.5)  # the window is open
            runs.append(streaming.result(place.replay(reads, 1))["median_us"] / 1000)
            place.end()
        medians[who] = runs
    idle, busy = (statistics.median(medians[who]) for who in ("idle", "streaming"))
    yield Figure("demand_idle_ms", "a read that nobody foresaw, 20 ms, 100 Mbit/s: idle link", idle, "ms", raw=medians["idle"])
    yield Figure("demand_streaming_ms", "the same beside a profile that is streamed", busy, "ms", raw=medians["streaming"])


def measure(_with_profile):
    found = []
    with streaming.Place() as place:
        profile = record_profile(place)
        needed = streaming.distinct_bytes(streaming.TRACES[1])
        for case in CASES:
            runs = {"qemu": [], "first": [], "profile": []}
            for _ in range(streaming.ROUNDS):
                for who, results in runs.items():
                    results.append(run(place, who, case, profile))
            found += figures(case, runs, needed)
            print(f"bench: boot-stall: {words_of(case)}: done", file=sys.stderr)
        found += overtaking(place)
    return found, {"commit": setting.commit(), "rounds": streaming.ROUNDS, "trace": "debian12-b, profile of debian12-a",
                   "needed_bytes": needed, "reads": sum(1 for line in streaming.TRACES[1].open() if line[0] != "#")}
