# SPDX-License-Identifier: BSD-2-Clause
"""tls: what TLS costs the vdisk service, by callgrind: the client's part of a handshake and of a MiB received, with the same
mbedTLS, configuration and keys as in ring 3."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import setting
from figures import Figure

sys.path.insert(0, str(setting.TOP / "tests/system"))
import tls_files  # noqa: E402

HANDSHAKES = 4
MIB = 16


def build():
    if not (setting.BUILD / "build.ninja").exists():
        setting.run("cmake", "-S", setting.TOP, "-B", setting.BUILD, "-G", "Ninja")
    setting.run("ninja", "-C", setting.BUILD, "bench_tls_cost")


def run(folder, *arguments):
    """(instructions in the client, bytes of heap of a connection, name of the suite)"""
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                           "--toggle-collect=client_pump" if arguments[0] == "handshake" else "--toggle-collect=client_receive",
                           setting.BUILD / "tests/bench_tls_cost", *map(str, arguments)],
                          capture_output=True, text=True, check=True)
    return (int(re.search(r"Collected : (\d+)", done.stderr)[1]), int(re.search(r"(\d+) bytes of heap", done.stderr)[1]),
            re.search(r"^TLS-\S+", done.stderr, re.MULTILINE)[0])


def longest_step(folder, kind):
    """What one handshake does at a time, at most: callgrind writes a file for each step."""
    subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/step", "--toggle-collect=client_pump",
                    "--dump-after=client_pump", setting.BUILD / "tests/bench_tls_cost", "handshake", kind, "1"],
                   capture_output=True, check=True)
    steps = [re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.MULTILINE) for path in Path(folder).glob("step*")]
    return max(int(step[1]) for step in steps if step)


def measure(_with_profile):
    with tempfile.TemporaryDirectory() as folder:
        kinds = {"psk": "psk"}
        for kind in ("ec", "rsa"):
            tls_files.authority(folder, f"{kind}-ca")
            tls_files.certificate(folder, kind, f"{kind}-ca", "disks.example", kind=kind)
            kinds[kind] = f"{folder}/{kind}"
        found = []
        for kind, path in kinds.items():
            count, _, suite = run(folder, "handshake", path, HANDSHAKES)
            found.append(Figure(f"handshake_{kind}", f"handshake, {suite}", count // HANDSHAKES))
            with tempfile.TemporaryDirectory() as steps:
                found.append(Figure(f"longest_step_{kind}", f"its longest step, {suite}", longest_step(steps, path)))
        count, heap, suite = run(folder, "receive", "psk", MIB)
        found.append(Figure("receive", f"a MiB received, {suite}", count // MIB))
        found.append(Figure("heap", "memory of a connection", heap, "bytes"))
    return found, {"commit": setting.commit()}
