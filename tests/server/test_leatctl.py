# SPDX-License-Identifier: BSD-2-Clause
"""leatctl, from login to a client that boots, as an administrator would type it."""
import hashlib
import json
import stat
import subprocess

import profiles
from case import ServerCase
from server import PASSWORD, TOP, Client, Control, unknown_machine

UUID = "4c4c4544-0000-2010-8020-80c04f202020"
# As vdisk/report.c prints it: a disk over a shared image, with a local cache and a hash tree.
EXPORT = """ "connects": 1, "rtt_us": 412, "rate_bytes_per_s": 11786000, "window_bytes": 262144,
"sources": {"demand": {"requests": 7, "bytes": 40960},
            "ahead": {"requests": 1, "bytes": 4096, "used_bytes": 4096, "wasted_bytes": 0}},
"local": {"requests": 2, "bytes": 8192, "refused": 0, "kept_bytes": 4096, "is_used": true},
"profile": {"boots": 3, "bytes": 81920, "streamed_bytes": 40960, "is_recording": false}, """
VERITY = """ "verity": {"blocks": 9, "lies": 0, "tree_requests": 2, "tree_bytes": 8192, "tree_lies": 0}"""
DISK = ("""{"disk": "debian", "requests": 12, "ram_bytes": 4096, "disk_bytes": 0, "network_bytes": 40960, "hole_bytes": 0,
"overlay_bytes": 0, "written_bytes": 512, "errors": 0, "waiting": 0, "held": 0, "held_us": 0, "blocked_us": 0, "stall_us": 31,"""
        + EXPORT + """ "shared": {"export": "x.A...", "requests": 3, "network_bytes": 8192,""" + EXPORT + VERITY + """},
"difference": {"bytes": 512, "room_bytes": 1048576, "full_errors": 0, "damaged_errors": 0},""" + VERITY + """,
"latency_us_log2": [0, 3, 12]}""")


