#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""run.py sqlite|postgresql [FILE[.CLASS[.TEST]]...]: the server's tests, test_*.py of this folder, on that database."""
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
    names = names or sorted(path.stem for path in HERE.glob("test_*.py"))
    return unittest.TextTestRunner(verbosity=2).run(loader.loadTestsFromNames(names)).wasSuccessful()


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ("sqlite", "postgresql"):
        print(__doc__, file=sys.stderr)
        return 2
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
