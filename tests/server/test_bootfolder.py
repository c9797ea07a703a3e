# SPDX-License-Identifier: BSD-2-Clause
"""The boot folder: made by leatctl, served by leatd; and the image for a stick. Nothing half-written, no secret given out."""
import http.client
import os
import re
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from server import Client, Server, free_port

UUID = "4c4c4544-0000-2010-8020-80c04f202020"
RANGE = ("--range", "10.0.0.100,10.0.0.200")


class BootFolder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.TemporaryDirectory(prefix="leat-netboot-")
        cls.root = Path(cls.work.name)
        cls.efi = cls.root / "some.efi"
        cls.efi.write_bytes(b"MZ" + os.urandom(300000))
        cls.boot, cls.port = cls.root / "files" / "boot", free_port()
        cls.boot.mkdir(parents=True)
        cls.server = Server(more=f"[boot]\nlisten = 127.0.0.1:{cls.port}\nfolder = {cls.boot}\n")
        cls.server.log_in()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.work.cleanup()

    def good(self, *words):
        run = self.server.leatctl(*words)
        self.assertEqual(0, run.returncode, run.stderr)
        return run.stdout

    def refused(self, sentence, *words):
        run = self.server.leatctl(*words)
        self.assertEqual((1, 1), (run.returncode, run.stderr.count("\n")), run.stderr)
        self.assertIn(sentence, run.stderr)

    def get(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=False)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read(), answer
        finally:
            connection.close()

    def netboot(self, folder, *words):
        return ("netboot", folder, "--address", "10.0.0.1", "--efi", self.efi, *words)

    def test_folder_is_made_and_served(self):
        out = self.good(*self.netboot(self.boot, *RANGE, "--interface", "eth0", "--leatd", "10.0.0.1,two.example:9999"))
        self.assertIn("[boot] listen = 10.0.0.1:9472", out)
        conf = (self.boot / "leat.conf").read_text()
        self.assertIn("[leatd]\nservers = 10.0.0.1, two.example:9999\n", conf)
        self.assertNotIn("psk_file", conf)
        text = (self.boot.parent / "dnsmasq.conf").read_text()
        for line in ("dhcp-range=10.0.0.100,10.0.0.200,12h", "interface=eth0", f"tftp-root={self.boot}",
                     "dhcp-boot=tag:leat-http,http://10.0.0.1:9472/leat.efi", "dhcp-boot=tag:leat-pxe,leat.efi,,10.0.0.1"):
            self.assertIn(line + "\n", text)
        status, body, answer = self.get("/leat.efi")
        self.assertEqual((200, self.efi.read_bytes()), (status, body))
        self.assertEqual("application/efi", answer.headers["Content-Type"])
        status, body, answer = self.get("/leat.efi", "HEAD")
        self.assertEqual((200, b"", "300002"), (status, body, answer.headers["Content-Length"]))
        status, body, answer = self.get("/leat.efi", Range="bytes=299990-")
        self.assertEqual((206, self.efi.read_bytes()[299990:]), (status, body))
        self.assertEqual("bytes 299990-300001/300002", answer.headers["Content-Range"])
        self.assertEqual(416, self.get("/leat.efi", Range="bytes=300002-")[0])
        self.assertEqual(200, self.get("/leat.efi", Range="bytes=1-", If_Range='"x"')[0])
        self.assertEqual(405, self.get("/leat.efi", "POST")[0])
        (self.boot / "leat.psk").write_text("secret")
        (self.boot / "leat.psk").chmod(0o600)
        for path in ("/leat.psk", "/", "/none", "/../dnsmasq.conf", "/%2e%2e/dnsmasq.conf", "/..%2fdnsmasq.conf", "//leat.efi",
                     "/leat.efi/"):
            self.assertEqual(404, self.get(path)[0], path)

    def test_renewed(self):
        folder = self.root / "again" / "boot"
        self.good(*self.netboot(folder, *RANGE))
        (folder / "leat.conf").write_text("[leatd]\nservers = mine\n")
        self.efi.write_bytes(self.efi.read_bytes() + b"new")
        self.assertIn("is kept", self.good(*self.netboot(folder, *RANGE)))
        self.assertEqual("[leatd]\nservers = mine\n", (folder / "leat.conf").read_text())
        self.assertEqual(self.efi.read_bytes(), (folder / "leat.efi").read_bytes())
        self.good(*self.netboot(folder, "--proxy", "10.0.0.0/24", "--http-port", "0", "--replace"))
        text = (folder.parent / "dnsmasq.conf").read_text()
        self.assertIn("dhcp-range=10.0.0.0,proxy,255.255.255.0\n", text)
        self.assertNotIn("dhcp-boot=tag:leat-pxe", text)
        self.good(*self.netboot(folder, *RANGE, "--replace"))
        self.assertNotIn("mine", (folder / "leat.conf").read_text())
        self.assertEqual({"leat.conf", "leat.efi", "leat.ipxe"}, set(os.listdir(folder)))
        before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
        for sentence, words in (("--range for a network", ()), ("--range for a network", (*RANGE, "--proxy", "10.0.0.0/8")),
                                ("no IPv4 address", ("--range", "10.0.0.1,x")),
                                ("comes before", ("--range", "10.0.0.9,10.0.0.8")),
                                ("no network", ("--proxy", "10.0.0.1/24")), ("no HOST", (*RANGE, "--leatd", "a b;c")),
                                ("one to four", (*RANGE, "--leatd", "a,b,c,d,e")),
                                ("no UEFI program", (*RANGE, "--efi", "/etc/passwd")),
                                ("cannot be read", (*RANGE, "--efi", "/none")), ("no name of", (*RANGE, "--interface", "a\nb")),
                                ("given out", (*RANGE, "--dnsmasq", folder / "d.conf")),
                                ("No such file", (*RANGE, "--dnsmasq", "/none/d.conf", "--replace"))):
            self.refused(sentence, *self.netboot(folder, *words))
        self.assertEqual(before, {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()})

    def test_dnsmasq_of_others(self):
        """What somebody has written into dnsmasq's file stays, and nothing else is made then."""
        folder, other = self.root / "others" / "boot", self.root / "dnsmasq.conf"
        other.write_text("# Configuration file for dnsmasq.\nport=53\n")
        self.refused(f"{other} is there, and not made by leatctl", *self.netboot(folder, *RANGE, "--dnsmasq", other))
        self.assertEqual("# Configuration file for dnsmasq.\nport=53\n", other.read_text())
        self.refused("/dev/null is no file", *self.netboot(folder, *RANGE, "--dnsmasq", "/dev/null", "--replace"))
        self.assertFalse(folder.exists())
        self.good(*self.netboot(folder, *RANGE, "--dnsmasq", other, "--replace"))
        made = other.read_text()
        self.assertIn("dhcp-range=10.0.0.100", made)
        self.good(*self.netboot(folder, *RANGE, "--dnsmasq", other))
        with open(other, "a") as file:
            file.write("dhcp-host=52:54:00:00:00:01,10.0.0.101\n")
        for words in (RANGE, ("--proxy", "10.0.0.0/24")):
            self.refused(f"{other} was changed", *self.netboot(folder, *words, "--dnsmasq", other))
        self.assertEqual(made + "dhcp-host=52:54:00:00:00:01,10.0.0.101\n", other.read_text())
        self.good(*self.netboot(folder, "--proxy", "10.0.0.0/24", "--dnsmasq", self.root / "second.conf"))

    def test_stick(self):
        out = self.good("client", "add", "stick", UUID)
        old = out.strip().splitlines()[-1]
        stick, key_file = self.root / "stick.img", self.root / "key"
        words = ("usb", "--client", "stick", "--leatd", "10.0.0.1", "--efi", self.efi)
        for sentence, more in (("is no folder", (self.root / "none" / "x",)), ("is no file", (self.root,)),
                               ("No such file", ("--key-file", "/none", stick)),
                               ("one line", ("--key-file", "/dev/null", stick))):
            self.refused(sentence, *words, *more)
        self.refused("nobody", "usb", "--client", "nobody", "--leatd", "10.0.0.1", stick)
        key_file.write_text(UUID.replace("4", "5") + ":" + "0" * 64 + "\n")
        self.refused("another client", *words, "--key-file", key_file, stick)
        self.assertFalse(stick.exists())
        key_file.write_text(old + "\n")
        self.good(*words, "--key-file", key_file, stick)
        self.assertEqual(0o600, stat.S_IMODE(stick.stat().st_mode))
        self.assertEqual(old + "\n", self.content(stick, "leat.psk"))
        self.assertIn("psk_file = leat.psk\n", self.content(stick, "leat.conf"))
        self.assertEqual(200, self.hello(old))  # that the file was refused has not cost the client its key
        self.refused("there already", *words, stick)
        self.assertEqual((200, old + "\n"), (self.hello(old), self.content(stick, "leat.psk")))
        self.assertIn("new key", self.good(*words, "--replace", stick))
        new = self.content(stick, "leat.psk").strip()
        self.assertRegex(new, re.escape(UUID) + ":[0-9a-f]{64}$")
        self.assertEqual((0, 200), (self.hello(old), self.hello(new)))
        self.assertEqual([], [name for name in os.listdir(self.root) if "leat-usb" in name])

    def content(self, image, name):
        return subprocess.run(["mtype", "-i", f"{image}@@1048576", f"::/{name}"], capture_output=True, text=True, check=True,
                              env={**os.environ, "MTOOLS_SKIP_CHECK": "1"}).stdout.replace("\r\n", "\n")

    def hello(self, line):
        """The status of a hello with that key, with a disk or without: 0 for a wrong one."""
        status = Client(self.server, *line.split(":")).hello()[0]
        return 200 if status == 403 else status


if __name__ == "__main__":
    unittest.main()
