# SPDX-License-Identifier: BSD-2-Clause
"""Boot profiles as bytes, as vdisk/profile/profile.h has them."""
import struct

MAGIC = b"LEATPROF"


def check(data):
    """FNV-1a, 64 bits, with the field at 32 as 0."""
    value = 0xcbf29ce484222325
    for byte in data[:32] + b"\0" * 8 + data[40:]:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return value


def encode(size, runs, boots=1):
    """runs: (first, count, ms) or (first, count, ms, boots)."""
    body = b"".join(struct.pack("<QII", r[0], r[1], r[2] | (r[3] if len(r) > 3 else 1) << 24) for r in runs)
    data = bytearray(MAGIC + struct.pack("<IIQIIQ", 1, len(runs), size, boots, 0, 0) + body)
    data[32:40] = struct.pack("<Q", check(data))
    return bytes(data)


def decode(data):
    """(size, boots, runs)."""
    magic, version, count, size, boots, _, told = struct.unpack_from("<8sIIQIIQ", data)
    if magic != MAGIC or version != 1 or told != check(data) or len(data) != 40 + 16 * count:
        raise ValueError("no boot profile")
    runs = [struct.unpack_from("<QII", data, 40 + 16 * i) for i in range(count)]
    return size, boots, [(first, blocks, at & 0xffffff, at >> 24) for first, blocks, at in runs]
