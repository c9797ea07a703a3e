# SPDX-License-Identifier: BSD-2-Clause
"""Images that lie on other servers, by leatctl: made versions where they are, and brought out as files."""
import json
import random
import subprocess
from pathlib import Path

from case import ServerCase
from dataplane import Nbdkit, on_socket
from objects import Objects
from server import Refused, free_port, wait_for_port

MIB = 1 << 20


class Elsewhere(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.log_in()
        cls.data = random.Random(7).randbytes(2 * MIB) + bytes(MIB)
        cls.web = Objects()
        cls.web.objects = {"/images/debian.raw": cls.data}
        cls.s3 = cls.server.root / "s3.conf"
        cls.s3.write_text(f"[default]\nendpoint = http://127.0.0.1:{cls.web.port}\n")
        cls.s3.chmod(0o600)

    @classmethod
    def tearDownClass(cls):
        cls.web.end()
        super().tearDownClass()

    def refused(self, *words):
        """leatctl's sentence, one line."""
        said = self.leatctl(*words, status=1)
        self.assertEqual(1, said.count("\n"), said)
        return said

    def out(self, name, *more):
        file = self.server.root / f"{name}.raw"
        self.leatctl("image", "export", name, file, *more)
        self.assertEqual(self.data, file.read_bytes())

    def test_web(self):
        uri = f"http://127.0.0.1:{self.web.port}/images/debian.raw"
        self.leatctl("image", "link", "web", uri, "--publish", "--note", "of the web")
        version, = json.loads(self.leatctl("image", "show", "web", "--json"))
        self.assertEqual((uri, len(self.data), "raw", "published", "of the web"),
                         tuple(version[k] for k in ("source", "size", "format", "state", "note")))
        self.out("web")
        qcow2 = self.server.root / "web.qcow2"
        self.leatctl("image", "export", "web@1", qcow2)
        self.assertEqual("qcow2", json.loads(subprocess.run(["qemu-img", "info", "--output=json", qcow2], check=True,
                                                            capture_output=True).stdout)["format"])
        self.assertIn("404", self.refused("image", "link", "gone", uri + "x"))
        # Nothing else takes it for a file.
        said = self.refused("image", "set", "web", "1", "--from-image")
        self.assertIn("no file of this server: say --kernel FILE", said)

    def test_s3(self):
        uri = "s3://images/debian.raw"
        said = self.refused("image", "link", "bucket", uri)
        self.assertIn(f"{uri} is in an S3 bucket: say --s3 FILE", said)
        self.leatctl("image", "link", "bucket", uri, "--publish", "--s3", self.s3)
        self.assertIn("say --s3 FILE", self.refused("image", "export", "bucket", self.server.root / "x"))
        self.out("bucket", "--s3", self.s3)
        self.assertIn("no such object", self.refused("image", "link", "gone", "s3://images/gone", "--s3", self.s3))

    def test_s3_without_tags(self):
        """An object that cannot be told from the next one of its name is not read."""
        web = Objects(has_tags=False)
        self.addCleanup(web.end)
        web.objects = {"/images/debian.raw": self.data}
        s3 = self.server.root / "tagless.conf"
        s3.write_text(f"[default]\nendpoint = http://127.0.0.1:{web.port}\n")
        s3.chmod(0o600)
        self.assertIn("no ETag", self.refused("image", "link", "tagless", "s3://images/debian.raw", "--s3", s3))

    def test_nbd(self):
        file = self.server.root / "served"
        file.write_bytes(self.data)
        port = free_port()
        nbdkit = subprocess.Popen(["nbdkit", "-f", "--exit-with-parent", "-i", "127.0.0.1", "-p", str(port), "file", file])
        try:
            wait_for_port(port, nbdkit)
            self.leatctl("image", "link", "nbd", f"nbd://127.0.0.1:{port}", "--publish")
            self.out("nbd")
        finally:
            nbdkit.kill()
            nbdkit.wait()
        self.assertIn("cannot be read", self.refused("image", "export", "nbd", self.server.root / "gone"))
        self.assertFalse((self.server.root / "gone").exists())

    def test_unix(self):
        """A socket of the server's own: linked, served to a client, and brought out; what nbdkit could not reach is refused."""
        file, place = self.server.root / "at-socket", self.server.root / "socket"
        file.write_bytes(self.data)
        uri = f"nbd+unix:///?socket={place}"
        with on_socket(place, file):
            self.leatctl("image", "link", "unix", uri, "--publish")
            self.assertEqual(uri, json.loads(self.leatctl("image", "show", "unix", "--json"))[0]["source"])
            self.out("unix")
            self.leatctl("disk", "add", "unix", "--image", "unix", "--mode", "read-only")
            disk, = self.server.client(2, "unix").hello()[1]["disks"]
            nbdkit = Nbdkit(self.server)
            try:
                out = self.server.root / "served-at-socket"
                subprocess.run(["nbdcopy", nbdkit.uri(disk["export"]), out], check=True, capture_output=True, timeout=60)
                self.assertEqual(self.data, out.read_bytes())
            finally:
                nbdkit.end()
        fields = {"size": len(self.data), "state": "published"}
        for source, why in ((f"nbd+unix:///?socket={place.name}", "absolute path"), ("nbds+unix:///e", "absolute path"),
                            (f"nbd+unix://u:p@/?socket={place}", "has a password")):
            with self.assertRaises(Refused) as caught:
                self.server.api("POST", "images/unix/versions", {"source": source, **fields})
            error = caught.exception
            self.assertEqual((422, True), (error.status, why in error.body["error"]), error.body)

    def test_ceph(self):
        """What is refused; that it works is shown with a cluster, in tests/system/test_nbdkit_images.py."""
        self.server.api("POST", "images", {"name": "ceph"})
        self.server.api("POST", "images/ceph/versions", {"source": "rbd:rbd/debian", "size": 4096, "state": "published"})
        said = self.refused("image", "export", "ceph", self.server.root / "x", "--ceph", "/nowhere")
        self.assertIn("rbd:rbd/debian is in a Ceph cluster, and there is no /nowhere: say --ceph FILE", said)
        self.assertIn("rbd:POOL/IMAGE", self.refused("image", "link", "ceph", "rbd:a,conf=b/c"))
        self.assertIn("image import takes files", self.refused("image", "link", "ceph", "/etc/passwd"))

    def test_merge(self):
        self.server.api("POST", "images", {"name": "far"})
        self.server.api("POST", "images/far/versions", {"source": "rbd:rbd/far", "size": 4096, "state": "published"})
        self.server.api("POST", "disks", {"name": "far", "image": "far", "mode": "server"})
        self.server.client(1, "far").hello()
        difference, = self.server.items("differences")
        said = self.refused("difference", "merge", difference["id"])
        self.assertIn("version 1 of far is rbd:rbd/far, no file of this server: only over a file can a difference be", said)
        self.assertEqual([], list(Path(self.server.folder / "images").iterdir()))
