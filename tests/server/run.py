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

SHORT = 10  # seconds: a term below that can be over because the host is busy
ONLY_SHORT = 3  # exit status: tests have failed, but none whose class has no short terms


def has_short_terms(test):
    test = getattr(test, "test_case", test)  # of a subTest
    return min(getattr(test, "times", {}).values(), default=SHORT) < SHORT


def run(names):
    """The exit status."""
    loader = unittest.TestLoader()
    result = unittest.TextTestRunner(verbosity=2).run(loader.loadTestsFromNames(names))
    if result.wasSuccessful():
        return 0 if result.testsRun > 0 else 1
    failed = [test for test, _ in result.failures + result.errors]
    return ONLY_SHORT if failed and all(map(has_short_terms, failed)) else 1


def run_all(database):
    """Each file in a process of its own, on a database of its own, three at once: most of their time is waiting. The exit status.

    Terms of a few seconds (a class's `times`) are too short on a machine that is busy otherwise: where no test has failed but
    such ones, their file is run once more with all terms five times as long. What is wrong in leatd fails again.
    """

    def one(path):
        command = [sys.executable, __file__, database, path.stem]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode == ONLY_SHORT:
            print(f"{ended.stdout}{ended.stderr}RERUN: {path.stem} has failed where terms are shorter than {SHORT} s; what is "
                  "above does not count, it is run once more with terms five times as long", flush=True)
            ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LEAT_SLOW": "5"})
        return ended
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(one, sorted(HERE.glob("test_*.py"))))
    for ended in runs:
        print(ended.stdout + ended.stderr, end="")
    return int(any(ended.returncode for ended in runs))


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ("sqlite", "postgresql"):
        print(__doc__, file=sys.stderr)
        return 2
    if len(sys.argv) == 2:
        return run_all(sys.argv[1])
    if sys.argv[1] == "sqlite":
        return run(sys.argv[2:])
    with tempfile.TemporaryDirectory(prefix="leatd-pg-") as folder:
        Path(folder).chmod(0o755)
        Server.cluster = PostgreSQL(Path(folder) / "cluster")
        try:
            return run(sys.argv[2:])
        finally:
            Server.cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
