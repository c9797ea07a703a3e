# SPDX-License-Identifier: BSD-2-Clause
"""What eight guests that boot at once from one image fetch, against one guest: one copy of a block for all of them."""
import statistics

import setting
import streaming
from figures import Figure

GUESTS = 8
LINK = (20, 100)


def fetched(place, guests, *options):
    relay = place.relay(LINK)
    disk = place.leat("--mode", "ram", *options)
    replays = [place.replay(streaming.TRACES[i % 2], 0.1) for i in range(guests)]
    for replay in replays:
        streaming.result(replay)
    place.end(disk)
    place.end(relay)
    return streaming.last_json(relay)["down_bytes"], streaming.last_json(disk)


def measure(_with_profile):
    runs = {1: [], GUESTS: []}
    ram = []
    with streaming.Place() as place:
        place.server()
        fetched(place, 1, "--profile", place.path("profile"))
        profile = open(place.path("profile"), "rb").read()
        for _ in range(streaming.ROUNDS):
            for guests, results in runs.items():
                with open(place.path("copy"), "wb") as f:
                    f.write(profile)
                down, counts = fetched(place, guests, "--profile", place.path("copy"))
                results.append(down)
                if guests == GUESTS:
                    ram.append(counts["ram_bytes"] + counts["network_bytes"])
    one, many = (statistics.median(results) for results in runs.values())
    return [Figure("one_bytes", "bytes from the server, 1 guest", one, "bytes", raw=runs[1]),
            Figure("eight_bytes", f"bytes from the server, {GUESTS} guests", many, "bytes", raw=runs[GUESTS]),
            Figure("eight_read", f"bytes that {GUESTS} guests read", statistics.median(ram), "bytes"),
            Figure("sharing", f"{GUESTS} guests against 1", many / one, "", aim=1.02)], \
        {"commit": setting.commit(), "rounds": streaming.ROUNDS, "link": "20 ms, 100 Mbit/s", "think": 0.1}
