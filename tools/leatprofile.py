# SPDX-License-Identifier: BSD-2-Clause
"""Boot profiles (vdisk/profile/profile.h), as far as an administrator wants to see of them."""
import struct

from leatapi import Refused

HEADER, RUN, BLOCK = struct.Struct("<8sIIQIIQ"), struct.Struct("<QII"), 4096


def summary(data):
    """What the profile says, in numbers."""
    if len(data) < HEADER.size or data[:8] != b"LEATPROF":
        raise Refused("what leatd has answered is no boot profile")
    _, _, count, size, boots, _, _ = HEADER.unpack_from(data)
    runs = [RUN.unpack_from(data, HEADER.size + RUN.size * i) for i in range(count)]
    blocks = sum(run[1] for run in runs)
    shared = sum(blocks for _, blocks, word in runs if (word >> 24).bit_count() == boots)
    return {"image_bytes": size, "boots": boots, "runs": count, "blocks": blocks, "bytes": blocks * BLOCK,
            "needed_by_all": shared, "last_ms": max((word & 0xffffff for _, _, word in runs), default=0)}
