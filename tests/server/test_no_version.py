# SPDX-License-Identifier: BSD-2-Clause
"""An image is there with its first version: a leatctl that makes no version makes no image."""
import os
import signal
import subprocess
import sys
import unittest.mock

from case import ServerCase
from dataplane import on_socket
from server import TOP, Refused, until

sys.path.insert(0, str(TOP / "tools"))

import leatapi  # noqa: E402
import leatimages  # noqa: E402


def asking(ask):
    """leatd's refusals as leatctl has them."""
    def asked(*words):
        try:
            return ask(*words)
        except Refused as error:
            raise leatapi.Refused(error.body["error"], error.status) from None
    return asked


class NoVersion(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.log_in()
        cls.folder, cls.file = cls.server.folder / "images", cls.server.root / "image"
        cls.file.write_bytes(os.urandom(8192))

    def is_there(self, image):
        return image in [i["name"] for i in self.server.items("images?limit=1000")]

    def test_no_image(self):
        """An import or a link that fails makes no image; one that was there without versions before stays."""
        uri = f"nbd+unix:///?socket={self.server.root}/linked"
        with on_socket(self.server.root / "linked", self.file):
            for words in (("import", "none", self.file), ("import", "none", self.file, "--upload"), ("link", "none", uri)):
                said = self.leatctl("image", *words, "--note", "x" * 501, status=1)
                self.assertEqual("leatctl: note is too long\n", said[-26:], words)
                self.assertFalse(self.is_there("none"), words)
        for words in (("import", "none", self.server.root / "gone"), ("link", "none", uri)):
            self.leatctl("image", *words, status=1)
            self.assertFalse(self.is_there("none"), words)
        for name in ("None", ".none", "n" * 64):
            for words in (("import", name, self.file), ("link", name, uri)):
                self.assertIn(f"leatctl: {name} is no image's name", self.leatctl("image", *words, status=1))
        self.server.api("POST", "images", {"name": "kept"})
        self.leatctl("image", "import", "kept", self.file, "--note", "x" * 501, status=1)
        self.assertTrue(self.is_there("kept"))

    def test_interrupted(self):
        """Ctrl-C while the image is copied; while leatd makes it; while leatd makes the version, which it does all the same."""
        long = self.server.root / "interrupted"
        with open(long, "wb") as file:
            file.truncate(1 << 40)
        before = os.listdir(self.folder)
        process = subprocess.Popen([TOP / "tools" / "leatctl", "image", "import", "cut", long], env=self.server.environment())
        until(lambda: len(os.listdir(self.folder)) > len(before), "begun")
        process.send_signal(signal.SIGINT)
        self.assertEqual(130, process.wait(60))
        self.assertEqual((sorted(before), False), (sorted(os.listdir(self.folder)), self.is_there("cut")))
        self.assertEqual([], self.server.sql("SELECT name FROM brought WHERE name LIKE 'cut%'"))

        def ask(method, path, body=None):
            answer = self.server.api(method, path, body) if (method, path) != refused else None
            if method == "POST" and path == interrupted:
                raise KeyboardInterrupt
            return answer
        (self.folder / "cut.raw").write_bytes(b"c" * 512)
        versions = "images/cut/versions"
        post = ("POST", versions)  # that does not arrive
        for interrupted, refused, is_left in (("images", None, False), (versions, post, False), (versions, None, True)):
            with self.assertRaises(KeyboardInterrupt), leatimages.image_for(unittest.mock.Mock(ask=asking(ask)), "cut"):
                ask("POST", versions, {"source": "cut.raw"})
            self.assertEqual(is_left, self.is_there("cut"), interrupted)
