#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_nbdkit_images.py PLUGIN [TestClass.test_name ...]: images that are no raw files, by nbdkit with Leat's plugin:
each from a real server of its kind."""
import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest.mock
from pathlib import Path

import tls_files
import vdisk_case
from ceph_cluster import Bucket, Ceph
from nbdkit_case import OTHER, TOKEN, Plugin, content_of
from vdisk_case import MIB, free_port, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import leatdisks  # noqa: E402
import leatsource  # noqa: E402

# Of private memory, of which nbdkit's program alone has 192 MiB that it does not touch (getrlimit(2), RLIMIT_DATA).
MEMORY, LARGE = 288 * MIB, 320 * MIB


class Opened(Plugin):
    """An image while a client has it open."""

    def opened(self, *parameters, **fields):
        """nbdkit, its child, and the client."""
        self.grant(size=fields.pop("size", 4 * MIB), **fields)
        p = self.nbdkit(*parameters)
        reader = subprocess.Popen(["qemu-io", "-r", "-f", "raw", self.uri()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)
        self.processes.append(reader)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(reader.stdin.close)
        reader.stdin.write("read 0 512\n")
        reader.stdin.flush()
        self.assertIn("read 512/512", reader.stdout.readline())
        child, = self.children(p)
        return p, int(child), reader

    def comes_back(self, p, child, reader, image, restore):
        """The image is another one, and the child dies: nothing of it is read. With the old one again all goes on."""
        os.kill(child, signal.SIGKILL)
        reader.stdin.write(f"read -v {MIB} 512\n")
        reader.stdin.flush()
        wait_for(lambda: "has been replaced by another" in self.log_of(p), 60, "it is seen")
        restore()
        out = reader.communicate("quit\n", timeout=60)[0]
        self.assertIn("read 512/512", out)
        self.assertIn(content_of(image)[MIB:MIB + 16].hex(" "), out)
        self.assertEqual((1, 1), (self.log_of(p).count("replaced by another"), self.log_of(p).count("is there again")))


class BackEnds(Opened):
    """Images that are no raw files: by a child that serves NBD, or a server that is there."""

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

    def test_qcow2_replaced(self):
        """Another file under the name, when the child has died: not read, until the old one is there again."""
        image, qcow2 = self.qcow2()
        p, child, reader = self.opened(path=qcow2, format="qcow2")
        self.run_tool("qemu-img", "create", "-q", "-f", "qcow2", self.path("other"), "4M")
        os.rename(qcow2, self.path("kept"))
        os.rename(self.path("other"), qcow2)
        self.comes_back(p, child, reader, image, lambda: os.rename(self.path("kept"), qcow2))

    def test_qcow2_replaced_at_open(self):
        """Another file is put in its place when the child has opened it: that is refused, and the next open has the new one."""
        image, qcow2 = self.qcow2()
        os.rename(qcow2, self.path("next"))
        self.run_tool("qemu-img", "create", "-q", "-f", "qcow2", qcow2, "4M")
        script = Path(self.path("qemu-nbd"))
        script.write_text(f"""#!/bin/sh
cd {script.parent}
if [ -e next ]; then
    mv image.qcow2 opened
    mv next image.qcow2
    set -- --read-only --format=qcow2 opened
