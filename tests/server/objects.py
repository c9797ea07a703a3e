# SPDX-License-Identifier: BSD-2-Clause
"""A web server with objects in memory, as clients of HTTP and of S3 want one: HEAD, GET with a range, tags. No keys."""
import hashlib
import http.server
import re
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_data):
        data = self.server.objects.get(self.path)
        tag = f'"{hashlib.md5(data).hexdigest()}"' if data is not None else None
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        status, part = 200, data
        if data is None:
            status, part = 404, b""
        elif self.headers.get("If-Match", tag) != tag:
            status, part = 412, b""
        elif wanted:
            status, part = 206, data[int(wanted[1]):int(wanted[2]) + 1]
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        if tag and self.server.has_tags:
            self.send_header("ETag", tag)
        self.end_headers()
        if with_data:
            self.wfile.write(part)

    def log_message(self, *_):
        pass


class Objects(http.server.ThreadingHTTPServer):
    """objects: path -> bytes; may be changed at any time."""

    def __init__(self, has_tags=True):
        super().__init__(("127.0.0.1", 0), Handler)
        self.daemon_threads = True
        self.objects, self.has_tags, self.port = {}, has_tags, self.server_address[1]
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def end(self):
        self.shutdown()
        self.server_close()
        self.thread.join(60)
