#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The tools that make and watch an image: the bundle's bytes, an image's content, which line of the
serial line belongs to whom, and that mistakes end in one line."""
import importlib.machinery
import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import uuid
import zlib

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.dont_write_bytecode = True
sys.path.insert(0, TOOLS)
import leatrun  # noqa: E402


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(TOOLS, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


mkbundle, mkimage, mkdisk, run_tool = load("mkbundle"), load("mkimage"), load("mkdisk"), load("run")


class Bundle(unittest.TestCase):
    def test_layout(self):
        files = [(0, "kernel", b"k" * 5000), (1, "net", b""), (4, "font.psf", b"f")]
        bundle = mkbundle.make_bundle(files)
        magic, size, count, crc = struct.unpack_from("<QQII", bundle)
        self.assertEqual((magic, size, count), (0x6C646E625F74656C, len(bundle), 3))
        head = bytearray(bundle[: 24 + 72 * 3])
        head[20:24] = bytes(4)
        self.assertEqual(crc, zlib.crc32(head))
        for i, (kind, name, content) in enumerate(files):
            entry = struct.unpack_from("<48sIIQQ", bundle, 24 + 72 * i)
            self.assertEqual(entry[0].rstrip(b"\0").decode(), name)
            self.assertEqual(entry[1:3], (kind, zlib.crc32(content)))
            self.assertEqual(entry[3] % 4096, 0)
            self.assertEqual(bundle[entry[3] : entry[3] + entry[4]], content)

    def test_mistakes(self):
        for files in ([], [(1, "a", b"")], [(0, "a", b""), (0, "b", b"")], [(0, "a", b""), (1, "a", b"")]):
            with self.assertRaises(ValueError):
                mkbundle.make_bundle(files)
        for item in ("kernel=x", "what:a=b", "kernel:=x", "service:" + "n" * 48 + "=x"):
            with self.assertRaises(ValueError):
                mkbundle.parse_item(item)


@unittest.skipUnless(shutil.which("sgdisk"), "needs gdisk")
class Disk(unittest.TestCase):
    def test_partitions(self):
        with tempfile.TemporaryDirectory() as folder:
            made = []
            for name in ("one", "two"):
                path = os.path.join(folder, name)
                mkdisk.make_disk(path, "32M", "8M")
                with open(path, "rb") as file:
                    made.append(file.read())
        self.assertEqual(made[0], made[1])
        # UEFI 2.10, table 5-6: type, own id, first and last sector.
        entries = [struct.unpack_from("<16s16sQQ", made[0], 1024 + 128 * n) for n in (0, 1, 2)]
        self.assertEqual(uuid.UUID(bytes_le=entries[1][0]), uuid.UUID(mkdisk.LEAT_TYPE))
        self.assertEqual((entries[0][2], entries[0][3], entries[1][2]), (2048, 2048 + 16384 - 1, 2048 + 16384))
        self.assertGreater(entries[1][3], 60000)
        self.assertEqual(entries[2][0], bytes(16))
        self.assertEqual(made[0].count(b"\0", 18432 * 512, entries[1][3] * 512), (entries[1][3] - 18432) * 512)


@unittest.skipUnless(shutil.which("sgdisk") and shutil.which("mcopy"), "needs gdisk and mtools")
class Image(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name, content=None):
        path = os.path.join(self.folder.name, name)
        if content is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        return path

    def test_content(self):
        config = self.path("a/leat.conf", b"[vm web]\nkernel = deb/vmlinuz ; comment\ninitrd = i\nmodules = m1, i\n"
                           b"cmdline = a=b %d\n")
        self.path("a/deb/vmlinuz", b"the kernel")
        self.path("a/m1", b"a module")
        image = self.path("leat.img")
        for output in (image, image + "2"):
            mkimage.make_image(output, self.path("e", b"MZ"), config, {"i": self.path("else", b"the initrd")})
        for name, content in (("EFI/BOOT/BOOTX64.EFI", b"MZ"), ("deb/vmlinuz", b"the kernel"), ("i", b"the initrd"),
                              ("m1", b"a module")):
            shown = subprocess.run(["mtype", "-i", image + "@@1048576", "::/" + name], capture_output=True, check=True)
            self.assertEqual(shown.stdout, content)
        with open(image, "rb") as one, open(image + "2", "rb") as two:
            self.assertTrue(one.read() == two.read(), "the same input made two different images")
        self.assertEqual(run_tool.guests_in_image(image), ("web",))

    def test_mistakes(self):
        efi = self.path("e", b"MZ")
        for text in (b"[vm web]\nkernel = missing\n", b"[vm web]\nkernel = ../e\n"):
            with self.assertRaises(mkimage.ImageError):
                mkimage.make_image(self.path("x.img"), efi, self.path("leat.conf", text))
        with self.assertRaises(mkimage.ImageError):
            mkimage.make_image(self.path("x.img"), efi, size="1M")
        self.assertFalse(os.path.exists(self.path("x.img")))


class Serial(unittest.TestCase):
    def test_split(self):
        with tempfile.TemporaryDirectory() as folder:
            splitter = leatrun.LogSplitter(folder, ("web", "db"))
            for piece in (b"[    1.000000] net: up\nweb Linux", b" version\ndb boots\n", b"webby\n", b"web end"):
                splitter.feed(piece, piece)
            splitter.close()
            found = {}
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), "rb") as file:
                    found[name] = file.read()
        self.assertEqual(found["leat.log"], b"[    1.000000] net: up\nwebby\n")
        self.assertEqual(found["guest-web.log"], b"Linux version\nend\n")
        self.assertEqual(found["guest-db.log"], b"boots\n")

    def test_send_script(self):
        sender = run_tool.Sender([r"login\::root\n", "1.5:\\x01n"])
        self.assertEqual((sender.steps[0][0].pattern, sender.steps[0][1]), (rb"login\:", "root\n"))
        self.assertEqual(sender.steps[1], (1.5, "\x01n"))
        with self.assertRaises(ValueError):
            run_tool.Sender(["nothing"])


if __name__ == "__main__":
    unittest.main()