fi
exec {shutil.which('qemu-nbd')} "$@"
""", encoding="ascii")
        script.chmod(0o755)
        self.grant(path=qcow2, format="qcow2", size=4 * MIB)
        with unittest.mock.patch.dict(os.environ, PATH=f"{script.parent}:{os.environ['PATH']}"):
            p = self.nbdkit()
        self.run_tool("nbdinfo", self.uri(), ok=False)  # it asks twice
        self.assertIn("cannot be opened: the image was replaced or written while it was opened", self.log_of(p))
        self.run_tool("nbdcopy", self.uri(), self.path("copy"))
        self.same_files(image, self.path("copy"))

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


def wait_port(port, what):
    def answers():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    wait_for(answers, 60, what)


def is_alive(pid):
    """Neither gone, nor dead and not yet asked for by its parent."""
    try:
        return content_of(f"/proc/{pid}/stat").rsplit(b")", 1)[1].split()[0] != b"Z"
    except OSError:
        return False


class Server(Opened):
    """What the tests of images on other servers share."""

    def large(self):
        """An image of which no two MiB are alike."""
        with open(self.path("large.raw"), "wb") as f:
            part = os.urandom(MIB)
            for n in range(LARGE // MIB):
                f.write(n.to_bytes(8, "big") + part[8:])
        return self.path("large.raw")

    def read_bounded(self, image, *parameters, **fields):
        """nbdkit and its children may write to less memory than the image has bytes, and all of it is read."""
        self.grant(size=LARGE, **fields)
        p, port = self.nbdkit_by_tcp("-t", "4", before=["prlimit", f"--data={MEMORY}", "--stack=2097152"],
                                     parameters=[f"child-memory={MEMORY}", *parameters])
        self.run_tool("nbdcopy", f"nbd://127.0.0.1:{port}/{TOKEN}", self.path("copy"))
        self.run_tool("cmp", image, self.path("copy"))
        return p

    def ends_with_nbdkit(self, *parameters, **fields):
        p, child, _ = self.opened(*parameters, **fields)
        p.kill()
        p.wait()
        wait_for(lambda: not is_alive(child), 60, "the child ends")

    def refused(self, words, *parameters, **fields):
        self.grant(size=fields.pop("size", 4 * MIB), **fields)
        p = self.nbdkit(*parameters)
        self.assertNotEqual(self.run_tool("nbdinfo", self.uri(), ok=False).returncode, 0)
        self.assertIn(words, self.log_of(p))
        self.stop(p)
        return self.log_of(p)


class Web(Server):
    """nginx."""

    def setUp(self):
        super().setUp()
        self.port, self.tls_port = free_port(), free_port()
        tls_files.authority(self.dir, "ca")
        tls_files.certificate(self.dir, "web", "ca", "localhost")
        self.ca = f"https-ca={self.path('ca.pem')}"
        os.chmod(self.dir, 0o755)
        with open(self.path("nginx.conf"), "w") as f:
            f.write(f"daemon off; master_process off; pid {self.path('pid')}; error_log stderr; events {{}} "
                    f"http {{ access_log off; root {self.dir}; server {{ listen 127.0.0.1:{self.port}; "
                    f"rewrite ^/away/(.*) https://localhost:{self.tls_port}/$1 redirect; }} "
                    f"server {{ listen 127.0.0.1:{self.tls_port} ssl; "
                    f"ssl_certificate {self.path('web.pem')}; ssl_certificate_key {self.path('web-key.pem')}; "
                    f"rewrite ^/plain/(.*) http://127.0.0.1:{self.port}/$1 redirect; }} "
                    + "".join(f"{kind}_temp_path {self.path(kind)};" for kind in
                              ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + " }")
        self.start()

    def start(self):
        self.nginx = self.spawn("/usr/sbin/nginx", "-c", self.path("nginx.conf"))
        wait_port(self.port, "nginx starts")

    def url(self, name="image.raw"):
        return f"http://127.0.0.1:{self.port}/{name}"

    def safe_url(self, name="image.raw", host="localhost"):
        return f"https://{host}:{self.tls_port}/{name}"

    def test_large(self):
        image = self.large()
        self.read_bounded(image, uri=self.url("large.raw"))

    def test_https(self):
        """Its server is known by an authority of the administrator's; by the system's alone, or by another name, it is not."""
        image = self.image()
        p, _, reader = self.opened(self.ca, uri=self.safe_url())
        self.assertIn("read 4194304/4194304", reader.communicate("read 0 4M\nquit\n", timeout=60)[0])
        self.run_tool("nbdcopy", self.uri(), self.path("copy"))
        self.same_files(image, self.path("copy"))
        self.stop(p)
        self.refused("SSL", uri=self.safe_url())
        self.refused("SSL", self.ca, uri=self.safe_url(host="127.0.0.1"))

    def test_sent_elsewhere(self):
        """A server may name another place, but not one that is less safe."""
        self.image()
        p, _, reader = self.opened(self.ca, uri=self.url("away/image.raw"))
        reader.communicate("quit\n", timeout=60)
        self.stop(p)
        self.refused("cannot be opened", self.ca, uri=self.safe_url("plain/image.raw"))

    def test_password(self):
        log = self.refused("has a password", uri=f"http://me:hidden@127.0.0.1:{self.port}/image.raw")
        self.assertNotIn("hidden", log)

    def test_restarted(self):
        """A server that is away for a moment is waited for."""
        self.image()
        _, _, reader = self.opened(uri=self.url())
        self.nginx.kill()
        self.nginx.wait()
        back = threading.Timer(1.5, self.start)
        back.start()
        out = reader.communicate(f"read {MIB} 512\nquit\n", timeout=60)[0]
        back.join()
        self.assertIn("read 512/512", out)
        self.assertNotIn("failed", out)

    def test_ends(self):
        self.image()
        self.ends_with_nbdkit(uri=self.url())

    def test_qcow2_ends(self):
        self.run_tool("qemu-img", "create", "-q", "-f", "qcow2", self.path("image.qcow2"), "4M")
        self.ends_with_nbdkit(path=self.path("image.qcow2"), format="qcow2")


class Stores(Server):
    """Ceph's block devices, and S3 by Ceph's radosgw."""

    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory(prefix="leat-ceph-")
        cls.addClassCleanup(cls.place.cleanup)
        cls.ceph = Ceph(cls.place.name)
        cls.addClassCleanup(cls.ceph.close)
        cls.bucket = Bucket(cls.ceph)
        cls.bucket.put("/images")

    def settings(self, secret=None, mode=0o640, more=""):
        with open(self.path("s3.conf"), "w") as f:
            f.write(f"[images]\nendpoint = http://127.0.0.1:{self.bucket.port}\nregion = {self.bucket.region}\n"
                    f"access_key = {self.bucket.access}\nsecret_key = {secret or self.bucket.secret}\n{more}")
        os.chmod(self.path("s3.conf"), mode)
        return f"s3={self.path('s3.conf')}"

    def test_s3(self):
        """An object that is larger than the memory that anybody may have; its key is nobody else's to see."""
        image = self.large()
        self.bucket.put("/images/debian/12-1.raw", content_of(image))
        p = self.read_bounded(image, self.settings(), uri="s3://images/debian/12-1.raw")
        self.assertNotIn(self.bucket.secret, self.log_of(p))

    def test_s3_child(self):
        self.bucket.put("/images/small", content_of(self.image()))
        p, child, reader = self.opened(self.settings(), uri="s3://images/small")
        for name in ("cmdline", "environ"):
            self.assertNotIn(self.bucket.secret.encode(), content_of(f"/proc/{child}/{name}"))
        # Another object under the same name is never mixed with this one.
        self.bucket.put("/images/small", bytes(4 * MIB))
        out = reader.communicate(f"read {MIB} 512\nquit\n", timeout=60)[0]
        self.assertIn("failed", out)
        self.assertIn("replaced by another", self.log_of(p))
        wait_for(lambda: not is_alive(child), 60, "the child ends with its last user")
        self.assertEqual(self.run_tool("nbdinfo", "--size", self.uri()).stdout.strip(), str(4 * MIB))

    def test_s3_replaced(self):
        """Nor is it mixed with one that is there when the connection, and the child with it, is lost."""
        image = self.image()
        self.bucket.put("/images/small", content_of(image))
        p, child, reader = self.opened(self.settings(), uri="s3://images/small")
        self.bucket.put("/images/small", bytes(4 * MIB))
        self.comes_back(p, child, reader, image, lambda: self.bucket.put("/images/small", content_of(image)))

    def test_s3_refused(self):
        self.bucket.put("/images/small", bytes(4 * MIB))
        uri = "s3://images/small"
        self.refused("s3=FILE", uri=uri)
        log = self.refused("are the keys right", self.settings(secret="wrongButSecret"), uri=uri)
        self.assertNotIn("wrongButSecret", log)
        self.refused("everybody may read it", self.settings(mode=0o644), uri=uri)
        self.refused("there is no such object", self.settings(), uri="s3://images/gone")
        self.refused("has no endpoint", self.settings(), uri="s3://others/small")
        self.refused("nonsense in [images]", self.settings(more="nonsense = 1\n"), uri=uri)
        for name in ("s3://images/a%2e", "s3://images/", "s3:///a", "s3://a b/c", "s3://images/a?b"):
            self.refused("s3://BUCKET/KEY", self.settings(), uri=name)

    def test_s3_ends(self):
        self.bucket.put("/images/small", content_of(self.image()))
        self.ends_with_nbdkit(self.settings(), uri="s3://images/small")

    def test_rbd(self):
        image = self.large()
        self.ceph.rbd("large", image)
        self.read_bounded(image, f"ceph={self.ceph.config}", "ceph-user=leat", uri="rbd:rbd/large")

    def test_brought_out(self):
        """As leatctl image export reads them; of the web and of NBD servers, tests/server/test_elsewhere.py."""
        image = self.image()
        self.ceph.rbd("out", image)
        self.bucket.put("/images/out", content_of(image))
        args = argparse.Namespace(ceph=self.ceph.config, ceph_user="leat", s3=self.settings().removeprefix("s3="))
        path = f"{os.path.dirname(vdisk_case.LEAT_NBD)}:{os.environ['PATH']}"
        self.enterContext(unittest.mock.patch.dict(os.environ, PATH=path))
        for n, uri in enumerate(("rbd:rbd/out", "s3://images/out")):
            self.assertEqual(leatsource.size(uri, args), 4 * MIB)
            with leatsource.opened(uri, args) as source:
                leatdisks.convert(source, "raw", self.path(f"out{n}"), "raw", "exporting")
            self.same_files(image, self.path(f"out{n}"))
        with self.assertRaisesRegex(leatsource.Refused, "rbd:rbd/gone cannot be read: .*No such file"):
            leatsource.size("rbd:rbd/gone", args)

    def test_rbd_snapshot(self):
        image = self.image()
        self.ceph.rbd("small", image)
        self.ceph.run("rbd", "snap", "create", "rbd/small@one")
        parameters = [f"ceph={self.ceph.config}", "ceph-user=leat"]
        self.ends_with_nbdkit(*parameters, uri="rbd:rbd/small@one")
        self.read_as(image, *parameters, uri="rbd:rbd/small@one")
        self.refused("No such file", *parameters, uri="rbd:rbd/gone")
        for name in ("rbd:rbd/a,conf=b", "rbd:rbd", "rbd:rbd/", "rbd:/a", "rbd:rbd/a@", "rbd:rbd/a@b@c", "rbd:a/b/c"):
            self.refused("rbd:POOL/IMAGE", *parameters, uri=name)


if __name__ == "__main__":
    vdisk_case.main(__doc__)
