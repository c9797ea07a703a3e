# SPDX-License-Identifier: BSD-2-Clause
"""The engine reading a whole image to nowhere, in process, against nbdcopy URI null:, from the same nbdkit, in turns."""
import json
import os
import statistics
import time

import setting
import streaming
from figures import Figure

BYTES = 512 << 20


def measure(_with_profile):
    times = {"leat": [], "nbdcopy": []}
    with streaming.Place() as place:
        with open(place.path("image"), "wb") as image:  # random: without holes, which nbdcopy would skip
            for _ in range(BYTES >> 20):
                image.write(os.urandom(1 << 20))
        place.spawn("nbdkit", "-f", "-r", "-U", place.path("server"), "file", place.path("image"), listens="server")
        uri = f"nbd+unix:///?socket={place.path('server')}"
        for _ in range(streaming.ROUNDS):
            said = json.loads(setting.run(streaming.BUILD / "tests/leat-bulk", place.path("server"), "").splitlines()[-1])
            times["leat"].append(said["seconds"])
            begin = time.monotonic()
            setting.run("nbdcopy", uri, "null:")
            times["nbdcopy"].append(time.monotonic() - begin)
    rate = {who: [BYTES / 1e6 / t for t in found] for who, found in times.items()}
    ratio = statistics.median(rate["leat"]) / statistics.median(rate["nbdcopy"])
    return [Figure("leat_mb_s", "the engine, in process", statistics.median(rate["leat"]), "MB/s", raw=rate["leat"]),
            Figure("nbdcopy_mb_s", "nbdcopy URI null:", statistics.median(rate["nbdcopy"]), "MB/s", raw=rate["nbdcopy"]),
            Figure("bulk", "throughput against nbdcopy's", ratio, "", aim=1.0, is_more_better=True)], \
        {"commit": setting.commit(), "rounds": streaming.ROUNDS, "bytes": BYTES, "server": "nbdkit file, Unix socket"}
