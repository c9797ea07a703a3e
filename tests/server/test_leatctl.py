# SPDX-License-Identifier: BSD-2-Clause
"""leatctl, from login to a client that boots, as an administrator would type it."""
import hashlib
import json
import os
import stat
import subprocess

import profiles
from case import ServerCase
from server import PASSWORD, TOP, Client, Control, unknown_machine

UUID = "4c4c4544-0000-2010-8020-80c04f202020"


class Leatctl(ServerCase):
    def run_it(self, *words, status=0, **more):
        environment = {**os.environ, "LEAT_SERVER": f"http://127.0.0.1:{self.server.admin_port}",
                       "XDG_CONFIG_HOME": str(self.server.root / "config")}
        run = subprocess.run([TOP / "tools" / "leatctl", *words], capture_output=True, text=True, timeout=60,
                             env=environment, **more)
        self.assertEqual(status, run.returncode, f"{words}: {run.stdout}{run.stderr}")
        self.assertNotIn("Traceback", run.stderr)
        return run.stdout if status == 0 else run.stderr

    def json(self, *words, **more):
        return json.loads(self.run_it(*words, "--json", **more))

    def test_all(self):
        self.assertIn("leatctl login", self.run_it("client", "list", status=1))
        self.assertIn("wrong", self.run_it("login", "anna", input="not it\n", status=1))
        self.assertIn("logged in until", self.run_it("login", "anna", input=PASSWORD + "\n"))
        kept = self.server.root / "config" / "leat" / "token"
        self.assertEqual(0o600, stat.S_IMODE(kept.stat().st_mode))

        image = self.server.root / "image"
        image.write_bytes(b"first" * 1000)  # 5,000 bytes: is lengthened to two blocks
        qcow2 = self.server.root / "image.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", qcow2, "1M"], check=True)
        self.assertIn("version 1, published", self.run_it("image", "import", "debian", image, "--publish"))
        self.run_it("image", "import", "debian", qcow2, "--note", "second")
        first, second = self.json("image", "show", "debian")
        self.assertEqual((8192, "published", 1 << 20, "draft"), (first["size"], first["state"], second["size"], second["state"]))
        self.assertEqual(hashlib.sha256((b"first" * 1000).ljust(8192, b"\0")).hexdigest(), first["content"])
        self.assertEqual((2, 256), (first["root_blocks"], second["root_blocks"]))
        folder = self.server.folder / "images"
        for version in (first, second):
            subprocess.run(["/usr/sbin/veritysetup", "verify", folder / version["source"], folder / version["hash_source"],
                            version["root_hash"]], check=True, capture_output=True)
        self.run_it("image", "publish", "debian", "2")
        self.assertIn("gets version 1", self.run_it("image", "rollback", "debian"))
        self.assertIn("no older", self.run_it("image", "rollback", "debian", status=1))
        self.assertIn("empty", self.run_it("image", "import", "debian", "/dev/null", status=1))
        self.assertEqual(4, len(list(folder.iterdir())))  # nothing is left of what failed

        self.run_it("disk", "add", "debian", "--image", "debian", "--mode", "server", "--iops", "500")
        self.run_it("group", "add", "room")
        out = self.run_it("client", "add", "pc-1", UUID, "--group", "room", "--mac", "52:54:00:12:34:56",
                          "--expires", "2100-01-01")
        self.assertIn(UUID + ":", out)
        key = out.strip().rpartition(":")[2]
        self.run_it("assign", "add", "debian", "--group", "room", "--default", "--memory", "2048")
        client = Client(self.server, UUID, key)
        status, answer = client.hello()
        self.assertEqual((200, first["content"], 500), (status, answer["disks"][0]["content"], answer["disks"][0]["iops"]))
        control = Control(self.server)
        control.open(answer["disks"][0]["export"])
        control.close()
        self.assertIn("pc-1", self.run_it("session", "list"))
        self.assertIn("debian", self.run_it("lease", "list"))
        self.assertEqual(1, self.json("status")["counts"]["sessions"])
        self.assertIn("end that first", self.run_it("difference", "reset", self.json("difference", "list")[0]["id"], status=1))
        self.run_it("session", "end", self.json("session", "list")[0]["id"])
        self.assertEqual([], self.json("session", "list"))
        self.assertEqual("anna has ended it", self.json("session", "list", "--all")[0]["why"])
        self.run_it("difference", "reset", self.json("difference", "list")[0]["id"])
        self.assertNotIn(key, self.run_it("client", "show", "pc-1"))
        self.run_it("client", "set", "pc-1", "--disable", "--group", "none")
        shown = self.json("client", "show", "pc-1")
        self.assertEqual((False, None), (shown["enabled"], shown["group"]))
        self.assertIn("pc-1 has started", self.run_it("log"))
        self.assertIn("client " + UUID, self.run_it("audit", "-n", "1000"))
        self.run_it("assign", "remove", self.json("assign", "list")[0]["id"])
        self.assertNotEqual(key, self.run_it("client", "key", "pc-1").strip().rpartition(":")[2])
        self.run_it("logout")
        self.assertIn("leatctl login", self.run_it("status", status=1))

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
        self.run_it("login", "anna", input=PASSWORD + "\n")
        folder = self.server.folder / "images"
        kernel, initrd = self.server.root / "k", self.server.root / "i"
        kernel.write_text("a kernel")
        initrd.write_text("an initrd")
        self.run_it("image", "import", "boot", self.disk_with_kernel(), "--no-tree", "--publish", "--from-image",
                    "--cmdline", "root=/dev/vda1")
        shown = self.json("image", "show", "boot")[0]
        self.assertEqual(("new kernel", "new initrd", "root=/dev/vda1"),
                         ((folder / shown["kernel"]).read_text(), (folder / shown["initrd"]).read_text(), shown["cmdline"]))
        self.run_it("image", "import", "boot", kernel, "--no-tree", "--kernel", kernel, "--initrd", initrd)
        shown = self.json("image", "show", "boot")[1]
        self.assertEqual(("a kernel", hashlib.sha256(b"an initrd").hexdigest()),
                         ((folder / shown["kernel"]).read_text(), shown["initrd_sha256"]))
        before = set(folder.iterdir())
        self.assertIn("no ext4", self.run_it("image", "import", "boot", kernel, "--no-tree", "--from-image", status=1))
        self.assertIn("cannot be copied",
                      self.run_it("image", "import", "boot", kernel, "--no-tree", "--kernel", "/gone", status=1))
        self.assertEqual(before, set(folder.iterdir()))
        self.run_it("image", "set", "boot", "1", "--kernel", kernel, "--cmdline", "quiet")
        self.assertEqual((8, "quiet"), tuple(self.json("image", "show", "boot")[0][n] for n in ("kernel_size", "cmdline")))

        self.run_it("disk", "add", "boot", "--image", "boot", "--mode", "ram")
        self.run_it("group", "add", "hall", "--menu", "5")
        self.run_it("group", "set", "hall", "--menu", "0")
        assignment = self.run_it("assign", "add", "boot", "--group", "hall", "--start", "always", "--cpus", "2")
        self.run_it("assign", "set", assignment.split("(")[1].split(")")[0], "--start", "menu", "--memory", "512")
        self.assertIn("may enrol until", self.run_it("client", "enrol", "--group", "hall", "--count", "2"))
        machine = unknown_machine(self.server, 1)
        self.assertEqual(200, machine.request("POST", "enrol", {"uuid": machine.uuid, "macs": machine.macs, "version": "1",
                                                                "key": "ab" * 32})[0])
        window, = self.json("enrolment", "list")
        self.assertEqual((2, 1), (window["count"], window["used"]))
        self.run_it("enrolment", "close", window["id"])
        machine.identity, machine.key = machine.uuid, "ab" * 32
        answer = machine.hello()[1]
        self.assertEqual(({"timeout": 0, "default": "boot"}, 512, 2),
                         (answer["menu"], answer["disks"][0]["memory"], answer["disks"][0]["cpus"]))
        machine.renew(body={"report": {"boot": [{"ms": 17, "what": "hello"}], "vms": [{"name": "boot", "state": "runs"}]}})
        shown = self.run_it("session", "show", "pc-525400008801")
        self.assertIn("hello", shown)
        self.assertIn("runs", shown)
        self.assertEqual(17, self.json("session", "show", machine.uuid)["report"]["boot"][0]["ms"])
        self.assertIn("no profile", self.run_it("profile", "show", "boot", status=1))
        machine.request("PUT", "profile/boot", token=machine.session, data=profiles.encode(8 << 20, [(1, 2, 0), (9, 1, 40)]))
        self.assertEqual((3, 40, 1), tuple(self.json("profile", "show", "boot")[n] for n in ("blocks", "last_ms", "boots")))
        self.assertIn("pc-525400008801", self.run_it("profile", "list"))
        self.run_it("profile", "reset", "boot", "1")
        self.run_it("client", "key", "pc-525400008801", "--none")
        self.assertIn("may enrol", self.run_it("client", "enrol", "pc-525400008801", "--minutes", "0"))
        own = unknown_machine(self.server, 2)
        self.assertIn("its own key until", self.run_it("client", "add", "own", own.uuid, "--enrol", "--group", "hall"))
        self.assertEqual(200, own.request("POST", "enrol", {"uuid": own.uuid, "macs": [], "version": "1", "key": "cd" * 32})[0])
        self.assertEqual("own", Client(self.server, own.uuid, "cd" * 32).hello()[1]["name"])
        machine.hello()
        self.assertIn("identity that is not known", self.run_it("log", "--kind", "refused"))
        self.assertNotIn("has logged in", self.run_it("log", "--kind", "refused"))

    def test_usage(self):
        self.assertIn("usage", self.run_it("burn", status=2))
        self.assertIn("usage", self.run_it("client", status=2))
        self.assertIn("no date", self.run_it("client", "add", "a", UUID, "--expires", "soon", status=2))
        self.assertIn("https", self.run_it("--server", "http://192.0.2.1:9470", "status", status=1))
        self.assertIn("cannot be reached", self.run_it("--server", "http://127.0.0.1:1", "status", status=1))
        self.assertIn("client add", self.run_it("client", "add", "--help"))
