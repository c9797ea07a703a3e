# SPDX-License-Identifier: BSD-2-Clause
"""size: bytes of leat.efi and of each part; lines of code, with and without comments and blank lines, room by room."""
import re
import struct

import setting
from figures import Figure

ROOMS = ["arch/x86_64", "kernel", "boot", "include/leat", "lib", "services/supervisor", "services/console",
         "services/net", "services/storage", "drivers/net", "drivers/block", "vdisk", "vmm"]
RING0 = ("kernel/", "arch/")
# C and assembly: comments, and what looks like one inside a literal.
TOKENS = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def code_lines(text):
    """Lines that hold something other than a comment."""
    def keep(match):
        return match[0] if match[0][0] in "\"'" else re.sub(r"[^\n]", " ", match[0])

    return sum(1 for line in TOKENS.sub(keep, text).split("\n") if line.strip())


def count(files):
    texts = [(setting.TOP / name).read_text(errors="replace") for name in files]
    return sum(text.count("\n") for text in texts), sum(map(code_lines, texts))


def line_figures():
    listed = setting.run("git", "-C", setting.TOP, "ls-files", "-co", "--exclude-standard", "*.c", "*.h", "*.S")
    files = [name for name in listed.split("\n") if name and (setting.TOP / name).is_file()]

    def both(key, what, chosen):
        lines, code = count(chosen)
        yield Figure(f"lines_{key}", f"{what}: lines", lines, "lines")
        yield Figure(f"code_{key}", f"{what}: without comments and blank lines", code, "lines")

    yield from both("ring0", "ring 0 (kernel, arch)", [f for f in files if f.startswith(RING0)])
    for room in ROOMS:
        yield from both(room.replace("/", "_"), room, [f for f in files if f.startswith(room + "/")])
    yield from both("tests", "tests", [f for f in files if f.startswith("tests/")])


def bundle_parts():
    """(name, bytes) of what is bundled in leat.efi: struct leat_bundle (include/leat/bootinfo.h)."""
    data = (setting.BUILD / "boot/leat.bundle").read_bytes()
    entries, = struct.unpack_from("<I", data, 16)
    for i in range(entries):
        name, _, _, _, size = struct.unpack_from("<48sIIQQ", data, 24 + 72 * i)
        yield name.rstrip(b"\0").decode(), size


def size_figures():
    efi = (setting.BUILD / "leat.efi").stat().st_size
    yield Figure("leat_efi", "leat.efi", efi, "bytes")
    total = 0
    for name, size in bundle_parts():
        total += size
        yield Figure(f"part_{name}", f"leat.efi: {name}", size, "bytes")
    yield Figure("part_boot", "leat.efi: boot itself, headers, padding", efi - total, "bytes")
    text, data, bss = setting.run("size", setting.BUILD / "kernel/kernel.elf").splitlines()[1].split()[:3]
    yield Figure("kernel_text", "the kernel's code and constants", int(text), "bytes")
    yield Figure("kernel_data", "the kernel's data", int(data) + int(bss), "bytes")


def measure(_with_profile):
    compiler = setting.run("gcc", "--version").splitlines()[0]
    return [*size_figures(), *line_figures()], {"commit": setting.commit(), "compiler": compiler}
