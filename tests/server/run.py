#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""run.py sqlite|postgresql [FILE[.CLASS[.TEST]]...]: the server's tests, test_*.py of this folder, on that database."""
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from server import PostgreSQL, Server  # noqa: E402


def run(names):
    loader = unittest.TestLoader()
    result = unittest.TextTestRunner(verbosity=2).run(loader.loadTestsFromNames(names))
    return result.wasSuccessful() and result.testsRun > 0


def run_all(database):
    """Each file in a process of its own, on a database of its own, three at once: most of their time is waiting.

    Sessions of a few seconds are too short on a machine that is busy otherwise: a file that fails is run once more with all
    terms five times as long. What is wrong in leatd fails again.
    """

    def one(path):
        command = [sys.executable, __file__, database, path.stem]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            print(f"{path.stem} has failed; once more with longer terms\n{ended.stdout}{ended.stderr}", flush=True)
            ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LEAT_SLOW": "5"})
        return ended
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(one, sorted(HERE.glob("test_*.py"))))
    for ended in runs:
        print(ended.stdout + ended.stderr, end="")
    return all(ended.returncode == 0 for ended in runs)


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ("sqlite", "postgresql"):
        print(__doc__, file=sys.stderr)
        return 2
    if len(sys.argv) == 2:
        return not run_all(sys.argv[1])
    if sys.argv[1] == "sqlite":
        return not run(sys.argv[2:])
    with tempfile.TemporaryDirectory(prefix="leatd-pg-") as folder:
        Path(folder).chmod(0o755)
        Server.cluster = PostgreSQL(Path(folder) / "cluster")
        try:
            return not run(sys.argv[2:])
        finally:
            Server.cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
