#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""leat-nbd and real servers over TLS, by a pre-shared key and by certificates, and that there is no way round it.

usage: test_vdisk_tls.py LEAT_NBD [TestClass.test_name ...]
Needs nbdkit, qemu-nbd, nbdcopy, openssl.
"""
import os
import signal
import time

import tls_files
import vdisk_case
from vdisk_case import MIB, Case, can_connect, free_port, wait_for

KEY = "6a" * 32
OTHER_KEY = "6b" * 32


class TlsCase(Case):
    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def read_all(self, server, image, *options, export=""):
        leat = self.leat(server, export, *options)
        self.run_tool("nbdcopy", leat.uri, self.path("out"), timeout=60)
        self.same_files(image, self.path("out"))
        return leat

    def refused(self, server, why, *options):
        """leat-nbd says why, never serves, and tries on."""
        leat = self.leat(server, "", *options, wait=False)
        wait_for(lambda: why in self.log_of(leat), 10, why, lambda: self.log_of(leat))
        time.sleep(0.5)
        self.assertFalse(can_connect(self.path("leat")), self.log_of(leat))
        self.stop(leat, signal.SIGKILL)
        return self.log_of(leat)


class PreSharedKey(TlsCase):
    def start(self, image, key=KEY, tls="require"):
        server_keys = self.write("server.psk", f"other:{OTHER_KEY}\nleat:{key}\n")
        return self.serve("file", image, flags=[f"--tls={tls}", f"--tls-psk={server_keys}"])

    def test_nbdkit(self):
        image = self.make_file("image", 20 * MIB)
        _, uri = self.start(image)
        self.read_all(uri, image, "--tls-psk", self.write("psk", f"leat:{KEY}\n"))

    def test_writes_and_restarts(self):
        image = self.make_file("image", 16 * MIB)
        source = self.make_file("source", 16 * MIB, seed=3)
        server, uri = self.start(image)
        leat = self.leat(uri, "", "--tls-psk", self.write("psk", f"leat:{KEY}\n"), "--unflushed", str(4 * MIB))
        copy = self.spawn("nbdcopy", "--flush", source, leat.uri)
        for _ in range(3):
            time.sleep(0.2)
            self.stop(server, signal.SIGKILL)
            server, _ = self.start(image)
        self.assertEqual(copy.wait(timeout=60), 0, self.log_of(copy))
        self.stop(leat)
        self.same_files(source, image)

    def test_qemu_nbd(self):
        image = self.make_file("image", 8 * MIB)
        os.mkdir(self.path("keys"))
        self.write("keys/keys.psk", f"leat:{KEY}\n")
        port = free_port()
        p = self.spawn("qemu-nbd", "-t", "-f", "raw", "-b", "127.0.0.1", "-p", str(port), "-x", "root1", "-e", "8", "-r",
                       "--object", f"tls-creds-psk,id=tls,endpoint=server,dir={self.path('keys')}", "--tls-creds", "tls",
                       image)
        time.sleep(1)
        self.assertIsNone(p.poll(), self.log_of(p))
        self.read_all(f"127.0.0.1:{port}", image, "--tls-psk", self.write("psk", f"leat:{KEY}\n"), export="root1")

    def test_another_key(self):
        _, uri = self.start(self.make_file("image", MIB))
        log = self.refused(uri, "TLS: the server", "--tls-psk", self.write("psk", f"leat:{OTHER_KEY}\n"))
        self.assertNotIn(OTHER_KEY[:8], log)

    def test_server_without_tls(self):
        _, uri = self.serve("file", self.make_file("image", MIB))
        self.refused(uri, "does not offer TLS", "--tls-psk", self.write("psk", f"leat:{KEY}\n"))

    def test_server_that_demands_it(self):
        _, uri = self.start(self.make_file("image", MIB))
        self.refused(uri, "the server demands TLS")

    def test_nothing_in_plain_text(self):
        """A relay between the two sees neither the export's name nor its content."""
        image = self.path("image")
        with open(image, "wb") as f:
            f.write(b"SECRET-CONTENT--" * 65536)
        self.start(image)
        seen = self.path("seen")
        relay = self.spawn("socat", "-r", seen, "-R", seen + "2", f"UNIX-LISTEN:{self.path('relay')},fork",
                           f"UNIX-CONNECT:{self.path('server')}")
        wait_for(lambda: os.path.exists(self.path("relay")), 5, self.log_of(relay))
        self.read_all(f"unix:{self.path('relay')}", image, "--tls-psk", self.write("psk", f"leat:{KEY}\n"),
                      export="the-name")
        for name in (seen, seen + "2"):
            with open(name, "rb") as f:
                text = f.read()
            self.assertGreater(len(text), 100)
            self.assertNotIn(b"SECRET", text)
            self.assertNotIn(b"the-name", text)

    def test_bad_files(self):
        for text in ("", "leat", f":{KEY}", "leat:12", "leat:" + "zz" * 32, "leat:" + "1" * 33):
            leat = self.leat("unix:/nowhere", "", "--tls-psk", self.write("psk", text), wait=False)
            self.assertEqual(leat.wait(timeout=10), 1, text)
            self.assertNotIn("zz", self.log_of(leat))


