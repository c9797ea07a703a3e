# SPDX-License-Identifier: BSD-2-Clause
"""Boot profiles: what one machine has needed, the next one streams."""
import hashlib
import time

import profiles
from case import ServerCase

SIZE = 1 << 20  # 256 blocks


class Profiles(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.made = 0

    def setUp(self):
        """An image of its own for each test."""
        type(self).made += 1
        self.image, self.disk = f"image-{self.made}", f"disk-{self.made}"
        self.server.image(self.image, SIZE)
        self.server.api("POST", "disks", {"name": self.disk, "image": self.image, "mode": "server"})

    def machine(self, number):
        client = self.server.client(self.made * 100 + number, self.disk)
        client.hello()
        return client

    def send(self, client, *runs, **more):
        return client.request("PUT", f"profile/{self.disk}", token=client.session, data=profiles.encode(SIZE, runs, **more))

    def told(self, client):
        """The runs of the profile that a hello names, once what was sent has been merged."""
        time.sleep(2.1)  # PROFILE_SETTLE of tools/leatd/profile.h
        file, = [d["profile"] for d in client.hello()[1]["disks"]]
        if not file:
            return None
        status, data, _ = client.get(file["path"])
        self.assertEqual((200, file["size"], file["sha256"]), (status, len(data), hashlib.sha256(data).hexdigest()))
        size, _, runs = profiles.decode(data)
        self.assertEqual(SIZE, size)
        return runs

    def test_the_next_machine(self):
        first, second = self.machine(1), self.machine(2)
        self.assertIsNone(first.hello()[1]["disks"][0]["profile"])
        self.assertEqual(200, self.send(first, (10, 4, 0), (100, 2, 50))[0])
        known = self.told(second)
        self.assertEqual([(10, 4, 0, 1), (100, 2, 50, 1)], known)
        # It sends what it knew, merged, with its own boot as the newest, as the engine does.
        self.assertEqual(200, self.send(second, (10, 4, 0, 3), (30, 1, 20, 1), (100, 2, 50, 2), boots=2)[0])
        third = self.machine(3)
        self.assertEqual([(10, 4, 0, 3), (30, 1, 20, 1), (100, 2, 50, 2)], self.told(third))  # also what only the first needed
        self.assertEqual({"blocks", "client", "changed", "id", "image", "size", "version"}, set(self.parts()[0]))
        names = [self.server.api("GET", f"clients/{c.uuid}")["name"] for c in (second, first)]
        self.assertEqual([*zip(names, (5, 6))], [(p["client"], p["blocks"]) for p in self.parts()])
        # A session goes on getting what it was told of, whatever comes in between.
        path = third.hello()[1]["disks"][0]["profile"]["path"]
        before = third.get(path)[1]
        self.send(first, (200, 1, 0))
        self.assertIn((200, 1, 0, 1), self.told(second))
        self.assertEqual((206, before[40:]), third.get(path, "bytes=40-")[:2])

    def parts(self):
        return [p for p in self.server.items("profiles") if p["image"] == self.image]

    def test_ten_machines(self):
        """What one of ten has needed is forgotten; what most need stands first; the last boot is kept whole."""
        for number in range(1, 11):
            own = [(200 + number, 1, 5)] if number in (1, 10) else []
            self.assertEqual(200, self.send(self.machine(number), *own, (10, 1, 7), (20, 1, 1500))[0])
        self.assertEqual(8, len(self.parts()))
        self.assertEqual([(10, 1, 5, 255), (210, 1, 7, 1), (20, 1, 1500, 255)], self.told(self.machine(11)))

    def test_hostile(self):
        client = self.machine(1)
        good = profiles.encode(SIZE, [(1, 1, 0)])
        for bad in (b"x", b"x" * (1 << 20), good[:-1], good + b"\0", good.replace(b"LEAT", b"LEAF"), good[:-1] + b"\2",
                    profiles.encode(SIZE * 2, [(1, 1, 0)]), profiles.encode(SIZE, [(256, 1, 0)]),
                    profiles.encode(SIZE, [(0, 257, 0)]), profiles.encode(SIZE, []),
                    profiles.encode(SIZE, [(1, 1, 5), (2, 1, 4)]),
                    profiles.encode(SIZE, [(1, 1, 0, 2)], boots=2), profiles.encode(SIZE, [(2**64 - 1, 2, 0)])):
            status, answer = client.request("PUT", f"profile/{self.disk}", token=client.session, data=bad)
            self.assertEqual((422, True), (status, "cannot be used" in answer["error"]))
        large = b"x" * ((1 << 20) + 1)
        self.assertEqual(413, client.request("PUT", f"profile/{self.disk}", token=client.session, data=large)[0])
        self.assertEqual(401, client.request("GET", f"profile/{self.disk}")[0])
        self.assertEqual(404, client.request("PUT", "profile/none", token=client.session, data=good)[0])
        self.assertEqual([], self.parts())
        statuses = [self.send(client, (1, 1, 0))[0] for _ in range(10)]
        self.assertIn(429, statuses)
        # The same block again and again is one.
        other = self.machine(2)
        self.assertEqual(200, self.send(other, *[(7, 1, i) for i in range(1000)])[0])
        self.assertEqual([(7, 1), (1, 1)], [r[:2] for r in self.told(self.machine(3))])

    def test_reset(self):
        client = self.machine(1)
        self.send(client, (1, 1, 0))
        path = f"images/{self.image}/versions/1/profile"
        token = self.server.token
        status, data = self.server.raw("GET", f"/api/v1/{path}", None, token)
        self.assertEqual((200, (SIZE, 1, [(1, 1, 0, 1)])), (status, profiles.decode(data)))
        self.server.api("DELETE", path)
        self.refused(404, "GET", path, words="no profile")
        self.assertEqual([], self.parts())
        self.assertIsNone(self.told(client))
        self.assertTrue([e for e in self.server.items("audit") if e["object"] == f"profile {self.image}/1"])