class Leatctl(ServerCase):
    def json(self, *words, **more):
        return json.loads(self.leatctl(*words, "--json", **more))

    def test_all(self):
        self.assertIn("leatctl login", self.leatctl("client", "list", status=1))
        self.assertIn("wrong", self.leatctl("login", "anna", input="not it\n", status=1))
        self.assertIn("logged in until", self.leatctl("login", "anna", input=PASSWORD + "\n"))
        kept = self.server.root / "config" / "leat" / "token"
        self.assertEqual(0o600, stat.S_IMODE(kept.stat().st_mode))

        image = self.server.root / "image"
        image.write_bytes(b"first" * 1000)  # 5,000 bytes: is lengthened to two blocks
        qcow2 = self.server.root / "image.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", qcow2, "1M"], check=True)
        self.assertIn("version 1, published", self.leatctl("image", "import", "debian", image, "--publish"))
        self.leatctl("image", "import", "debian", qcow2, "--note", "second")
        first, second = self.json("image", "show", "debian")
        self.assertEqual((8192, "published", 1 << 20, "draft"), (first["size"], first["state"], second["size"], second["state"]))
        self.assertEqual(hashlib.sha256((b"first" * 1000).ljust(8192, b"\0")).hexdigest(), first["content"])
        self.assertEqual((2, 256), (first["root_blocks"], second["root_blocks"]))
        folder = self.server.folder / "images"
        for version in (first, second):
            subprocess.run(["/usr/sbin/veritysetup", "verify", folder / version["source"], folder / version["hash_source"],
                            version["root_hash"]], check=True, capture_output=True)
        self.leatctl("image", "publish", "debian", "2")
        self.assertIn("gets version 1", self.leatctl("image", "rollback", "debian"))
        self.assertIn("no older", self.leatctl("image", "rollback", "debian", status=1))
        self.assertIn("empty", self.leatctl("image", "import", "debian", "/dev/null", status=1))
        self.assertEqual(4, len(list(folder.iterdir())))  # nothing is left of what failed

        self.leatctl("disk", "add", "debian", "--image", "debian", "--mode", "server", "--iops", "500")
        self.leatctl("group", "add", "room")
        out = self.leatctl("client", "add", "pc-1", UUID, "--group", "room", "--mac", "52:54:00:12:34:56",
                          "--expires", "2100-01-01")
        self.assertIn(UUID + ":", out)
        key = out.strip().rpartition(":")[2]
        self.leatctl("assign", "add", "debian", "--group", "room", "--default", "--memory", "2048")
        client = Client(self.server, UUID, key)
        status, answer = client.hello()
        self.assertEqual((200, first["content"], 500), (status, answer["disks"][0]["content"], answer["disks"][0]["iops"]))
        control = Control(self.server)
        control.open(answer["disks"][0]["export"])
        control.close()
        self.assertIn("pc-1", self.leatctl("session", "list"))
        self.assertIn("debian", self.leatctl("lease", "list"))
        self.assertEqual(1, self.json("status")["counts"]["sessions"])
        self.assertIn("end that first", self.leatctl("difference", "reset", self.json("difference", "list")[0]["id"], status=1))
        self.leatctl("session", "end", self.json("session", "list")[0]["id"])
        self.assertEqual([], self.json("session", "list"))
        self.assertEqual("anna has ended it", self.json("session", "list", "--all")[0]["why"])
        self.leatctl("difference", "reset", self.json("difference", "list")[0]["id"])
        self.assertNotIn(key, self.leatctl("client", "show", "pc-1"))
        self.leatctl("client", "set", "pc-1", "--disable", "--group", "none")
        shown = self.json("client", "show", "pc-1")
        self.assertEqual((False, None), (shown["enabled"], shown["group"]))
        self.assertIn("pc-1 has started", self.leatctl("log"))
        self.assertIn("client " + UUID, self.leatctl("audit", "-n", "1000"))
        self.leatctl("assign", "remove", self.json("assign", "list")[0]["id"])
        self.assertNotEqual(key, self.leatctl("client", "key", "pc-1").strip().rpartition(":")[2])
        self.leatctl("logout")
        self.assertIn("leatctl login", self.leatctl("status", status=1))

    def disk_with_kernel(self):
        """A disk with an ext4 file system in its first partition."""
        root, image = self.server.root / "root", self.server.root / "with-kernel"
        (root / "boot").mkdir(parents=True)
        for name, text in (("vmlinuz-6.1.0-9", "old"), ("vmlinuz-6.1.0-13", "new kernel"), ("initrd.img-6.1.0-13", "new initrd"),
                           ("config-6.1.0-13", "x")):
            (root / "boot" / name).write_text(text)
        with open(image, "wb") as file:
            file.truncate(8 << 20)
        subprocess.run(["/usr/sbin/sfdisk", "-q", image], input="label: gpt\nstart=2048\n", text=True, check=True)
        subprocess.run(["/usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", root, "-E", f"offset={1 << 20}", image, "6M"], check=True)
        return image

    def test_start(self):
        self.leatctl("login", "anna", input=PASSWORD + "\n")
        folder = self.server.folder / "images"
        kernel, initrd = self.server.root / "k", self.server.root / "i"
        kernel.write_text("a kernel")
        initrd.write_text("an initrd")
        self.leatctl("image", "import", "boot", self.disk_with_kernel(), "--no-tree", "--publish", "--from-image",
                    "--cmdline", "root=/dev/vda1")
        shown = self.json("image", "show", "boot")[0]
        self.assertEqual(("new kernel", "new initrd", "root=/dev/vda1"),
                         ((folder / shown["kernel"]).read_text(), (folder / shown["initrd"]).read_text(), shown["cmdline"]))
        self.leatctl("image", "import", "boot", kernel, "--no-tree", "--kernel", kernel, "--initrd", initrd)
        shown = self.json("image", "show", "boot")[1]
        self.assertEqual(("a kernel", hashlib.sha256(b"an initrd").hexdigest()),
                         ((folder / shown["kernel"]).read_text(), shown["initrd_sha256"]))
        before = set(folder.iterdir())
        self.assertIn("no ext4", self.leatctl("image", "import", "boot", kernel, "--no-tree", "--from-image", status=1))
        self.assertIn("cannot be copied",
                      self.leatctl("image", "import", "boot", kernel, "--no-tree", "--kernel", "/gone", status=1))
        self.assertEqual(before, set(folder.iterdir()))
        self.leatctl("image", "set", "boot", "1", "--kernel", kernel, "--cmdline", "quiet")
        self.assertEqual((8, "quiet"), tuple(self.json("image", "show", "boot")[0][n] for n in ("kernel_size", "cmdline")))

        self.leatctl("disk", "add", "boot", "--image", "boot", "--mode", "ram")
        self.leatctl("group", "add", "hall", "--menu", "5")
        self.leatctl("group", "set", "hall", "--menu", "0")
        assignment = self.leatctl("assign", "add", "boot", "--group", "hall", "--start", "always", "--cpus", "2")
        self.leatctl("assign", "set", assignment.split("(")[1].split(")")[0], "--start", "menu", "--memory", "512")
        self.assertIn("may enrol until", self.leatctl("client", "enrol", "--group", "hall", "--count", "2"))
        machine = unknown_machine(self.server, 1)
        self.assertEqual(200, machine.request("POST", "enrol", {"uuid": machine.uuid, "macs": machine.macs, "version": "1",
                                                                "key": "ab" * 32})[0])
        window, = self.json("enrolment", "list")
        self.assertEqual((2, 1), (window["count"], window["used"]))
        self.leatctl("enrolment", "close", window["id"])
        machine.identity, machine.key = machine.uuid, "ab" * 32
        answer = machine.hello()[1]
        self.assertEqual(({"timeout": 0, "default": "boot"}, 512, 2),
                         (answer["menu"], answer["disks"][0]["memory"], answer["disks"][0]["cpus"]))
        machine.renew(body={"report": {"boot": [{"ms": 17, "what": "hello"}], "vms": [{"name": "boot", "state": "runs"}]}})
        shown = self.leatctl("session", "show", "pc-525400008801")
        self.assertIn("hello", shown)
        self.assertIn("runs", shown)
        self.assertEqual(17, self.json("session", "show", machine.uuid)["report"]["boot"][0]["ms"])
        self.assertIn("no profile", self.leatctl("profile", "show", "boot", status=1))
        machine.request("PUT", "profile/boot", token=machine.session, data=profiles.encode(8 << 20, [(1, 2, 0), (9, 1, 40)]))
        self.assertEqual((3, 40, 1), tuple(self.json("profile", "show", "boot")[n] for n in ("blocks", "last_ms", "boots")))
        self.assertIn("pc-525400008801", self.leatctl("profile", "list"))
        self.leatctl("profile", "reset", "boot", "1")
        self.leatctl("client", "key", "pc-525400008801", "--none")
        self.assertIn("may enrol", self.leatctl("client", "enrol", "pc-525400008801", "--minutes", "0"))
        own = unknown_machine(self.server, 2)
        self.assertIn("its own key until", self.leatctl("client", "add", "own", own.uuid, "--enrol", "--group", "hall"))
        self.assertEqual(200, own.request("POST", "enrol", {"uuid": own.uuid, "macs": [], "version": "1", "key": "cd" * 32})[0])
        self.assertEqual("own", Client(self.server, own.uuid, "cd" * 32).hello()[1]["name"])
        machine.hello()
        self.assertIn("identity that is not known", self.leatctl("log", "--kind", "refused"))
        self.assertNotIn("has logged in", self.leatctl("log", "--kind", "refused"))

    def test_report(self):
        """What machines report, and what one reports that is not well."""
        self.server.log_in()
        machine = self.server.client(40)
        self.server.image("reported")
        self.server.api("POST", "disks", {"name": "reported", "image": "reported", "mode": "read-only"})
        self.server.api("POST", "assignments", {"client": "lab-40", "disk": "reported"})
        self.assertEqual(200, machine.hello()[0])
        machine.renew(body={"report": {"boot": [{"ms": 17, "what": "hello"}], "disks": [json.loads(DISK), {"disk": "second"}]}})
        shown = self.leatctl("session", "show", "lab-40")
        self.assertIn("\nlatency_us_log2: 0 3 12\n", shown)
        self.assertIn('"tree_bytes": 8192', shown)
        self.assertIn("\ndisk: second\n", shown)
        self.assertEqual(json.loads(DISK), self.json("session", "show", "lab-40")["report"]["disks"][0])
        for odd in ({"boot": 5}, {"boot": {"ms": 1}, "vms": "none", "disks": [7, [], {}]},
                    {"boot": [{"started": "x", "at": 1e300, "ended": 1 << 52, "taken": [1, {"a": [None]}], "what": "odd"}]}):
            self.assertEqual(200, machine.renew(body={"report": odd})[0])
            self.assertIn("lab-40", self.leatctl("session", "show", "lab-40"))
        self.assertIn("odd", self.leatctl("session", "show", "lab-40"))

    def test_sessions(self):
        """One that lives is found, however many have begun and ended since."""
        self.server.log_in()
        machine, other = self.server.client(41), self.server.client(42)
        self.server.image("lived")
        self.leatctl("disk", "add", "lived", "--image", "lived", "--mode", "ram")
        self.leatctl("assign", "add", "lived", "--client", "lab-41")
        self.assertEqual(200, machine.hello()[0])
        ended = "SELECT 'f' || i, 'h' || i, '{}', 1, 1, 1, '127.0.0.1', '', '1', '', 'one', 1, 'ended' FROM n".format(other.uuid)
        self.server.change("INSERT INTO session (id, hash, client, started, renewed, expires, address, macs, leat_version, "
                           "hardware, server, ended, why) WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n "
                           f"WHERE i < 2100) {ended}")
        listed, = [row for row in self.json("session", "list") if row["name"] == "lab-41"]
        for who in ("lab-41", machine.uuid, listed["id"]):
            shown = self.json("session", "show", who)
            self.assertEqual((listed["id"], None), (shown["id"], shown["ended"]))
        self.assertEqual("f2100", self.json("session", "show", "lab-42")["id"])
        self.assertNotIn("lab-42", self.leatctl("session", "list"))
        self.assertEqual(1101, self.leatctl("session", "list", "--all").count("lab-42"))
        self.leatctl("client", "add", "never-on", UUID[:-1] + "7")
        self.assertIn("has had no session", self.leatctl("session", "show", "never-on", status=1))
        self.assertIn("no client", self.leatctl("session", "show", "nobody", status=1))

    def test_expires(self):
        """The last second of the last day, as on the page; until midnight of the next day one could be let in."""
        self.server.log_in()
        self.leatctl("client", "add", "until", UUID[:-1] + "9", "--expires", "2026-12-31")
        self.assertIn("expires: 2026-12-31 23:59:59\n", self.leatctl("client", "show", "until"))
        self.leatctl("client", "set", "until", "--expires", "never")
        self.assertEqual(0, self.json("client", "show", "until")["expires"])

    def test_who(self):
        """Administrators and tokens of theirs for scripts."""
        self.server.log_in()
        self.assertIn("bert is an administrator", self.leatctl("admin", "add", "bert", input="bert's own password\n"))
        self.assertEqual(["anna", "bert"], [admin["name"] for admin in self.json("admin", "list")])
        anna = self.json("token", "add", "--expires", "2100-01-01", "--note", "nightly")
        environment = {**self.server.environment(), "LEAT_TOKEN": anna["token"]}

        def as_script():
            return subprocess.run([TOP / "tools" / "leatctl", "group", "list"], env=environment, capture_output=True, timeout=60)
        self.assertEqual(0, as_script().returncode)
        self.assertIn("nightly", self.leatctl("token", "list"))
        self.assertNotIn(anna["token"], self.leatctl("token", "list"))
        self.assertIn("shown this once:\na.", self.leatctl("token", "add", "--expires", "2100-01-01"))
        self.leatctl("token", "remove", anna["id"])
        self.assertEqual(1, as_script().returncode)
        self.server.login("bert", "bert's own password")
        self.assertIn("bert", self.leatctl("token", "list"))
        self.leatctl("admin", "set", "bert", "--password", input="another password\n")
        self.server.login("bert", "another password")
        self.assertFalse(self.json("admin", "set", "bert", "--disable")["enabled"])
        self.refused(401, "POST", "login", {"name": "bert", "password": "another password"}, token="")
        self.assertTrue(self.json("admin", "set", "bert", "--enable")["enabled"])
        self.server.login("bert", "another password")
        self.leatctl("admin", "remove", "bert")
        self.assertEqual(["anna"], [admin["name"] for admin in self.json("admin", "list")])

    def test_back(self):
        """What was set can be unset."""
        self.server.log_in()
        mac = "52:54:00:12:34:57"
        self.leatctl("client", "add", "plain", UUID[:-1] + "8", "--mac", mac, "--mac", "52:54:00:12:34:58")
        self.leatctl("client", "set", "plain", "--mac", mac)
        self.assertEqual([mac], self.json("client", "show", "plain")["macs"])
        self.assertEqual([], self.json("client", "set", "plain", "--mac", "none")["macs"])
        self.leatctl("group", "add", "timed", "--menu", "0")
        self.assertEqual(0, self.json("group", "set", "timed", "--note", "waits")["menu_timeout"])
        self.assertIsNone(self.json("group", "set", "timed", "--menu", "default")["menu_timeout"])
        self.server.image("first")
        self.leatctl("disk", "add", "first", "--image", "first", "--mode", "ram")
        id_ = self.json("assign", "add", "first", "--group", "timed", "--default")["id"]
        self.assertTrue(self.json("assign", "set", id_, "--place", "1")["default"])
        self.assertFalse(self.json("assign", "set", id_, "--no-default")["default"])
        self.assertFalse(self.json("assign", "set", id_, "--place", "2")["default"])
        self.assertEqual("", self.leatctl("log", "--kind", "server").partition("\n")[2])
        self.assertIn("usage", self.leatctl("log", "--kind", "serve", status=2))

    def test_usage(self):
        self.assertIn("usage", self.leatctl("burn", status=2))
        self.assertIn("usage", self.leatctl("client", status=2))
        self.assertIn("no date", self.leatctl("client", "add", "a", UUID, "--expires", "soon", status=2))
        self.assertIn("https", self.leatctl("--server", "http://192.0.2.1:9470", "status", status=1))
        self.assertIn("cannot be reached", self.leatctl("--server", "http://127.0.0.1:1", "status", status=1))
        self.assertIn("client add", self.leatctl("client", "add", "--help"))
