# SPDX-License-Identifier: BSD-2-Clause
"""What verifying an image by its hash tree costs a boot: bytes, requests, the guest's waiting; with and without, in turns."""
import os
import shutil
import statistics
import subprocess

import setting
import streaming
from figures import Figure

LINKS = [(20, 100), (300, None)]


def make_image(place):
    """The image of the other streaming benches, as a file, and its tree. The value of leat.conf's root_hash."""
    image = os.path.join(place.path("images"), "image")
    os.mkdir(place.path("images"))
    setting.run("nbdkit", "-r", "-U", "-", "pattern", str(streaming.IMAGE_BYTES), "--run", f"nbdcopy $uri {image}")
    said = subprocess.run([setting.TOP / "tools/mkverity", image], check=True, capture_output=True, text=True).stdout
    return next(line.split()[2] for line in said.splitlines() if line.split()[:1] == ["root_hash"])


def run(place, root, link, trace, profile):
    server = place.spawn("nbdkit", "-f", "-r", "-U", place.path("server"), "file", f"dir={place.path('images')}",
                         listens="server")
    relay = place.relay(link)
    verified = ["--root-hash", root] if root else []
    disk = place.spawn(streaming.BUILD / "vdisk/leat-nbd", "--read-only", "--socket", place.path("disk"), *verified,
                       "--profile", profile, f"unix:{place.path('relay')}", "image", listens="disk")
    found = streaming.result(place.replay(streaming.TRACES[trace], 0))
    place.end(disk)
    place.end(relay)
    place.end(server)
    found["fetched"] = streaming.last_json(relay)["down_bytes"]
    found["counts"] = streaming.last_json(disk)
    return found


def figures(link, runs, needed):
    name = f"rtt{link[0]}" + (f"_{link[1]}mbit" if link[1] else "")
    words = f"{link[0]} ms" + (f", {link[1]} Mbit/s" if link[1] else "")
    stall = {who: statistics.median(r["stall_s"] for r in found) for who, found in runs.items()}
    fetched = {who: statistics.median(r["fetched"] for r in found) for who, found in runs.items()}
    for who in runs:
        yield Figure(f"{name}_{who}_s", f"stall with a profile, {words}: {who}", stall[who], "s",
                     raw=[r["stall_s"] for r in runs[who]])
    yield Figure(f"{name}_stall", f"the same, verified / plain, {words}", stall["verified"] / stall["plain"], "")
    yield Figure(f"{name}_round_trips", f"what verifying adds in round trips, {words}",
                 (stall["verified"] - stall["plain"]) * 1000 / link[0], "")
    for who in runs:
        yield Figure(f"{name}_{who}_bytes", f"bytes fetched / distinct bytes needed, {words}: {who}",
                     fetched[who] / needed, "", aim=1.1)


def measure(_with_profile):
    found = []
    with streaming.Place() as place:
        root = make_image(place)
        needed = streaming.distinct_bytes(streaming.TRACES[1])
        run(place, None, (1, None), 0, place.path("profile"))
        for link in LINKS:
            runs = {"plain": [], "verified": []}
            for _ in range(streaming.ROUNDS):
                for who, results in runs.items():
                    shutil.copy(place.path("profile"), place.path("copy"))
                    results.append(run(place, root if who == "verified" else None, link, 1,
                                       place.path("copy")))
            found += figures(link, runs, needed)
        tree = runs["verified"][-1]["counts"]["verity"]
        found.append(Figure("tree_bytes", "bytes of the tree", tree["tree_bytes"], "bytes"))
        found.append(Figure("tree_requests", "requests for them", tree["tree_requests"], ""))
    return found, {"commit": setting.commit(), "rounds": streaming.ROUNDS, "trace": "debian12-b, profile of debian12-a",
                   "needed_bytes": needed}
