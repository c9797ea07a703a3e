# SPDX-License-Identifier: BSD-2-Clause
"""The package as tests make it, of what is built."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LEAT_BUILD", TOP / "build"))


def make(folder):
    """The path of a .deb in that folder."""
    subprocess.run(["cpack", "--config", BUILD / "CPackConfig.cmake", "-B", folder], check=True, capture_output=True,
                   text=True, timeout=200)
    found, = Path(folder).glob("leat_*.deb")
    return found


class PackageCase(unittest.TestCase):
    """A folder that all users can read, with the package in it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix=f"leat-{cls.__name__.lower()}-"))
        cls.folder.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.deb = make(cls.folder)
