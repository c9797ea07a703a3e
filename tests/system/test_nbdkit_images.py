#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_nbdkit_images.py PLUGIN [TestClass.test_name ...]: images that are no raw files, by nbdkit with Leat's plugin:
each from a real server of its kind."""
import json
import os
import signal
import socket
import subprocess
import time

import vdisk_case
from nbdkit_case import OTHER, TOKEN, Plugin, content_of
from vdisk_case import MIB, free_port, wait_for


class BackEnds(Plugin):
    """Images that are no raw files: by a child that serves NBD, or a server that is there."""

    def read_as(self, image, **fields):
        self.grant(size=4 * MIB, **fields)
        p = self.nbdkit()
        self.run_tool("nbdcopy", self.uri(), self.path("copy"))
        self.same_files(image, self.path("copy"))
        return p

    def qcow2(self):
        image = self.image()
        self.run_tool("qemu-img", "convert", "-f", "raw", "-O", "qcow2", image, self.path("image.qcow2"))
        return image, self.path("image.qcow2")

    def test_qcow2(self):
        image, qcow2 = self.qcow2()
        p = self.read_as(image, path=qcow2, format="qcow2")
        self.assertEqual(self.extents(), [(0, 2 * MIB, 0), (2 * MIB, 2 * MIB, 3)])
        wait_for(lambda: not self.children(p), 5, "the child ends with its last user")

    def test_qcow2_shared(self):
        """One child for all clients; when it dies it is made again, and nobody notices."""
        image, qcow2 = self.qcow2()
        self.grant(path=qcow2, format="qcow2", size=4 * MIB)
        self.grant(OTHER, path=qcow2, format="qcow2", size=4 * MIB)
        p = self.nbdkit()
        readers = [subprocess.Popen(["qemu-io", "-r", "-f", "raw", self.uri(token)], stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True) for token in (TOKEN, OTHER)]
        self.processes += readers
        wait_for(lambda: self.leatd.count("open") >= 2 and self.children(p), 5, "both are on")
        time.sleep(0.3)
        self.assertEqual(len(self.children(p)), 1)
        os.kill(int(self.children(p)[0]), signal.SIGKILL)
        for reader in readers:
            out = reader.communicate("read -v 0 512\nquit\n", timeout=20)[0]
            self.assertIn("read 512/512", out)
        self.assertIn(content_of(image)[:4].hex(" "), out)

    def test_difference_over_qcow2(self):
        image, qcow2 = self.qcow2()
        self.grant(mode="server", read_only=False, path=qcow2, format="qcow2", size=4 * MIB, difference=self.path("d"))
        self.nbdkit()
        self.qemu_io("write -P 7 1k 512", f"write -P 8 {3 * MIB} 512")
        self.run_tool("nbdcopy", self.uri(), self.path("copy"))
        expected = bytearray(content_of(image))
        expected[1024:1536] = b"\7" * 512
        expected[3 * MIB:3 * MIB + 512] = b"\10" * 512
        self.assertEqual(content_of(self.path("copy")), bytes(expected))
        self.assertEqual(self.extents(), [(0, 4096, 0), (4096, 2 * MIB - 4096, 1), (2 * MIB, MIB, 3),
                                          (3 * MIB, 4096, 0), (3 * MIB + 4096, MIB - 4096, 3)])

    def test_other_files_refused(self):
        """A qcow2 file that names another file would have the server read whatever its maker liked."""
        _, qcow2 = self.qcow2()
        self.run_tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", qcow2, self.path("over"))
        self.run_tool("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={self.path('data')}", self.path("beside"),
                      "4M")
        self.grant("x.over", path=self.path("over"), format="qcow2", size=4 * MIB)
        self.grant("x.beside", path=self.path("beside"), format="qcow2", size=4 * MIB)
        self.grant("x.file", uri="file:///etc/passwd", size=4 * MIB)
        p = self.nbdkit()
        for token, why in (("x.over", "backing file"), ("x.beside", "in another file"), ("x.file", "raw and qcow2 files")):
            self.assertNotEqual(self.run_tool("nbdinfo", self.uri(token), ok=False).returncode, 0)
            self.assertIn(why, self.log_of(p))

    def test_nbd(self):
        image = self.image()
        self.serve("file", image)
        self.read_as(image, uri=f"nbd+unix:///?socket={self.path('server')}")

    def test_http(self):
        image = self.image()
        port = free_port()
        with open(self.path("nginx.conf"), "w") as f:
            f.write(f"daemon off; master_process off; pid {self.path('pid')}; error_log stderr; events {{}}"
                    f"http {{ access_log off; server {{ listen 127.0.0.1:{port}; root {self.dir}; }} "
                    + "".join(f"{kind}_temp_path {self.path(kind)};" for kind in
                              ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + " }")
        os.chmod(self.dir, 0o755)
        self.spawn("/usr/sbin/nginx", "-c", self.path("nginx.conf"))

        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_for(answers, 10, "nginx starts")
        self.read_as(image, uri=f"http://127.0.0.1:{port}/image.raw")


if __name__ == "__main__":
    vdisk_case.main(__doc__)
