# SPDX-License-Identifier: BSD-2-Clause
"""The administrators' API: objects, what is refused, who may, and the audit log."""
import http.client
import json
import unittest

from case import ServerCase
from server import PASSWORD

UUID = "4c4c4544-0000-2010-8020-80c04f202020"


class Objects(ServerCase):
    def test_client(self):
        api = self.server.api
        api("POST", "groups", {"name": "room-1", "note": "first floor"})
        made = api("POST", "clients", {"uuid": UUID.upper(), "name": "pc-1", "group": "room-1", "note": "Grüße",
                                       "macs": ["52-54-00-AB-CD-EF"]})
        self.assertEqual((UUID, 64, ["52:54:00:ab:cd:ef"]), (made["uuid"], len(made["key"]), made["macs"]))
        shown = api("GET", "clients/pc-1")
        self.assertEqual({k: v for k, v in made.items() if k != "key"}, shown)
        self.assertEqual(shown, api("GET", f"clients/{UUID}"))
        changed = api("PATCH", "clients/pc-1", {"name": "pc-2", "enabled": False, "group": None})
        self.assertEqual(("pc-2", False, None), (changed["name"], changed["enabled"], changed["group"]))
        self.refused(404, "GET", "clients/pc-1", words="no client pc-1")
        self.assertNotEqual(made["key"], api("POST", "clients/pc-2/key")["key"])
        api("DELETE", "clients/pc-2")
        self.refused(404, "DELETE", "clients/pc-2")
        entries = [e for e in self.server.items("audit?limit=1000") if UUID in e["object"] or "pc-2" in e["object"]]
        self.assertEqual(["remove", "new key", "change", "create"], [e["action"] for e in entries])
        self.assertEqual([("anna", "127.0.0.1")] * 4, [(e["who"], e["address"]) for e in entries])
        self.assertEqual("pc-1", json.loads(entries[2]["before"])["name"])
        self.assertEqual("pc-2", json.loads(entries[2]["after"])["name"])
        self.assertNotIn(made["key"], json.dumps(entries) + self.server.log.read_text())
        self.refused(405, "DELETE", f"audit/{entries[0]['id']}")

    def test_what_a_client_may_not_be(self):
        good = {"uuid": "4c4c4544-0000-2010-8020-80c04f202021", "name": "other"}
        for change, words in (({"uuid": "4c4c4544"}, "uuid has to be a UUID"), ({"name": "UPPER"}, "name has to be"),
                              ({"name": ""}, "name has to be"), ({"name": "x" * 64}, "name has to be"),
                              ({"macs": ["52:54"]}, "no MAC"), ({"macs": "52:54:00:12:34:56"}, "array"),
                              ({"macs": ["52:54:00:12:34:56"] * 9}, "array"), ({"enabled": 1}, "true or false"),
                              ({"expires": -1}, "range"), ({"expires": 1.5}, "range"), ({"expires": 1e300}, "range"),
                              ({"group": "nobody"}, "no group nobody"), ({"psk": "00"}, "no psk"),
                              ({"created": 1}, "no created"), ({"key": "1"}, "no key"), ({"note": "x" * 501}, "too long"),
                              ({"name": None}, "has to be a text"), ({"name": ["a"]}, "has to be a text")):
            with self.subTest(change=change):
                self.refused(422, "POST", "clients", {**good, **change}, words)
        self.refused(422, "POST", "clients", {"uuid": good["uuid"]}, "name is missing")
        self.server.api("POST", "clients", good)
        self.refused(409, "POST", "clients", good, "such a client already")
        self.refused(422, "PATCH", "clients/other", {"uuid": UUID}, "cannot be changed")
        self.refused(422, "PATCH", "clients/other", {}, "changes nothing")

    def test_images_and_disks(self):
        api = self.server.api
        (self.server.folder / "images" / "a.raw").write_bytes(b"a" * 4096)
        (self.server.folder / "images" / "odd.raw").write_bytes(b"a" * 4097)
        header = b"QFI\xfb" + b"\0\0\0\3" + b"\0" * 16 + (1 << 30).to_bytes(8, "big")
        (self.server.folder / "images" / "a.qcow2").write_bytes(header)
        api("POST", "images", {"name": "a"})
        self.assertEqual(4096, api("POST", "images/a/versions", {"source": "a.raw"})["size"])
        second = api("POST", "images/a/versions", {"source": "a.qcow2", "format": "qcow2", "root_hash": "ab" * 32,
                                                   "root_blocks": 1 << 18})
        self.assertEqual((2, 1 << 30, "draft"), (second["number"], second["size"], second["state"]))
        third = api("POST", "images/a/versions", {"source": "nbd://store:10809/a", "size": 512})
        self.assertEqual("nbd://store:10809/a", third["source"])
        for body, words in (({"source": "../leat.db"}, "path in the image folder"), ({"source": "/etc/passwd"}, "path"),
                            ({"source": "gone.raw"}, "not a file"), ({"source": "odd.raw"}, "512"),
                            ({"source": "a.raw", "format": "qcow2"}, "no qcow2"), ({"source": "a.raw", "size": 512}, "size"),
                            ({"source": "nbd://x/y"}, "size"), ({"source": "http://me:pw@x/y", "size": 512}, "has a password"),
                            ({"source": "file:///etc/passwd", "size": 512}, "path"),
                            ({"source": "a.raw", "format": "vmdk"}, "none of the words"),
                            ({"source": "a.raw", "root_hash": "x"}, "root_hash"), ({"source": "."}, "path")):
            with self.subTest(body=body):
                self.refused(422, "POST", "images/a/versions", body, words)
        self.refused(404, "POST", "images/b/versions", {"source": "a.raw"}, "no image b")
        for number in ("1abc", "x", "-1", "1.0"):
            self.refused(404, "GET", f"images/a/versions/{number}", words="no version")
            self.refused(404, "PATCH", f"images/a/versions/{number}", {"state": "published"})
            self.refused(404, "DELETE", f"images/a/versions/{number}/profile")
        self.refused(400, "GET", "images/a/versions?after=1abc", words="number")
        self.assertEqual([1, 2, 3], [v["number"] for v in self.server.items("images/a/versions")])
        self.assertEqual("published", api("PATCH", "images/a/versions/2", {"state": "published"})["state"])
        self.refused(422, "PATCH", "images/a/versions/2", {"source": "a.raw"}, "cannot be changed")
        api("POST", "disks", {"name": "first", "image": "a", "version": 1, "mode": "ram"})
        self.refused(409, "DELETE", "images/a/versions/1", words="still needed")
        self.refused(409, "DELETE", "images/a", words="still needed")
        self.refused(422, "POST", "disks", {"name": "second", "image": "a", "version": 9}, "no version 9")
        self.refused(409, "PATCH", "disks/first", {"version": 9}, "not there")
        self.refused(422, "POST", "disks", {"name": "second", "mode": "ram"}, "private")
        self.refused(422, "POST", "disks", {"name": "second", "mode": "private", "size": 1000}, "512")
        self.refused(422, "POST", "disks", {"name": "third", "mode": "private", "size": (1 << 46) + 512}, "range")
        api("POST", "disks", {"name": "third", "mode": "private", "size": 1 << 46})
        self.refused(422, "PATCH", "disks/first", {"mode": "private"}, "cannot be changed")
        api("POST", "assignments", {"group": api("POST", "groups", {"name": "g"})["name"], "disk": "first"})
        self.refused(422, "POST", "assignments", {"disk": "first"}, "either")
        self.refused(422, "POST", "assignments", {"group": "g", "disk": "none"}, "no disk none")
        self.refused(409, "DELETE", "disks/first", words="assigned")
        api("DELETE", "images/a/versions/3")

    def test_pages(self):
        for i in range(7):
            self.server.api("POST", "groups", {"name": f"page-{i}"})
        seen, path = [], "groups?limit=3"
        while path:
            page = self.server.api("GET", path)
            self.assertLessEqual(len(page["items"]), 3)
            seen += [g["name"] for g in page["items"]]
            path = page["next"] and f"groups?limit=3&after={page['next']}"
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(7, sum(name.startswith("page-") for name in seen))
        for limit in ("0", "1001", "x", "", "1x", "-1"):
            self.refused(400, "GET", f"groups?limit={limit}", words="limit")

    def test_who_may(self):
        self.refused(401, "GET", "clients", token="")
        for token in ("a." + "A" * 43, "x", "s." + "A" * 43, self.server.token[:-1], "' OR 1=1 --"):
            self.refused(401, "GET", "clients", token=token)
        self.refused(401, "POST", "login", {"name": "anna", "password": "wrong"}, "wrong", token="")
        self.refused(401, "POST", "login", {"name": "nobody", "password": PASSWORD}, "wrong", token="")
        made = self.server.api("POST", "tokens", {"note": "for a script", "expires": 4102444800})
        token = made["token"]
        self.server.api("GET", "clients", token=token)
        self.assertNotIn(token, json.dumps(self.server.items("audit")) + json.dumps(self.server.items("tokens")))
        self.server.api("DELETE", f"tokens/{made['id']}")
        self.refused(401, "GET", "clients", token=token)
        self.server.api("POST", "admins", {"name": "bert", "password": "bert's password"})
        bert = self.server.login("bert", "bert's password")
        self.server.api("PATCH", "admins/bert", {"enabled": False})
        self.refused(401, "GET", "clients", token=bert)
        self.refused(401, "POST", "login", {"name": "bert", "password": "bert's password"}, token="")
        self.server.api("PATCH", "admins/bert", {"enabled": True})
        first, second = (self.server.login("bert", "bert's password") for _ in range(2))
        self.server.api("PATCH", "admins/bert", {"password": "another password"}, token=first)
        self.refused(401, "GET", "clients", token=second)
        self.server.api("GET", "clients", token=first)
        self.server.api("PATCH", "admins/bert", {"password": "bert's password"})
        self.refused(401, "GET", "clients", token=first)
        token = self.server.login("bert", "bert's password")
        self.server.add_admin("bert", "bert's password")
        self.refused(401, "GET", "clients", token=token)
        self.refused(422, "POST", "admins", {"name": "carl", "password": "short"}, "10 to 200")
        text = json.dumps(self.server.items("admins")) + json.dumps(self.server.items("audit")) + self.server.log.read_text()
        self.assertNotIn("argon2", text)
        self.assertNotIn("bert's password", text)
        token = self.server.login()
        self.server.api("POST", "logout", token=token)
        self.refused(401, "GET", "clients", token=token)

    def test_hostile(self):
        token, raw = self.server.token or self.server.login(), self.server.raw
        deep = '{"name": ' + "[" * 50000 + "]" * 50000 + "}"
        for body, words in ((b"", b"needs"), (b"{", b"not JSON"), (b"[]", b"object"), (b'{"name": "a"} x', b"not JSON"),
                            (b'{"name": "a", "name": "b"}', b"twice"), (b'{"name": "a\\u0000b"}', b"NUL"),
                            (b'{"name": "a\0b"}', b"NUL"), (b'{"name": "\xff"}', b"UTF-8"),
                            (b'{"name": "a", "\xff": 1}', b"UTF-8"),
                            (b'{"name": "a", "note": "\\ud800"}', b"not JSON"), (b'{"name": "a", "note": "\\u0007"}', b"control"),
                            (b'{"name": "a", "note": "\xed\xa0\x80"}', b"UTF-8"), (deep[:60000].encode(), b"deep"),
                            (b'{"name": NaN}', b"not JSON"), (b'{"name": "\'; DROP TABLE client; --"}', b"name has to be")):
            with self.subTest(body=body[:40]):
                status, answer = raw("POST", "/api/v1/groups", body, token)
                self.assertIn(status, (400, 422))
                self.assertIn(words, answer)
        # What is repeated of it is cut between characters: each answer is UTF-8.
        self.refused(422, "POST", "groups", {"name": "a", "a" + "ü" * 100: 1}, "a group has no a" + "ü" * 31 + " that")
        self.refused(422, "POST", "images/a/versions", {"source": "a" + "ü" * 100}, "ü")
        status, answer = raw("POST", "/api/v1/groups", b'{"name": "' + b"a" * (65 << 10) + b'"}', token)
        self.assertEqual(413, status)
        for path in ("/api/v1", "/api/v1/", "/api/v1/none", "/api/v1/clients/", "/api/v1//clients", "/api/v1/clients/a/b",
                     "/client/v1/hello", "/api/v1/clients/%00", "/api/v1/clients/..%2f..", "/" + "a" * 2000,
                     "/api/v1/images/a/versions/1/2/3/4/5", "/api/v1/clients/' OR 1=1"):
            with self.subTest(path=path):
                self.assertIn(raw("GET", path.replace(" ", "%20"), None, token)[0], (400, 404))
        self.assertEqual(405, raw("PUT", "/api/v1/groups/a", b"{}", token)[0])
        self.assertEqual(405, raw("BREW", "/api/v1/groups", None, token)[0])
        self.assertEqual(404, raw("GET", "/api/v1/images/a/versions/99999999999999999999", None, token)[0])


