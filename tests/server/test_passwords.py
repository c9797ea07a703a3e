# SPDX-License-Identifier: BSD-2-Clause
"""Administrators' new passwords: nobody waits for their hashes, and whatever happens meanwhile, each is there with its audit
entry or not at all."""
import http.client
import json
import signal

from case import ServerCase

MANY = 24
LATE = MANY // 3  # as many may be made before who came after them is answered: one would be enough, a loaded host has more


class Passwords(ServerCase):
    def setUp(self):
        super().setUp()
        self.server.token = self.server.token or self.server.login()
        self.headers = {"Authorization": f"Bearer {self.server.token}"}
        self.made = [f"{self._testMethodName[5:]}-{number:02}" for number in range(MANY)]

    def connect(self):
        """A connection that leatd knows already."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.admin_port, timeout=60)
        self.addCleanup(connection.close)
        connection.request("GET", "/api/v1/status", headers=self.headers)
        connection.getresponse().read()
        return connection

    def at_once(self, requests):
        """Connections with a request each, (method, path, body or None), that leatd finds all at the same moment."""
        connections = [self.connect() for _ in requests]
        self.server.process.send_signal(signal.SIGSTOP)
        try:
            for connection, (method, path, body) in zip(connections, requests, strict=True):
                connection.request(method, f"/api/v1/{path}", body and json.dumps(body), self.headers)
        finally:
            self.server.process.send_signal(signal.SIGCONT)
        return connections

    def creations(self):
        return [("POST", "admins", {"name": name, "password": f"password of {name}"}) for name in self.made]

    def changes(self):
        values = ", ".join(f"('{name}', 'none', 1, 0)" for name in self.made)
        self.server.change(f"INSERT INTO admin (name, password, enabled, created) VALUES {values}")
        return [("PATCH", f"admins/{name}", {"password": f"password of {name}"}) for name in self.made]

    def audited(self, entries):
        return sorted(e["object"].split()[1] for e in entries if e["object"].split()[-1] in self.made)

    def stored(self):
        """Who has a password that was hashed."""
        return sorted(name for name, in self.server.sql("SELECT name FROM admin WHERE password LIKE '$argon2id$%'")
                      if name in self.made)

    def answers(self, requests):
        """Who asks for the audit log as the first, in the middle and as the last of them sees how many are made by then."""
        middle = len(requests) // 2
        look = ("GET", "audit?limit=1000", None)
        connections = self.at_once([look, *requests[:middle], look, *requests[middle:], look])
        answers = [connection.getresponse() for connection in connections]
        seen = [len(self.audited(json.loads(answers[i].read())["items"])) for i in (0, middle + 1, -1)]
        print(f"(made before: {seen})", end=" ")
        self.assertLessEqual(max(seen), LATE)
        self.assertEqual({2}, {answer.status // 100 for answer in answers})
        self.assertEqual(self.made, self.audited(self.server.items("audit?limit=1000")))
        self.assertEqual(self.made, self.stored())
        self.server.login(self.made[-1], f"password of {self.made[-1]}")

    def test_created(self):
        self.answers(self.creations())

    def test_changed(self):
        self.answers(self.changes())

    def whole(self):
        """What is there has its audit entry, and the other way round."""
        stored = self.stored()
        self.assertEqual(self.audited(self.server.items("audit?limit=1000")), stored)
        return stored

    def test_killed(self):
        """Between two of them: what was answered is there."""
        connections = self.at_once(self.changes())
        answered = connections[0].getresponse().status
        self.server.kill()
        self.server.start()
        self.assertEqual(200, answered)
        self.assertIn(self.made[0], self.whole())
        self.server.login(self.made[0], f"password of {self.made[0]}")

    def test_left(self):
        """Who has gone before the answer: leatd goes on, with the one who comes after him in the same lane."""
        for connection in self.at_once(self.creations()):
            connection.close()
        self.server.api("POST", "admins", {"name": "after", "password": "password of after"})
        self.whole()
        self.server.login("after", "password of after")
