# SPDX-License-Identifier: BSD-2-Clause
"""What the web page is made of, without a browser: its files, its login in two parts, and the lists that it asks for."""
import http.client
import json
import ssl
import subprocess

from case import ServerCase
from server import Control, PASSWORD


class Page(ServerCase):
    def ask(self, method, path, body=None, headers=None):
        """(status, headers, bytes) of a browser's request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.admin_port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def login(self):
        """(cookie, the script's part, Set-Cookie as it came)."""
        status, headers, text = self.ask("POST", "/api/v1/login", {"name": "anna", "password": PASSWORD}, {"X-Leat-Page": "1"})
        self.assertEqual(200, status, text)
        answer = json.loads(text)
        self.assertEqual({"page", "expires"}, set(answer))
        kept = headers["Set-Cookie"]
        return kept.split(";")[0], answer["page"], kept

    def status(self, cookie=None, half=None, path="status"):
        headers = {name: value for name, value in (("Cookie", cookie), ("X-Leat-Page", half)) if value}
        return self.ask("GET", f"/api/v1/{path}", None, headers)[0]

    def test_files(self):
        for path, kind in (("/", "text/html"), ("/style.css", "text/css"), ("/app.js", "text/javascript"),
                           ("/icon.svg", "image/svg+xml")):
            status, headers, text = self.ask("GET", path)
            self.assertEqual((200, True, False), (status, text.startswith(b"<") or b"SPDX" in text, b"\0" in text))
            self.assertIn(kind, headers["Content-Type"])
            for name, words in (("Content-Security-Policy", "default-src 'none'"), ("X-Content-Type-Options", "nosniff"),
                                ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"), ("Cache-Control", "no-cache")):
                self.assertIn(words, headers[name])
            self.assertNotIn("unsafe", headers["Content-Security-Policy"])
            tag = headers["ETag"]
            status, headers, text = self.ask("GET", path, None, {"If-None-Match": tag})
            self.assertEqual((304, b"", tag), (status, text, headers["ETag"]))
            self.assertEqual(200, self.ask("GET", path, None, {"If-None-Match": '"x"'})[0])
        for path in ("/index.html", "/web.c", "/../style.css", "/style.css/", "//"):
            self.assertEqual(404, self.ask("GET", path)[0], path)
        self.assertIn(self.ask("POST", "/", {})[0], (404, 405))
        status, headers, _ = self.ask("GET", "/api/v1/status")
        self.assertEqual((401, "no-store"), (status, headers["Cache-Control"]))

    def test_two_parts(self):
        cookie, half, kept = self.login()
        name, _, value = cookie.partition("=")
        self.assertEqual(f"leat-{self.server.admin_port}", name)
        for words in ("HttpOnly", "SameSite=Strict", "Path=/api/v1"):
            self.assertIn(words, kept)
        self.assertNotIn("Max-Age", kept)
        self.assertEqual(200, self.status(cookie, half))
        other_cookie, other_half, _ = self.login()
        for wrong in ((cookie, None), (None, half), (cookie, other_half), (other_cookie, half), (cookie, "1"),
                      (cookie, half + "A"), (cookie + "A", half), (f"leat-1={value}", half), (cookie, half[:-1] + "'")):
            self.assertEqual(401, self.status(*wrong), wrong)
        self.assertEqual(200, self.status(path="status", cookie=f"x=1; {cookie}", half=half))
        # Another site's request comes without the header, whatever its method; the browser asks first if it may have one.
        self.assertEqual(401, self.ask("POST", "/api/v1/logout", None, {"Cookie": cookie})[0])
        self.assertEqual(405, self.ask("OPTIONS", "/api/v1/logout", None, {"Cookie": cookie, "Origin": "http://evil"})[0])
        # A token in Authorization is what counts, if there is one.
        self.assertEqual(401, self.ask("GET", "/api/v1/status", None, {"Cookie": cookie, "X-Leat-Page": half,
                                                                      "Authorization": "Bearer a." + "A" * 43})[0])
        status, headers, _ = self.ask("POST", "/api/v1/logout", None, {"Cookie": cookie, "X-Leat-Page": half})
        self.assertEqual(200, status)
        self.assertIn("Max-Age=0", headers["Set-Cookie"])
        self.assertEqual(401, self.status(cookie, half))
        self.assertEqual(200, self.status(other_cookie, other_half))
        log = self.server.log.read_text() + str(self.server.items("audit")) + str(self.server.sql("SELECT * FROM api_token"))
        for secret in (half, value, other_half):
            self.assertNotIn(secret, log)

    def test_without_the_page(self):
        status, headers, text = self.ask("POST", "/api/v1/login", {"name": "anna", "password": PASSWORD})
        self.assertEqual((200, None, {"token", "expires"}), (status, headers["Set-Cookie"], set(json.loads(text))))
        status, headers, _ = self.ask("POST", "/api/v1/login", {"name": "berta", "password": "wrong"}, {"X-Leat-Page": "1"})
        self.assertEqual((401, None), (status, headers["Set-Cookie"]))
        self.assertEqual("anna", self.server.api("GET", "status")["administrator"])

    def test_online(self):
        self.server.image("debian")
        for name, mode in (("root", "server"), ("data", "ram")):
            self.server.api("POST", "disks", {"name": name, "image": "debian", "mode": mode})
        self.server.api("POST", "groups", {"name": "on", "note": ""})
        machines = [self.server.client(number, "root", group="on") for number in (3, 1, 2)]
        self.server.api("POST", "assignments", {"client": "lab-01", "disk": "data"})
        answers = [machine.hello()[1] for machine in machines]
        control = Control(self.server)
        self.assertIn("lease", control.open(answers[1]["disks"][0]["export"]))

        def online(query=""):
            return self.server.items("online?" + query)
        self.assertEqual(["lab-01", "lab-02", "lab-03"], [item["name"] for item in online()])
        first = online("limit=1")[0]
        self.assertEqual(first["session"], self.server.items(f"sessions?client={machines[1].uuid}")[0]["id"])
        self.assertEqual([("data", "ram", "debian", 1, False), ("root", "server", "debian", 1, True)],
                         [(d["name"], d["mode"], d["image"], d["version"], d["open"]) for d in first["disks"]])
        nothing = {"boot": None, "vms": [], "profile": {"bytes": 0, "streamed": 0},
                   "traffic": {"ram": 0, "disk": 0, "network": 0}}
        self.assertEqual(nothing, {name: first[name] for name in nothing})
        self.assertEqual(["lab-02"], [item["name"] for item in online("limit=1&after=lab-01")])
        self.assertEqual(["lab-03"], [item["name"] for item in online("find=B-03&group=on")])
        self.assertEqual((3, []), (len(online("find=127.0.0")), online("group=room")))
        self.refused(400, "GET", "online?report=1", words="cannot be asked")
        self.refused(404, "GET", "online/lab-01")
        self.refused(404, "DELETE", "online")
        shared = {"profile": {"bytes": 500, "streamed_bytes": 400}}
        self.report(machines[1], {"boot": [{"ms": 5, "what": "hello"}, {"ms": 70, "what": "the end"}],
                                  "vms": [{"name": "root", "state": "runs"}],
                                  "disks": [{"ram_bytes": 7, "disk_bytes": 20, "network_bytes": 300, "shared": shared},
                                            {"ram_bytes": 3, "profile": {"bytes": 100, "streamed_bytes": 1}}]})
        self.assertEqual({"boot": {"ms": 70, "what": "the end"}, "vms": [{"name": "root", "state": "runs"}],
                          "profile": {"bytes": 600, "streamed": 401}, "traffic": {"ram": 10, "disk": 20, "network": 300}},
                         {name: online()[0][name] for name in nothing})
        # What a machine says is not believed.
        for report in ({"boot": 5, "vms": 5, "disks": 5}, {"boot": [5], "vms": [5, "x"], "disks": [5, "x", []]},
                       {"boot": {"x": 5}, "vms": {"x": 1}, "disks": {"x": {"shared": 5, "profile": 5, "ram_bytes": "9"}}},
                       {"disks": [{"ram_bytes": -5, "disk_bytes": None, "network_bytes": True, "shared": {"profile": 5}}]}):
            self.report(machines[1], report)
            self.assertEqual(nothing, {name: online()[0][name] for name in nothing}, report)
        self.report(machines[1], {"boot": [{"what": "ü" * 100}], "vms": [{"name": n} for n in range(50)] + [{}] * 20,
                                  "disks": [{"ram_bytes": 1e308, "profile": {"bytes": 5, "streamed_bytes": 9}}] * 3})
        item = online()[0]
        self.assertEqual(({"ms": 0, "what": "ü" * 40}, 8), (item["boot"], len(item["vms"])))
        self.assertEqual({"name": "", "state": ""}, item["vms"][0])
        self.assertEqual(({"bytes": 15, "streamed": 15}, 10 ** 15), (item["profile"], item["traffic"]["ram"]))
        machines[1].bye()
        self.assertEqual(["lab-02", "lab-03"], [item["name"] for item in online()])
        control.close()

    def report(self, client, report):
        self.assertEqual(200, client.renew(body={"report": report})[0])

    def test_lists(self):
        api, items = self.server.api, self.server.items
        api("POST", "groups", {"name": "room"})
        for number, name in enumerate(("zoe", "max_1", "max21", "adam")):
            api("POST", "clients", {"uuid": f"{number:08x}-0000-0000-0000-00000000abcd", "name": name,
                                    "group": "room" if number % 2 else None, "macs": [f"52:54:00:00:00:0{number}"]})

        def names(query):
            return [client["name"] for client in items("clients?" + query)]
        self.assertEqual(["adam", "max21", "max_1", "zoe"], sorted(names("limit=10")))
        self.assertEqual(names("limit=10"), sorted(names("limit=10")))
        first = api("GET", "clients?limit=3")
        self.assertEqual(4, len({c["name"] for c in first["items"]} | set(names(f"after={first['next']}"))))
        self.assertEqual(["max_1"], names("find=MAX_"))
        self.assertEqual(["zoe"], names("find=52:54:00:00:00:00"))
        self.assertEqual(4, len(names("find=ABCD")))
        self.assertEqual([], names("find=%25"))
        self.assertEqual([], names("find=%5C"))
        self.assertEqual(["adam", "max_1"], sorted(names("group=room&find=0000")))
        self.refused(401, "POST", "login", {"name": "anna", "password": "wrong"}, token="")
        self.assertEqual({"refused"}, {event["kind"] for event in items("events?kind=refused&find=WRONG%20login")})
        self.assertEqual(["create"], [entry["action"] for entry in items("audit?who=anna&find=client%2000000000")])
        self.assertEqual([], items("audit?who=berta"))
        for query in ("uuid=1", "find=a&find=b", "nothing=1", "psk=a", "find=" + "a" * 300, "%27=1"):
            self.refused(400, "GET", "clients?" + query, words="cannot be asked")
        self.refused(400, "GET", "groups?find=a", words="cannot be asked")
        for query in ("find=%FF", "after=%FF", "a=1&b=1&c=1&d=1&e=1"):
            self.refused(400, "GET", "clients?" + query)


class Https(ServerCase):
    def test_https(self):
        """Over https the cookie goes nowhere else, and plain text gets nothing."""
        server = self.server
        files = [server.root / name for name in ("certificate.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=leatd", "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
                       check=True, capture_output=True, timeout=60)
        server.end()
        text = server.config.read_text()
        server.config.write_text(text.replace("[admin]\n", f"[admin]\ncertificate = {files[0]}\nkey = {files[1]}\n"))
        server.start()
        context = ssl.create_default_context(cafile=files[0])
        connection = http.client.HTTPSConnection("127.0.0.1", server.admin_port, timeout=30, context=context)
        connection.request("GET", "/")
        answer = connection.getresponse()
        self.assertEqual((200, True), (answer.status, b"app.js" in answer.read()))
        connection.request("POST", "/api/v1/login", json.dumps({"name": "anna", "password": PASSWORD}), {"X-Leat-Page": "1"})
        answer = connection.getresponse()
        half, cookie = json.load(answer)["page"], answer.headers["Set-Cookie"]
        self.assertIn("; Secure", cookie)
        connection.request("GET", "/api/v1/status", None, {"X-Leat-Page": half, "Cookie": cookie.split(";")[0]})
        answer = connection.getresponse()
        self.assertEqual((200, "anna"), (answer.status, json.load(answer)["administrator"]))
        connection.close()
        with self.assertRaises((http.client.HTTPException, OSError)):
            server.raw("GET", "/")