class Limits(ServerCase):
    def test_account(self):
        for _ in range(5):
            self.refused(401, "POST", "login", {"name": "anna", "password": "wrong"}, token="")
        self.refused(429, "POST", "login", {"name": "anna", "password": PASSWORD}, "wait", token="")
        for i in range(14):
            self.refused(401, "POST", "login", {"name": f"other-{i}", "password": "wrong"}, token="")
        self.refused(429, "POST", "login", {"name": "last", "password": "wrong"}, "wait", token="")
        # Names that an address tries when it is over its own limit make nothing forgotten.
        connection = http.client.HTTPConnection("127.0.0.1", self.server.admin_port, timeout=30)
        self.assertEqual({429}, {self.attempt(connection, f"more-{i}") for i in range(1100)})
        connection.close()
        other = http.client.HTTPConnection("127.0.0.1", self.server.admin_port, timeout=30, source_address=("127.0.0.2", 0))
        self.assertEqual(429, self.attempt(other, "anna", PASSWORD))
        self.assertEqual(401, self.attempt(other, "else"))
        other.close()

    def attempt(self, connection, name, password="wrong"):
        connection.request("POST", "/api/v1/login", json.dumps({"name": name, "password": password}))
        answer = connection.getresponse()
        answer.read()
        return answer.status


if __name__ == "__main__":
    unittest.main()
