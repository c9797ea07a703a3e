# SPDX-License-Identifier: BSD-2-Clause
"""The control socket of leatd (docs/server.md), played: what is granted, and to whom, the test says."""
import json
import os
import socket
import threading
import time


class Double:
    """grants: token -> what open answers (a grant, or a refusal). asked: all that was asked, in order."""

    def __init__(self, path):
        self.path, self.grants, self.asked, self.gone = path, {}, [], set()
        self.made = set()  # leases whose difference's file is there
        self.listener = None
        self.term = 60
        self.away = "hold"
        self.lock = threading.Lock()
        self.goes_on = threading.Event()  # cleared: it takes requests, and answers none
        self.goes_on.set()
        self.late = {}  # token -> an event that its open waits for
        self.start()

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.open = []
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """As if killed: nobody listens, and all connections are cut."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection, connection.makefile("rwb") as stream:
                for line in stream:
                    stream.write(self.answer(line))
                    stream.flush()
        except OSError:
            pass

    def answer(self, line):
        assert len(line) <= 4096, len(line)
        request = json.loads(line)
        self.goes_on.wait()
        if request.get("token") in self.late:
            self.late[request["token"]].wait()
        with self.lock:
            self.asked.append(request)
            what = getattr(self, "do_" + request["op"])(request)
        return what if isinstance(what, bytes) else json.dumps(what).encode() + b"\n"

    def do_open(self, request):
        grant = self.grants.get(request["token"], {"error": "no such export", "reason": "token"})
        if isinstance(grant, dict) and "lease" in grant:
            new = {"new": grant["lease"] not in self.made} if "difference" in grant else {}
            return {"expires": int(time.time()) + self.term, "renew": 1, "away": self.away, **new, **grant}
        return grant

    def do_renew(self, request):
        if request["lease"] in self.gone:
            return {"error": "the lease was taken away", "reason": "gone"}
        if request.get("made"):
            self.made.add(request["lease"])
        return {"expires": int(time.time()) + self.term, "away": self.away}

    def do_close(self, _):
        return {}

    def count(self, op):
        with self.lock:
            return sum(r["op"] == op for r in self.asked)
