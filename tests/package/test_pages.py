#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The man pages: without a mistake that mandoc finds, and they say what the programs say."""
import importlib.machinery
import importlib.util
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2] / "tools")]

from leatcomplete import subparsers  # noqa: E402
from package import BUILD, TOP  # noqa: E402

MAN = TOP / "docs" / "man"
MADE = BUILD / "tools" / "package" / "man"


def shown(page):
    """As somebody reads it, in one line."""
    text = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=1000", page], check=True, capture_output=True, text=True).stdout
    return re.sub(r"\s+", " ", re.sub(".\b", "", text)).replace("‑", "-")


def said(*words):
    run = subprocess.run(words, capture_output=True, text=True, timeout=60)
    return run.stdout + run.stderr


def leatctl_parser():
    loader = importlib.machinery.SourceFileLoader("leatctl", str(TOP / "tools" / "leatctl"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("leatctl", loader))
    loader.exec_module(module)
    return module.parser()


class Pages(unittest.TestCase):
    def test_mandoc(self):
        pages = [*MAN.glob("*.[158]"), *MADE.glob("*.[158]")]
        self.assertEqual(6, len(pages))
        for page in pages:
            self.assertEqual("", said("mandoc", "-T", "lint", "-W", "warning", page), page)
            self.assertNotIn("@LIST@", page.read_text())

    def options(self, text, help_text, least):
        options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*\b", help_text)) - {"-h", "--help"}
        self.assertGreaterEqual(len(options), least)
        self.assertEqual([], sorted(option for option in options if option not in text))

    def test_leatctl(self):
        """Each verb with each of its options, as leatctl's own --help has them."""
        parser = leatctl_parser()
        page = shown(MADE / "leatctl.1")
        self.options(page, parser.format_help(), 3)
        nouns = subparsers(parser)
        self.assertIn("client", nouns)
        for noun, one in nouns.items():
            for verb, command in (subparsers(one) or {"": one}).items():
                self.assertIn(f"{noun} {verb}".strip(), page)
                self.options(page, command.format_help(), 3)

    def test_others(self):
        self.options(shown(MADE / "leat-nbd.1"), said(BUILD / "vdisk" / "leat-nbd", "--help"), 30)
        self.options(shown(MAN / "leatd.8"), said(BUILD / "tools" / "leatd" / "leatd", "--help"), 2)
        text = shown(MAN / "leat-difference.1")
        for line in said(BUILD / "leat-difference", "--help").splitlines():
            self.assertIn(re.split(r"  +| NEW a raw", line)[0], text.replace("raw | qcow2", "raw|qcow2"))
        plugin = said("nbdkit", BUILD / "nbdkit-leat-plugin.so", "--help").partition("nbdkit-leat-plugin.so")[2]
        keys = re.findall(r"^([\w-]+)=[A-Z]", plugin, re.M)
        self.assertIn("socket", keys)
        self.assertEqual([], [key for key in keys if f"{key}=" not in shown(MAN / "nbdkit-leat-plugin.1")])

    def test_configuration(self):
        """All keys that leatd reads, and no other."""
        keys = re.findall(r'KEY\("(\w+)", "(\w+)"', (TOP / "tools" / "leatd" / "config.c").read_text())
        text = (MADE / "leatd.conf.5").read_text()
        found, section = [], None
        for kind, word in re.findall(r"^\.It (Sy|Cm) (\S+)$", text, re.M):
            section = word.strip("[]") if kind == "Sy" else section
            found += [(section, word)] if kind == "Cm" else []
        self.assertEqual(sorted(keys), sorted(found))


if __name__ == "__main__":
    unittest.main(verbosity=2)
