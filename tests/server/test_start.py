# SPDX-License-Identifier: BSD-2-Clause
"""What a start needs beside the disks: kernel, initrd, command line, menu, the choice, reports."""
import hashlib
import os
import subprocess
import threading
import time

from case import ServerCase
from server import SLOW

KERNEL = bytes(range(256)) * 1024  # 256 KiB: many pieces


class Start(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        api, folder = cls.server.api, cls.server.folder / "images"
        (folder / "vmlinuz").write_bytes(KERNEL)
        (folder / "initrd.img").write_bytes(b"initrd")
        for name in ("debian", "tools"):
            cls.server.image(name, 1 << 20, version=False)
        api("POST", "images/debian/versions", {"source": "debian.raw", "state": "published", "kernel": "vmlinuz",
                                               "initrd": "initrd.img", "cmdline": "root=/dev/vda1 ro"})
        api("POST", "images/tools/versions", {"source": "tools.raw", "state": "published"})
        for name in ("debian", "tools"):
            api("POST", "disks", {"name": name, "image": name, "mode": "server"})
        api("POST", "disks", {"name": "empty", "mode": "private", "size": 4096})

    def disks(self, client):
        status, answer = client.hello()
        self.assertEqual(200, status, answer)
        return {d["name"]: d for d in answer["disks"]}, answer["menu"]

    def test_files(self):
        client = self.server.client(1, "debian")
        self.server.api("POST", "assignments", {"client": client.uuid, "disk": "empty", "start": "always"})
        disks, _ = self.disks(client)
        disk = disks["debian"]
        self.assertEqual({"path": "/client/v1/file/debian/kernel", "size": len(KERNEL),
                          "sha256": hashlib.sha256(KERNEL).hexdigest()}, disk["kernel"])
        self.assertEqual(("menu", "root=/dev/vda1 ro", None), (disk["start"], disk["cmdline"], disk["profile"]))
        self.assertEqual(("always", None, None, "", None), tuple(disks["empty"][n] for n in (
            "start", "kernel", "initrd", "cmdline", "profile")))
        self.assertEqual((200, KERNEL), client.get(disk["kernel"]["path"])[:2])
        self.assertEqual((200, b"initrd"), client.get(disk["initrd"]["path"])[:2])

    def test_range(self):
        client = self.server.client(2, "debian")
        path = self.disks(client)[0]["debian"]["kernel"]["path"]
        status, data, headers = client.get(path, "bytes=100000-")
        self.assertEqual((206, KERNEL[100000:]), (status, data))
        self.assertEqual(f"bytes 100000-{len(KERNEL) - 1}/{len(KERNEL)}", headers["content-range"])
        self.assertEqual((206, KERNEL[-1:]), client.get(path, f"bytes={len(KERNEL) - 1}-")[:2])
        status, _, headers = client.get(path, f"bytes={len(KERNEL)}-")
        self.assertEqual((416, f"bytes */{len(KERNEL)}"), (status, headers["content-range"]))
        for odd in ("bytes=0-", "bytes=5-7", "bytes=-5", "bytes=1-,3-", "bytes=x-", "lines=3-", "bytes=" + "9" * 30 + "-"):
            self.assertEqual((200, KERNEL), client.get(path, odd)[:2], odd)

    def test_only_ones_own(self):
        client, other = self.server.client(3, "tools"), self.server.client(4, "debian")
        path = self.disks(other)[0]["debian"]["kernel"]["path"]
        self.disks(client)
        for path in (path, "/client/v1/file/tools/kernel", "/client/v1/file/debian/vmlinuz", "/client/v1/file/debian",
                     "/client/v1/file/debian/kernel/x", "/client/v1/file/none/kernel", "/client/v1/file/tools/profile"):
            self.assertEqual(404, client.get(path)[0], path)
        thief = self.server.client(5, "debian")
        thief.session = other.session
        self.assertEqual(401, thief.get("/client/v1/file/debian/kernel")[0])
        other.bye()
        self.assertEqual(401, other.get("/client/v1/file/debian/kernel")[0])

    def test_what_a_file_may_be(self):
        api, folder = self.server.api, self.server.folder / "images"
        (folder / "nothing").write_bytes(b"")
        (folder / "folder").mkdir()
        os.mkfifo(folder / "pipe")
        for name in ("../leat.db", "/etc/passwd", "gone", "nothing", "folder", "pipe", "http://x/y", ""):
            self.refused(422, "PATCH", "images/tools/versions/1", {"kernel": name}, "kernel")
        self.refused(422, "PATCH", "images/tools/versions/1", {"kernel_size": 1}, "no kernel_size")
        self.refused(422, "PATCH", "images/tools/versions/1", {"cmdline": "x" * 2048}, "too long")
        with open(folder / "huge", "wb") as huge:
            huge.truncate((512 << 20) + 1)
        self.refused(422, "PATCH", "images/tools/versions/1", {"initrd": "huge"}, "512 MiB")
        (folder / "changing").write_bytes(b"one")
        shown = api("PATCH", "images/tools/versions/1", {"kernel": "changing", "cmdline": "quiet"})
        self.assertEqual(("changing", 3, hashlib.sha256(b"one").hexdigest(), None, "quiet"), tuple(shown[n] for n in (
            "kernel", "kernel_size", "kernel_sha256", "initrd", "cmdline")))
        client = self.server.client(6, "tools")
        path = self.disks(client)[0]["tools"]["kernel"]["path"]
        (folder / "changing").write_bytes(b"another")
        self.assertEqual(404, client.get(path)[0])
        (folder / "changing").unlink()
        self.assertEqual(404, client.get(path)[0])
        shown = api("PATCH", "images/tools/versions/1", {"kernel": None, "cmdline": ""})
        self.assertEqual((None, None, None), tuple(shown[n] for n in ("kernel", "kernel_size", "kernel_sha256")))

    def test_many_at_once(self):
        """Machines that take their file slowly keep nobody waiting."""
        client = self.server.client(7, "debian")
        path = self.disks(client)[0]["debian"]["kernel"]["path"]
        found = []
        others = [self.server.client(200 + i, "debian") for i in range(16)]
        for other in others:
            self.assertEqual(200, other.hello()[0])
        threads = [threading.Thread(target=lambda other=other: found.append(other.get(path)[:2])) for other in others]
        for thread in threads:
            thread.start()
        for _ in range(5):
            self.assertEqual(200, client.renew()[0])
        for thread in threads:
            thread.join(120)
        self.assertEqual([(200, KERNEL)] * 16, found)

    def test_menu(self):
        api = self.server.api
        api("POST", "groups", {"name": "room"})
        client = self.server.client(8, "debian", group="room")
        api("POST", "assignments", {"client": client.uuid, "disk": "tools", "default": True})
        always = api("POST", "assignments", {"client": client.uuid, "disk": "empty", "start": "always"})
        self.assertEqual({"timeout": 10, "default": "tools"}, self.disks(client)[1])
        self.assertEqual((200, {}), client.request("POST", "chosen", {"disks": ["empty", "debian"]}, client.session))
        self.assertTrue(self.events("session", "lab-08 starts empty debian"))
        self.assertEqual("empty debian", api("GET", "clients/lab-08")["chosen"])
        api("PATCH", "groups/room", {"menu_timeout": 0})
        self.assertEqual({"timeout": 0, "default": "debian"}, self.disks(client)[1])
        for one in self.server.items("assignments?limit=1000"):
            if one["client"] == client.uuid and one["disk"] == "debian":
                api("DELETE", f"assignments/{one['id']}")
        api("PATCH", "groups/room", {"menu_timeout": None})
        self.assertEqual({"timeout": 10, "default": "tools"}, self.disks(client)[1])
        for bad in ({}, {"disks": "tools"}, {"disks": ["debian"]}, {"disks": ["tools", "tools"]}, {"disks": [1]},
                    {"disks": ["tools"] * 65}, {"disks": [""]}, {"disks": ["tools empty"]}):
            status, answer = client.request("POST", "chosen", bad, client.session)
            self.assertEqual((422, True), (status, "disks" in answer["error"]), bad)
        self.refused(422, "PATCH", f"assignments/{always['id']}", {"start": "never"}, "none of the words")
        self.refused(422, "PATCH", "groups/room", {"menu_timeout": -1}, "range")

    def test_report(self):
        client = self.server.client(9, "debian")
        client.hello()
        report = {"boot": [{"ms": 12, "what": "hello"}], "vms": [{"name": "debian", "state": "runs"}],
                  "disks": [{"name": "debian", "deep": [{"a": [1]}]}]}
        self.assertEqual(200, client.renew(body={"report": report})[0])
        self.assertEqual(200, client.renew()[0])  # one without keeps it
        session, = [s for s in self.server.items("sessions") if s["client"] == client.uuid and s["ended"] is None]
        self.assertEqual(report, self.server.api("GET", f"sessions/{session['id']}")["report"])
        for bad in ({"report": "x"}, {"report": [1]}, {"report": {"x": "y" * (16 << 10)}}, {"report": None}):
            self.assertEqual(422, client.renew(body=bad)[0])
        self.assertEqual(report, self.server.api("GET", f"sessions/{session['id']}")["report"])
        self.assertEqual(200, client.renew(body={"report": {}})[0])
        self.assertEqual({}, self.server.api("GET", f"sessions/{session['id']}")["report"])


class Slow(ServerCase):
    """A file that takes longer than a request may, on a slow link, comes whole: what counts is that it goes on."""

    times = {"request": 2}

    def test_slow_link(self):
        size = 24 << 20  # more than the buffers between take at once
        self.server.image("large", 4096, version=False)
        with open(self.server.folder / "images" / "initrd", "wb") as file:
            file.truncate(size)
        self.server.api("POST", "images/large/versions", {"source": "large.raw", "state": "published", "initrd": "initrd"})
        self.server.api("POST", "disks", {"name": "large", "image": "large"})
        client = self.server.client(1, "large")
        client.hello()
        began, got = time.monotonic(), 0
        with subprocess.Popen(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{self.server.client_port}",
                               "-psk_identity", client.uuid, "-psk", client.key, "-ign_eof"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as link:
            link.stdin.write(f"GET /client/v1/file/large/initrd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                             f"Authorization: Bearer {client.session}\r\n\r\n".encode())
            link.stdin.flush()
            while piece := link.stdout.read1(256 << 10):
                got += len(piece)
                time.sleep(len(piece) * 4 * SLOW / size)
        self.assertGreater(got, size)
        self.assertGreater(time.monotonic() - began, 3 * SLOW)
