#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The tree keeps its promises: the arrows between the rooms (docs/architecture.md, section 3), ring 0 under
10,000 lines of code, an SPDX line in every source file, headers that compile by themselves, no line too long to read, no
name in the book that the code does not have."""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
RING0_LIMIT = 10_000
# Of what clang-format does not break: comments, scripts, the book. C code has the limit in .clang-format.
LINE_LIMIT = 130

# room -> prefixes of what its files may include by "..."; <leat/...> and the C library are checked apart.
ARROWS = {
    "kernel/": ["kernel/", "arch/"],
    "arch/": ["kernel/", "arch/"],
    "boot/": ["boot/", "lib/config/", "lib/elf.h", "lib/text.h"],
    "lib/config/": ["lib/config/", "lib/text.h"],
    "lib/": ["lib/"],
    "drivers/": ["drivers/", "lib/assert.h"],
    "vdisk/service/": ["vdisk/", "lib/"],
    "vdisk/net/": ["vdisk/", "lib/"],
    "vdisk/": ["vdisk/"],
    "vmm/": ["vmm/", "lib/"],
    "services/net/": ["services/net/", "drivers/net/", "lib/", "lwip/", "netif/", "arch/"],
    "services/storage/": ["services/storage/", "drivers/block/", "lib/"],
    "client/": ["client/", "lib/text.h"],
    # The connections and TLS are those of vdisk's service.
    "services/client/": ["services/client/", "client/", "vdisk/net/", "vdisk/tls/", "lib/"],
    "services/console/": ["services/console/", "drivers/input/", "lib/"],
    # The drivers say which PCI devices they know.
    "services/supervisor/": ["services/supervisor/", "lib/", "drivers/net/e1000.h", "drivers/block/match.h"],
}
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "stdatomic.h", "stdalign.h", "limits.h", "stdnoreturn.h"}
# Rooms whose code must not know that there is a Leat system call.
NO_SYSCALLS = ["vdisk/", "client/", "drivers/", "boot/"]
NO_SYSCALLS_BUT = ["vdisk/service/"]


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=TOP, check=True,
                         capture_output=True, text=True).stdout
    return [name for name in out.split("\n") if name and (TOP / name).is_file()]


def room_of(name):
    rooms = [room for room in ARROWS if name.startswith(room)]
    return max(rooms, key=len) if rooms else None


def check_includes(name, text):
    room = room_of(name)
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if not match:
            continue
        kind, target = match.groups()
        if name.startswith("include/leat/"):
            if kind == '"' or not (target.startswith("leat/") or target in FREESTANDING):
                yield f"{name}:{number}: a header of the ABI includes {target}"
        if room is None:
            continue
        if kind == '"' and "/" in target and not any(target.startswith(p) for p in ARROWS[room]):
            yield f"{name}:{number}: {room} may not include {target}"
        if room in ("kernel/", "arch/") and kind == "<" and not (target.startswith("leat/") or target in FREESTANDING):
            yield f"{name}:{number}: ring 0 includes <{target}>"
        if target in ("leat/syscall.h", "lib/sys.h") and any(name.startswith(p) for p in NO_SYSCALLS) \
                and not any(name.startswith(p) for p in NO_SYSCALLS_BUT):
            yield f"{name}:{number}: {room} is portable and may not include {target}"


def check_lines(name):
    """No text that people write has longer lines; rows of the book's tables cannot be broken."""
    if name.startswith("tests/fuzz/corpus/") or name.endswith(".svg"):
        return
    try:
        lines = (TOP / name).read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        return
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_LIMIT and not (name.endswith(".md") and line.startswith("|")):
            yield f"{name}:{number}: a line of {len(line)} characters; the limit is {LINE_LIMIT}"


def check_header_alone(name):
    """Each header compiles by itself (those of the rooms that need no third-party include path)."""
    if not name.startswith(("include/leat/", "kernel/", "lib/", "vdisk/", "vmm/", "drivers/")):
        return
    run = subprocess.run(["gcc", "-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-x", "c", "-I.", "-Iinclude", "-"],
                         cwd=TOP, input=f'#include "{name}"\n', capture_output=True, text=True)
    if run.returncode:
        yield f"{name}: does not compile by itself: {run.stderr.strip().splitlines()[0]}"


def check_book():
    """Paths and names that the book quotes as `...` exist."""
    files = tracked()
    folders = {name[:i + 1] for name in files for i, c in enumerate(name) if c == "/"}
    tops = {name.split("/")[0] for name in files if "/" in name}
    code = "\n".join((TOP / name).read_text(errors="replace") for name in files
                     if name.endswith((".c", ".h", ".S", ".py", ".cmake", "CMakeLists.txt")) or name.startswith("tools/"))
    words = set(re.findall(r"\w+", code))
    for page in ["README.md", *(name for name in files if name.startswith("docs/") and name.endswith(".md"))]:
        for number, line in enumerate((TOP / page).read_text().split("\n"), 1):
            for quoted in re.findall(r"`([^`]+)`", line):
                is_path = quoted.split("/")[0] in tops and re.fullmatch(r"[\w./-]+", quoted) and "/" in quoted
                is_path = is_path and not re.search(r"/[A-Z_]+$|THING", quoted)  # a pattern: tests/fuzz/corpus/NAME
                if is_path and quoted not in files and quoted.rstrip("/") + "/" not in folders:
                    yield f"{page}:{number}: there is no {quoted}"
                if re.fullmatch(r"[A-Za-z]\w*_\w+", quoted) and quoted not in words:
                    yield f"{page}:{number}: no name {quoted} in the code"
            for link in re.findall(r"\]\(([^)#:]+)\)", line):
                if not (TOP / page).parent.joinpath(link).exists():
                    yield f"{page}:{number}: a link to {link}, which is not there"


def lines_of_code(text):
    """Lines that are more than comment and blanks: the count that others give of theirs."""
    text = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment.group().count("\n"), text, flags=re.S)
    return sum(1 for line in re.sub(r"//.*", "", text).split("\n") if line.strip())


def main():
    problems = []
    ring0 = ring0_all = 0
    for name in tracked("*.c", "*.h", "*.S", "*.py", "*.sh", "*.cmake", "CMakeLists.txt", "*/CMakeLists.txt", "tools/*"):
        text = (TOP / name).read_text(errors="replace")
        if "SPDX-License-Identifier: BSD-2-Clause" not in "\n".join(text.split("\n")[:3]):
            problems.append(f"{name}: no SPDX line in its first three lines")
        if name.endswith((".c", ".h", ".S")):
            problems += check_includes(name, text)
            if name.startswith(("kernel/", "arch/")):
                ring0 += lines_of_code(text)
                ring0_all += text.count("\n")
        if name.endswith(".h"):
            problems += check_header_alone(name)
    for name in tracked():
        problems += check_lines(name)
    problems += check_book()
    if ring0 >= RING0_LIMIT:
        problems.append(f"ring 0 has {ring0} lines of code; the limit is {RING0_LIMIT}")
    print(f"ring 0: {ring0} lines of code, {ring0_all} with comments and blank lines")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