class Certificates(TlsCase):
    def authority(self, name):
        tls_files.authority(self.dir, name)

    def certificate(self, name, authority, host, days="2"):
        tls_files.certificate(self.dir, name, authority, host, days)

    def start(self, image, *flags, host="disks.example"):
        self.authority("ours")
        self.certificate("server", "ours", host)
        pki = tls_files.server_folder(self.dir, "ours", "server")
        return self.serve("file", image, flags=["--tls=require", f"--tls-certificates={pki}", *flags])

    def keys(self, name="disks.example", authority="ours"):
        return "--tls-ca", self.path(f"{authority}.pem"), "--tls-name", name

    def test_nbdkit(self):
        image = self.make_file("image", 20 * MIB)
        _, uri = self.start(image)
        self.read_all(uri, image, *self.keys())

    def test_own_certificate(self):
        image = self.make_file("image", 4 * MIB)
        _, uri = self.start(image, "--tls-verify-peer")
        self.certificate("client", "ours", "client.example")
        own = ("--tls-cert", self.path("client.pem"), "--tls-key", self.path("client-key.pem"))
        self.stop(self.read_all(uri, image, *self.keys(), *own))
        self.refused(uri, "TLS: the server", *self.keys())

    def test_another_name(self):
        _, uri = self.start(self.make_file("image", MIB))
        self.refused(uri, "certificate is not to be trusted", *self.keys(name="other.example"))

    def test_another_authority(self):
        _, uri = self.start(self.make_file("image", MIB))
        self.authority("theirs")
        self.refused(uri, "certificate is not to be trusted", *self.keys(authority="theirs"))

    def test_expired(self):
        _, uri = self.start(self.make_file("image", MIB))
        self.certificate("server", "ours", "disks.example", days="-1")
        self.stop(self.processes[0], signal.SIGKILL)
        self.serve("file", self.path("image"), flags=["--tls=require", f"--tls-certificates={self.path('pki')}"])
        self.refused(uri, "certificate is not to be trusted", *self.keys())

    def test_bad_files(self):
        self.authority("ours")
        self.authority("theirs")
        for options in (("--tls-ca", self.write("x", "nonsense")),
                        ("--tls-name", "x"),
                        ("--tls-ca", self.path("ours.pem"), "--tls-cert", self.path("ours.pem")),
                        ("--tls-ca", self.path("ours.pem"), "--tls-cert", self.path("ours.pem"), "--tls-key",
                         self.path("theirs-key.pem"))):
            leat = self.leat("unix:/nowhere", "", *options, wait=False)
            self.assertEqual(leat.wait(timeout=10), 1, options)
            self.assertIn("leat-nbd: TLS: ", self.log_of(leat))


if __name__ == "__main__":
    vdisk_case.main(__doc__)
