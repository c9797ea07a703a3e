# SPDX-License-Identifier: BSD-2-Clause
"""leatctl where it is used wrongly, or what it needs is not there: a sentence, and nothing done that nobody has asked for."""
import os
import pty
import signal
import subprocess

from case import ServerCase
from server import PASSWORD, TOP

UUID = "4c4c4544-0000-2010-8020-80c04f202021"


class Errors(ServerCase):
    def setUp(self):
        super().setUp()
        self.server.log_in()

    def started(self, *words, env=None, stdout=subprocess.DEVNULL, **more):
        return subprocess.run([TOP / "tools" / "leatctl", *words], env={**self.server.environment(), **(env or {})}, text=True,
                              stdout=stdout, stderr=subprocess.PIPE, timeout=120, **more)

    def sentence(self, words, run, status=1):
        """It has ended with one sentence that has these words."""
        self.assertEqual(status, run.returncode, run.stderr)
        self.assertNotIn("Traceback", run.stderr)
        self.assertIn(words, run.stderr)
        if status == 1:
            self.assertEqual(1, run.stderr.count("\n"), run.stderr)

    def test_output(self):
        """A reader that has gone, a full disk, an encoding that lacks a letter."""
        for command in (["log"], ["complete", "--", "client", ""]):
            reader, writer = os.pipe()
            os.close(reader)
            run = self.started(*command, stdout=writer)
            os.close(writer)
            self.assertEqual((128 + signal.SIGPIPE, ""), (run.returncode, run.stderr), command)
        with open("/dev/full", "w") as full:
            self.sentence("No space left", self.started("log", stdout=full))
        self.leatctl("group", "add", "wide", "--note", "größer")
        run = self.started("group", "list", env={"PYTHONIOENCODING": "ascii"}, stdout=subprocess.PIPE)
        self.assertEqual((0, ""), (run.returncode, run.stderr))
        self.assertIn("gr??er", run.stdout)

    def test_password(self):
        """None: the end of the input, of a terminal and of a file."""
        master, terminal = pty.openpty()
        with subprocess.Popen([TOP / "tools" / "leatctl", "login", "anna"], env=self.server.environment(), text=True,
                              stdin=terminal, stderr=subprocess.PIPE, start_new_session=True) as process:
            os.close(terminal)
            prompt = process.stderr.read(len("Password: "))  # what is typed earlier is thrown away
            os.write(master, b"\x04")
            said = process.stderr.read()
        os.close(master)
        self.assertEqual(("Password: ", 1), (prompt, process.returncode))
        self.assertIn("no password was given", said)
        self.assertNotIn("Traceback", said)
        self.sentence("no password was given", self.started("login", "anna", stdin=subprocess.DEVNULL))

    def test_server(self):
        """Addresses and files that are none."""
        for server in ("http://localhost:abc", "http://localhost:65536", "http://[::1", "http://", "ftp://localhost"):
            self.sentence("is no http://HOST:PORT", self.started("--server", server, "status"))
        self.sentence("cannot be reached", self.started("--server", "https://a b", "status"))
        self.sentence("cannot be reached", self.started("--server", "https://" + "a" * 64, "status"))
        for ca, why in (("/gone", "No such file"), (str(self.server.config), "")):
            self.sentence(f"{ca} is no PEM file", run := self.started("--server", "https://localhost:1", "--ca", ca, "status"))
            self.assertIn(why, run.stderr)

    def test_token(self):
        """One that is none, and one that cannot be kept: the server forgets it."""
        self.sentence("no token has", self.started("status", env={"LEAT_TOKEN": "a.one\na.two"}))
        tokens = len(self.server.items("tokens?limit=1000"))
        file = self.server.root / "a-file"
        file.write_text("")
        env = {"XDG_CONFIG_HOME": str(file)}
        self.sentence("cannot be kept", self.started("login", "anna", env=env, input=PASSWORD + "\n"))
        self.assertEqual(tokens, len(self.server.items("tokens?limit=1000")))
        folder = self.server.root / "other" / "leat"
        folder.mkdir(parents=True)
        (folder / "token").write_text("[]")
        env = {"XDG_CONFIG_HOME": str(folder.parent)}
        self.sentence("leatctl login", self.started("status", env=env))
        self.assertEqual(0, self.started("login", "anna", env=env, input=PASSWORD + "\n").returncode)
        self.assertEqual(0, self.started("status", env=env).returncode)

    def test_expires(self):
        for day in ("9999-12-31", "0001-01-01", "2026-02-30", "2026-01-01T10:00"):
            run = self.started("client", "add", "late", UUID, "--expires", day, env={"TZ": "EAST-9"})
            self.sentence("is no date", run, status=2)

    def test_names(self):
        """A name is one part of the path, whatever it has in it."""
        self.server.client(2)
        for name in ("größe", "a b", "lab-02?x=1", "lab-02#x", "lab-02/key", "%6cab-02", "", "lab-02\n", b"lab-\xff"):
            for verb in ("show", "key", "remove"):
                run = self.started("client", verb, name)
                self.assertNotIn("cannot be reached", run.stderr)
                self.sentence("leatctl: ", run)
        self.server.image("debian")
        for name in ("debian?x=1", "debian/versions/1"):
            self.sentence("leatctl: ", self.started("image", "remove", name))
            self.sentence("leatctl: ", self.started("image", "export", name, str(self.server.root / "out.raw")))
        self.assertEqual(["lab-02"], [c["name"] for c in self.server.items("clients")])
        self.assertEqual(1, self.server.items("images")[0]["versions"])
        self.leatctl("client", "key", "lab-02", "--none")
        run = self.started("complete", "--", "image", "publish", "a/b", "", stdout=subprocess.PIPE)
        self.assertEqual((0, "", ""), (run.returncode, run.stdout, run.stderr))

    def test_numbers(self):
        """0 is no version: not the whole image, and not the newest one."""
        self.server.image("counted")
        for words in (["image", "remove", "counted"], ["image", "publish", "counted"], ["profile", "show", "counted"],
                      ["profile", "reset", "counted"], ["log", "-n"]):
            for number in ("0", "-1", "1.0", "x"):
                self.sentence("", self.started(*words, number), status=2)
        self.sentence("no version 7", self.started("image", "remove", "counted", "7"))
        self.assertEqual(1, next(i for i in self.server.items("images") if i["name"] == "counted")["versions"])
        self.leatctl("image", "remove", "counted", "1")
        self.leatctl("image", "remove", "counted")
