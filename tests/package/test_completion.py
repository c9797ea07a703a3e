#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What bash puts behind `leatctl ...`: its function is run as bash runs it, with a played leatd that knows two clients."""
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from package import TOP  # noqa: E402

LISTS = {"/api/v1/clients": [{"name": "lab-01"}, {"name": "lab-02"}, {"name": "room"}], "/api/v1/groups": [{"name": "blue"}],
         "/api/v1/disks": [{"name": "debian"}], "/api/v1/sessions": [{"id": "abc"}],
         "/api/v1/admins": [{"name": "anna"}], "/api/v1/tokens": [{"id": "abcd"}],
         "/api/v1/images": [{"name": "deb"}], "/api/v1/images/deb/versions": [{"number": 1}, {"number": 2}]}

SCRIPT = """
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_leatctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Leatd(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers["Authorization"] == "Bearer good"
        found = LISTS.get(self.path.partition("?")[0])
        body = json.dumps({"items": found, "next": None} if known and found else {"error": "no"}).encode()
        self.send_response(200 if known and found else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Leatd)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def completed(self, line, token="good"):
        """line: the words, the last of which is begun."""
        with tempfile.TemporaryDirectory() as home:
            environment = {**os.environ, "LEAT_TOKEN": token, "XDG_CONFIG_HOME": home,
                           "LEAT_SERVER": f"http://127.0.0.1:{self.server.server_address[1]}"}
            run = subprocess.run(["bash", "-c", SCRIPT, "bash", TOP / "tools/package/leatctl.bash", TOP / "tools/leatctl",
                                  *line.split(" ")], env=environment, capture_output=True, text=True, timeout=60, check=True,
                                 cwd=TOP)
        self.assertEqual("", run.stderr)
        return run.stdout.split()

    def test_commands(self):
        nouns = self.completed("")
        self.assertLess({"login", "client", "image", "disk", "assign", "session"}, set(nouns))
        self.assertEqual(["client"], self.completed("cl"))
        self.assertLess({"add", "list", "show", "key", "remove"}, set(self.completed("client ")))
        self.assertEqual(["rollback"], self.completed("image ro"))
        self.assertEqual(["client"], self.completed("--server http://x:1 cl"))

    def test_options(self):
        self.assertEqual(["--mode"], self.completed("disk add x --mo"))
        self.assertEqual(["ram", "read-only"], sorted(self.completed("disk add x --mode r")))
        self.assertIn("--json", self.completed("client list --"))

    def test_names(self):
        self.assertEqual(["lab-01", "lab-02"], self.completed("client show lab"))
        self.assertEqual([], self.completed("client add lab"))  # a new one has no name yet
        self.assertEqual(["blue"], self.completed("client add x 0 --group "))
        self.assertEqual(["debian"], self.completed("assign add "))
        self.assertEqual(["room"], self.completed("assign add debian --client r"))
        self.assertEqual(["abc"], self.completed("session end "))
        self.assertEqual(["1", "2"], self.completed("image publish deb "))
        self.assertEqual(["anna"], self.completed("admin remove "))
        self.assertEqual([], self.completed("admin add an"))
        self.assertEqual(["abcd"], self.completed("token remove "))
        self.assertEqual(["CMakeLists.txt"], self.completed("image import deb CMa"))

    def test_files(self):
        """Wherever a file or a folder is asked for."""
        for line in ("image import deb", "image import deb x --kernel", "netboot", "netboot x --dnsmasq", "netboot x --efi",
                     "usb --key-file", "usb --client room --leatd x", "--ca", "image link deb s3://x/y --https-ca"):
            self.assertEqual(["CMakeLists.txt"], self.completed(f"{line} CMa"), line)

    def test_not_logged_in(self):
        self.assertEqual([], self.completed("client show lab", token="bad"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
