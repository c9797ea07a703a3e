#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_nbdkit_silent.py PLUGIN LEAT_DIFFERENCE [TestClass.test_name ...]: nbdkit with Leat's plugin, and images on servers that
take requests and answer late, or never."""
import http.server
import os
import re
import socketserver
import sys
import threading
import time

import vdisk_case
from nbdkit_case import OTHER, TOKEN, Plugin
from vdisk_case import MIB, RawClient, wait_for

TOOL = sys.argv.pop(2)
CONTENT = os.urandom(MIB)
LATE = 10
STOP = 20  # leat-nbdkit.service, TimeoutStopSec
SILENT = 60  # a read waits 30 s; this host may be slow


class Handler(http.server.BaseHTTPRequestHandler):
    """/KIND/...: the content; of KIND `slow` each part after LATE seconds, of `silent` never, of `deaf` not even the size."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def wait(self, *kinds):
        self.server.asked.append(self.path)
        kind = self.path.split("/")[1]
        if kind in kinds:
            self.server.ends.wait(LATE if kind == "slow" else None)

    def do_HEAD(self):
        self.wait("deaf")
        self.send_response(200)
        for header in (("Content-Length", str(MIB)), ("Accept-Ranges", "bytes"), ("ETag", '"one"')):
            self.send_header(*header)
        self.end_headers()

    def do_GET(self):
        begin, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        self.wait("silent", "slow")
        self.send_response(206)
        self.send_header("Content-Length", str(last + 1 - begin))
        self.send_header("Content-Range", f"bytes {begin}-{last}/{MIB}")
        self.end_headers()
        self.wfile.write(CONTENT[begin:last + 1])


class Web(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.ends = [], threading.Event()

    def handle_error(self, *_):
        """Who has asked is gone."""


class Silent(Plugin):
    def setUp(self):
        super().setUp()
        self.web = Web()
        serving = threading.Thread(target=self.web.serve_forever, daemon=True)
        serving.start()
        for end in (self.web.server_close, serving.join, self.web.shutdown, self.web.ends.set):
            self.addCleanup(end)
        self.url = f"http://127.0.0.1:{self.web.server_address[1]}"
        with open(self.path("s3.conf"), "w", encoding="ascii") as f:
            f.write(f"[default]\nendpoint = {self.url}\n")
        os.chmod(self.path("s3.conf"), 0o600)
        self.s3 = f"s3={self.path('s3.conf')}"

    def client(self, path, token):
        client = RawClient(path, token.encode())
        client.socket.settimeout(600)
        self.addCleanup(client.socket.close)
        return client

    def begin_read(self, client, *more):
        """A read in a thread of its own; in its list then: what was read, or the error, and after how long."""
        result, begin = [], time.monotonic()

        def read():
            try:
                result.append(client.read(4096, 512))
            except OSError as e:
                result.append(e)
            result.append(time.monotonic() - begin)
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread, result, *more

    def asked(self, kind):
        return sum(path.startswith(f"/{kind}/") for path in self.web.asked)

    def test_answers(self):
        """One that answers late is waited for, and each of those that ask at the same time; one that never does is an error."""
        kinds = {"x.webSilent": f"{self.url}/silent/a", "x.s3Silent": "s3://silent/a",
                 "x.webSlow": f"{self.url}/slow/a", "x.s3Slow": "s3://slow/a"}
        for token, uri in kinds.items():
            self.grant(token, uri=uri, size=MIB)
            self.leatd.grants[token]["lease"] = "l-" + token[2:]
        p, port = self.nbdkit_by_tcp(parameters=[self.s3])
        # nbdkit's curl plugin asks for one thing after the other: the last of four has waited 40 s, and there were answers.
        reads = [self.begin_read(self.client(("127.0.0.1", port), token), token)
                 for token in kinds for _ in range(4 if token == "x.webSlow" else 1)]
        for thread, result, token in reads:
            thread.join(600)
            if "Slow" in token:
                self.assertEqual(result[0], CONTENT[4096:4608], (token, result[1], self.log_of(p)))
            else:
                self.assertIsNone(result[0])
                self.assertLess(result[1], SILENT, token)
        self.assertIn("its server does not answer", self.log_of(p))

    def test_ended(self):
        """SIGTERM ends nbdkit while a read waits, and an opening."""
        self.grant(uri=f"{self.url}/silent/a", size=MIB)
        self.grant(OTHER, uri="s3://deaf/a", size=MIB)
        p, port = self.nbdkit_by_tcp(parameters=[self.s3])
        self.begin_read(self.client(("127.0.0.1", port), TOKEN))
        opening = threading.Thread(target=self.run_tool, args=("nbdinfo", f"nbd://127.0.0.1:{port}/{OTHER}"),
                                   kwargs={"ok": False}, daemon=True)
        opening.start()
        wait_for(lambda: self.asked("silent") > 1 and self.asked("deaf"), 60, "the server is asked")
        children = self.children(p)
        self.assertEqual(len(children), 2)
        p.terminate()
        self.assertEqual(p.wait(STOP), 0)
        wait_for(lambda: not any(os.path.exists(b"/proc/" + c) for c in children), 60, "its children end")
        opening.join(60)

    def free(self):
        return self.run_tool(TOOL, "info", self.path("difference"), ok=False).returncode == 0

    def reads_over_silence(self, **fields):
        """nbdkit, and a read that waits, of a difference's image."""
        self.grant(mode="server", read_only=False, uri=f"{self.url}/silent/a", size=MIB, difference=self.path("difference"),
                   **fields)
        p, port = self.nbdkit_by_tcp()
        client = self.client(("127.0.0.1", port), TOKEN)
        self.assertEqual(client.write(0, b"abcd" * 1024), 0)
        read = self.begin_read(client)
        wait_for(lambda: self.asked("silent") > 1, 60, "the server is asked")
        self.assertFalse(self.free())
        return p, read

    def test_pause(self):
        """The lease's time is over: another server can have the disk, whatever the image's server does."""
        self.leatd.away, self.leatd.term = "pause", 3
        p, (thread, result) = self.reads_over_silence()
        self.leatd.stop()
        wait_for(self.free, STOP, "the difference is let go of")
        thread.join(60)
        self.assertIsInstance(result[0], (ConnectionError, type(None)))
        self.assertIn("looks for another server", self.log_of(p))

    def test_taken_away(self):
        p, _ = self.reads_over_silence()
        self.leatd.gone.add("l-" + TOKEN[2:8])
        wait_for(self.free, STOP, "the difference is let go of")
        wait_for(lambda: not self.children(p), STOP, "the child ends")


if __name__ == "__main__":
    vdisk_case.main(__doc__)
