# SPDX-License-Identifier: BSD-2-Clause
"""Servers of this host that have an image: nginx by https, radosgw by S3, nbdkit by NBD. A machine of QEMU's reaches them as
host.test (10.0.2.2)."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

import tls_files  # noqa: E402
from ceph_cluster import Bucket, Ceph  # noqa: E402
from machine import WITH_US  # noqa: E402
from ports import free_port  # noqa: E402

HOST = "host.test"
NGINX = """daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr; events {{}}
http {{ access_log off; root {folder}/web; {temporary}
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/web.pem; ssl_certificate_key {folder}/web-key.pem; }} }}
"""


class BackEnds:
    """self.sources: {name: URI}. self.ca: who vouches for nginx. self.s3: the text of a file for s3=."""

    def __init__(self, folder, content):
        self.processes, self.log = [], folder / "back-ends.log"
        (folder / "web").mkdir()
        (folder / "web" / "image").write_bytes(content)
        self.web_port, self.nbd_port = free_port(), free_port()
        self.serve_web(folder)
        self.start("nbdkit", "-f", "-r", "-i", "127.0.0.1", "-p", self.nbd_port, "file", folder / "web" / "image")
        (folder / "ceph").mkdir()
        self.ceph = Ceph(folder / "ceph")
        bucket = Bucket(self.ceph)
        bucket.put("/images")
        bucket.put("/images/debian/1.raw", content)
        self.s3 = (f"[images]\nendpoint = http://{HOST}:{bucket.port}\nregion = {bucket.region}\n"
                   f"access_key = {bucket.access}\nsecret_key = {bucket.secret}\n")
        self.sources = {"https": f"https://{HOST}:{self.web_port}/image", "s3": "s3://images/debian/1.raw",
                        "nbd": f"nbd://{HOST}:{self.nbd_port}"}

    def serve_web(self, folder):
        tls_files.authority(folder, "ca")
        tls_files.certificate(folder, "web", "ca", HOST)
        self.ca = (folder / "ca.pem").read_text()
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=self.web_port, temporary=temporary))
        self.start("/usr/sbin/nginx", "-c", folder / "nginx.conf")

    def start(self, *words):
        with open(self.log, "a") as log:
            self.processes.append(subprocess.Popen([*WITH_US, *map(str, words)], stdin=subprocess.DEVNULL, stderr=log))

    def said(self):
        """What they have said, and who of them has ended."""
        ended = [f"{p.args[len(WITH_US)]} has ended with {p.poll()}" for p in self.processes if p.poll() is not None]
        return "\n".join([self.log.read_text(), *ended])

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        if hasattr(self, "ceph"):
            self.ceph.close()
