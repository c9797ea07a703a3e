# SPDX-License-Identifier: BSD-2-Clause
"""blk: one cached 4 KiB read, in a Debian guest and in a bare one; a stretch of the disk in a row."""
import lab
import setting
from figures import Figure

STREAM_BYTES = 32 << 20


def bare():
    bench_lab = lab.Lab("bench-blk-bare")
    try:
        log = setting.boot_bare(bench_lab, f"bytes={STREAM_BYTES}")
    finally:
        bench_lab.close()
    found, lines = setting.medians(log), setting.bench_lines(log)
    yield Figure("bare_read_4k", "4 KiB from the RAM cache, bare guest, all included", found["read_4k_cached"])
    yield Figure("bare_read_512", "512 bytes from the RAM cache, bare guest, all included", found["read_512_cached"])
    yield Figure("bare_get_id", "the disk's serial number (no back-end), bare guest, all included",
                 found["doorbell_to_eoi"])
    for name, what in (("read_streamed", "from the server"), ("read_in_cache", "from the RAM cache")):
        size, ticks = lines[name]
        yield Figure(f"{name}_mb_s", f"{size >> 20} MiB in a row {what}, 4 x 256 KiB under way",
                     size / 1e6 / (ticks / setting.TICKS_PER_S), "MB per emulated second")
        yield Figure(f"{name}_per_byte", f"{size >> 20} MiB in a row {what}: ticks a byte, waiting included",
                     ticks / size, "ticks")


def debian():
    bench_lab = lab.Lab("bench-blk-debian")
    try:
        machine = setting.boot_debian(bench_lab, "bench")
        setting.wait(bench_lab, machine, r"TEST bench (ok|FAILED)", 900)
        found = setting.medians(bench_lab.guest_log(setting.GUEST))
    finally:
        bench_lab.close()
    if "read_4k_cached" not in found:
        raise setting.BenchError("the Debian guest measured no read")
    yield Figure("debian_read_4k", "4 KiB O_DIRECT read from the RAM cache, Debian guest, all included",
                 found["read_4k_cached"])


def measure(_with_profile):
    setting.make_guests()
    figures = [*debian(), *bare()]
    return figures, setting.parameters(guest_kernel=setting.debian_kernel(), guest_memory_mib=192, rounds=2000,
                                       server="nbdkit file, on the host, over Bochs' slirp",
                                       ticks_per_emulated_s=setting.TICKS_PER_S)
