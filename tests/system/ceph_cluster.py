# SPDX-License-Identifier: BSD-2-Clause
"""A Ceph cluster of one host in a folder: a monitor, an OSD that keeps everything in memory, and, for S3, radosgw."""
import contextlib
import datetime
import hashlib
import hmac
import http.client
import os
import subprocess
import time
import uuid
from pathlib import Path

from ports import free_port

CONFIG = """[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{port}]
mon initial members = a
public network = 127.0.0.0/8
keyring = {folder}/keyring
auth allow insecure global id reclaim = false
mon allow pool size one = true
mon data avail crit = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
mon data = {folder}/mon
osd data = {folder}/osd
run dir = {folder}
admin socket =
pid file =
log file = {folder}/$name.log
ms bind msgr1 = false
rgw enable apis = s3
"""
CAPS = {"mon.": ["mon", "allow *"], "client.admin": ["mon", "allow *", "osd", "allow *", "mgr", "allow *"],
        "osd.0": ["mon", "allow profile osd", "osd", "allow *"], "client.leat": ["mon", "profile rbd", "osd", "profile rbd"],
        "client.rgw": ["mon", "allow *", "osd", "allow *"]}
BOUND = 120  # seconds, on a slow host


class Ceph:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.config = self.folder / "ceph.conf"
        self.processes = []
        port, fsid, osd = free_port(), str(uuid.uuid4()), str(uuid.uuid4())
        for name in ("mon", "osd"):
            (self.folder / name).mkdir(parents=True)
        self.config.write_text(CONFIG.format(fsid=fsid, port=port, folder=self.folder))
        self.make_keys()
        self.run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{port}]", "--fsid", fsid, self.folder / "monmap")
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", self.folder / "monmap", "--keyring", self.folder / "keyring")
        self.spawn("ceph-mon", "-i", "a", "-f")
        self.run("ceph", "osd", "new", osd, feed="{}")
        self.run("ceph", "auth", "import", "-i", self.folder / "keyring")
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self.spawn("ceph-osd", "-i", "0", "-f")

    def make_keys(self):
        ring = self.folder / "keyring"
        for number, (name, caps) in enumerate(CAPS.items()):
            words = [word for who, what in zip(caps[::2], caps[1::2]) for word in ("--cap", who, what)]
            self.run("ceph-authtool", *(() if number else ("--create-keyring",)), ring, "--gen-key", "-n", name, *words)

    def run(self, *words, feed=None):
        done = subprocess.run([*map(str, words)], input=feed, capture_output=True, text=True, timeout=BOUND,
                              env={**os.environ, "CEPH_CONF": str(self.config)})
        if done.returncode:
            raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def spawn(self, *words):
        with open(self.folder / "out", "ab") as out:
            self.processes.append(subprocess.Popen([*words, "-c", self.config], stdin=subprocess.DEVNULL, stdout=out, stderr=out))

    def close(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def rbd(self, name, file):
        """A file as an image of the pool `rbd`, which is made with the first."""
        if "rbd" not in self.run("ceph", "osd", "pool", "ls").split():
            self.run("ceph", "osd", "pool", "create", "rbd", "4")
        self.run("rbd", "import", file, f"rbd/{name}")


class Bucket:
    """S3 by radosgw: one user, and PUT by requests that are signed here (AWS's "Signature Version 4")."""

    access, secret, region = "AKLEAT", "notForAnybodyElse", "us-east-1"

    def __init__(self, ceph):
        self.port = free_port()
        self.ceph = ceph
        ceph.spawn("radosgw", "-n", "client.rgw", "-f", f"--rgw-frontends=beast endpoint=127.0.0.1:{self.port}")
        end = time.monotonic() + BOUND
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                self.ask("GET", "/", sign=False)
                break
            time.sleep(0.1)
        ceph.run("radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=leat", "--display-name=leat",
                 f"--access-key={self.access}", f"--secret-key={self.secret}")

    def ask(self, method, path, body=b"", sign=True):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOUND)
        connection.request(method, path, body, self.signature(method, path, body) if sign else {})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def signature(self, method, path, body):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": f"127.0.0.1:{self.port}", "x-amz-content-sha256": digest, "x-amz-date": now}
        names = ";".join(headers)
        canonical = f"{method}\n{path}\n\n" + "".join(f"{k}:{v}\n" for k, v in headers.items()) + f"\n{names}\n{digest}"
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n" + hashlib.sha256(canonical.encode()).hexdigest()
        key = ("AWS4" + self.secret).encode()
        for part in (now[:8], self.region, "s3", "aws4_request", text):
            key = hmac.new(key, part.encode(), "sha256").digest()
        return {**headers, "Authorization": f"AWS4-HMAC-SHA256 Credential={self.access}/{scope}, SignedHeaders={names}, "
                                            f"Signature={key.hex()}"}

    def put(self, path, body=b""):
        status = self.ask("PUT", path, body)
        if status != 200:
            raise RuntimeError(f"PUT {path}: {status}")
