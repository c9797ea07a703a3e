#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_hit.py BENCH_VDISK_HIT: a 4 KiB read that hits the RAM cache costs the engine at most 1,500 instructions, of which the
copy is a part; callgrind counts them."""
import re
import subprocess
import sys
import tempfile

MOST = 1500
ROUNDS = 1000  # bench/vdisk_hit.c


def main():
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                              "--toggle-collect=bench_engine", sys.argv[1]], capture_output=True, text=True, check=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    each = int(found[1]) / ROUNDS
    print(f"{each:.0f} instructions for each hit, at most {MOST}")
    return each > MOST or each < 100


if __name__ == "__main__":
    sys.exit(main())
