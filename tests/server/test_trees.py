# SPDX-License-Identifier: BSD-2-Clause
"""Hash trees: which disks are offered with one, and who may read it by the real nbdkit."""
import os
import re
import socket
import struct
import subprocess
import unittest

from case import ServerCase
from dataplane import Nbdkit, held, tell
from profiles import encode
from server import TOP, Server, free_port, until

MIB = 1 << 20
ROOT, OTHER = "ab" * 32, "cd" * 32


def make_version(server, name, size=MIB, **more):
    """A version of random bytes with its tree; the version, and the tree's bytes."""
    folder = server.folder / "images"
    image = folder / f"{name}.raw"
    image.write_bytes(os.urandom(size))
    out = subprocess.run([TOP / "tools" / "mkverity", image, "--tree", folder / f"{name}.verity"], check=True,
                         capture_output=True, text=True).stdout
    root, blocks = re.search(r"root_hash = (\w+):(\d+)", out).groups()
    server.api("POST", "images", {"name": name})
    fields = {"source": image.name, "root_hash": root, "root_blocks": int(blocks), "hash_source": f"{name}.verity", **more}
    version = server.api("POST", f"images/{name}/versions", {**fields, "state": "published"})
    return version, (folder / f"{name}.verity").read_bytes()


def refused_from(address, port, token):
    """What NBD says to NBD_OPT_GO of a machine at that address: docs of the protocol, "Option types"."""
    with socket.create_connection(("127.0.0.1", port), 30, source_address=(address, 0)) as connection:
        stream = connection.makefile("rwb")
        stream.read(18)
        name = token.encode()
        data = struct.pack(">I", len(name)) + name + struct.pack(">H", 0)
        stream.write(struct.pack(">I", 1) + b"IHAVEOPT" + struct.pack(">II", 7, len(data)) + data)
        stream.flush()
        kind = struct.unpack(">QIII", stream.read(20))[2]
        return kind


UNKNOWN = 0x80000006  # NBD_REP_ERR_UNKNOWN


class Trees(ServerCase):
    times = {"session": 90, "lease": 3}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.version, cls.tree = make_version(cls.server, "debian")
        for mode in ("ram", "local", "read-only", "server", "private"):
            cls.server.api("POST", "disks", {"name": mode, "image": "debian", "mode": mode})
        cls.made = 0
        cls.nbdkit = Nbdkit(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.nbdkit.end()
        super().tearDownClass()

    def client(self, *disks):
        type(self).made += 1
        client = self.server.client(self.made)
        for disk in disks:
            self.server.api("POST", "assignments", {"client": f"lab-{self.made:02}", "disk": disk})
        client.disks = {d["name"]: d for d in client.hello()[1]["disks"]}
        return client

    def read(self, token):
        """What is there by the export's name; None: it is refused."""
        out = self.server.root / "out"
        ended = subprocess.run(["nbdcopy", self.nbdkit.uri(token), out], capture_output=True, timeout=60)
        return None if ended.returncode else out.read_bytes()

    def check_tree(self, disk, wanted=True):
        expected = (self.version["root_hash"], MIB // 4096) if wanted else (None, None)
        self.assertEqual(expected, (disk["root_hash"], disk["root_blocks"]))
        self.assertEqual(wanted, disk["tree"] is not None)

    def test_modes(self):
        """Every mode but the one whose export is the image no more."""
        disks = self.client("ram", "local", "read-only", "server", "private").disks
        for mode, disk in disks.items():
            with self.subTest(mode=mode):
                self.check_tree(disk, mode != "private")
        tokens = [disk[key] for disk in disks.values() for key in ("export", "base", "tree") if disk[key]]
        self.assertEqual(len(tokens), len(set(tokens)))

    def test_sizes(self):
        """A disk that is larger than its image has the image's tree, if its end is the end of a block."""
        for name, size, wanted in (("larger", 2 * MIB, True), ("odd", 2 * MIB + 512, False)):
            self.server.api("POST", "disks", {"name": name, "image": "debian", "mode": "ram", "size": size})
            disk = self.client(name).disks[name]
            self.assertEqual(size, disk["size"])
            self.check_tree(disk, wanted)

    def test_without(self):
        """A version that has a root hash and no file for its tree; one that has neither."""
        for name, more in (("hashed", {"root_hash": ROOT, "root_blocks": 256}), ("bare", {})):
            self.server.image(name, MIB, version=False)
            self.server.api("POST", f"images/{name}/versions", {"source": f"{name}.raw", "state": "published", **more})
            self.server.api("POST", "disks", {"name": name, "image": name, "mode": "ram"})
            self.check_tree(self.client(name).disks[name], False)

    def test_elsewhere(self):
        """The image is another server's, its tree a file here."""
        fields = {k: self.version[k] for k in ("root_hash", "root_blocks", "hash_source", "size")}
        self.server.api("POST", "images", {"name": "far"})
        self.server.api("POST", "images/far/versions", {**fields, "source": "nbd://store:10809/far", "state": "published"})
        self.server.api("POST", "disks", {"name": "far", "image": "far", "mode": "ram"})
        disk = self.client("far").disks["far"]
        self.check_tree(disk)
        self.assertEqual(self.tree, self.read(disk["tree"]))

    def test_read(self):
        """Its own machine reads it, and nobody can write; other machines are refused, and so is who has gone."""
        client, other = self.client("server"), self.client("server")
        token = client.disks["server"]["tree"]
        self.assertEqual(self.tree, self.read(token))
        self.assertEqual((self.server.folder / "images" / "debian.raw").read_bytes(), self.read(client.disks["server"]["base"]))
        about = subprocess.run(["nbdinfo", "--json", "--no-content", self.nbdkit.uri(token)], capture_output=True, text=True,
                               timeout=60).stdout
        self.assertIn('"is_read_only": true', about)
        self.assertEqual(UNKNOWN, refused_from("127.0.0.2", self.nbdkit.port, token))
        self.assertIn("an export name that is somebody else's", str(self.events("refused", "export name")))
        self.assertNotEqual(UNKNOWN, refused_from("127.0.0.1", self.nbdkit.port, other.disks["server"]["tree"]))
        again = client.hello()[1]["disks"][0]["tree"]  # it has started again: the old one is worth nothing
        self.assertIsNone(self.read(token))
        self.assertEqual(self.tree, self.read(again))
        client.bye()
        self.assertIsNone(self.read(again))
        told = self.server.log.read_text() + self.nbdkit.said() + str(self.events("lease", "")) + str(self.events("refused", ""))
        for secret in (token, again, other.disks["server"]["tree"]):
            self.assertNotIn(secret, told)
        self.assertTrue(self.events("lease", "opens the hash tree of disk server"))

    def test_ended(self):
        """An administrator ends the session: who has the tree open is cut off."""
        client = self.client("ram")
        with held(self.nbdkit.uri(client.disks["ram"]["tree"]), "-r") as reader:
            tell(reader, "read 0 512")
            self.assertIn("read 512/512", reader.stdout.readline())
            session, = [s for s in self.server.items("sessions") if s["name"] == f"lab-{self.made:02}" and not s["ended"]]
            self.server.api("DELETE", f"sessions/{session['id']}")
            until(lambda: "taken away" in self.nbdkit.said(), "nbdkit hears of it")
            self.assertIn("failed", reader.communicate("read 0 512\nquit\n", timeout=60)[0])

    def test_profile(self):
        """A boot profile is of the disk's size, not of its tree's."""
        client = self.client("ram")
        for size, wanted in ((len(self.tree), 422), (MIB, 200)):
            profile = encode(size, [(0, 1, 0)])
            self.assertEqual(wanted, client.request("PUT", "profile/ram", token=client.session, data=profile)[0])

    def test_told(self):
        """A machine that has met wrong blocks says so in its report; the log has it once for each time that there are more."""
        client = self.client("server", "ram")

        def say(**disks):
            report = {"disks": [{"disk": name, **counts} for name, counts in disks.items()]}
            self.assertEqual(200, client.renew(body={"report": report})[0])
            return [e["message"] for e in self.events("verify", f"lab-{self.made:02}")]

        def shared(lies):
            return {"shared": {"verity": {"blocks": 9, "lies": lies, "tree_lies": 0}}}
        self.assertEqual([], say(ram={"verity": {"blocks": 7, "lies": 0}}, server=shared(0)))
        one, = say(ram={"verity": {"blocks": 7, "lies": 0, "tree_lies": 2}}, server=shared(0))
        self.assertIn("disk ram: 2 blocks", one)
        self.assertEqual(1, len(say(ram={"verity": {"lies": 0, "tree_lies": 2}}, server=shared(0))))
        self.assertIn("disk server: 3 blocks", str(say(ram={"verity": {"tree_lies": 2}}, server=shared(3))))
        for lies in range(4, 20):
            found = say(server=shared(lies))
        self.assertEqual(5, len(found))
        say(server={"shared": 7}, ram={"verity": {"lies": "x"}})

    def test_gone(self):
        """A tree's file that is not there any more: no export of it, and the disk is offered with it all the same, so that
        nobody goes on without."""
        make_version(self.server, "gone")
        self.server.api("POST", "disks", {"name": "gone", "image": "gone", "mode": "ram"})
        (self.server.folder / "images" / "gone.verity").unlink()
        disk = self.client("gone").disks["gone"]
        self.assertIsNone(self.read(disk["tree"]))
        self.assertIn("gone.verity", self.nbdkit.said())

    def test_refused(self):
        """A version whose tree is not that of its root hash, or of another image."""
        folder = self.server.folder / "images"
        good = {k: self.version[k] for k in ("source", "root_hash", "root_blocks", "hash_source")}
        (folder / "short.verity").write_bytes(self.tree[:-4096])
        (folder / "spoilt.verity").write_bytes(b"x" + self.tree[1:])
        self.server.image("half", MIB // 2, version=False)
        for change, words in (({"root_hash": OTHER}, "not the hash tree of root_hash"),
                              ({"root_hash": None}, "with root_blocks"),
                              ({"root_hash": None, "root_blocks": None}, "needs root_hash"),
                              ({"root_blocks": 255}, "size in blocks"),
                              ({"source": "half.raw"}, "size in blocks"),
                              ({"source": "half.raw", "root_blocks": 128}, "another size"),
                              ({"hash_source": "short.verity"}, "another size"),
                              ({"hash_source": "spoilt.verity"}, "no dm-verity hash tree"),
                              ({"hash_source": "missing"}, "not a file"),
                              ({"hash_source": "../leat.db"}, "path"),
                              ({"hash_source": "http://h/tree"}, "path in the image folder")):
            with self.subTest(change=change):
                self.refused(422, "POST", "images/debian/versions", {**good, **change}, words)


@unittest.skipUnless(Server.cluster, "several servers need PostgreSQL")
class SeveralServers(ServerCase):
    def test_both(self):
        """The same name is good at both servers, at the same time."""
        two = Server({}, "two", f"127.0.0.1:{free_port()}", beside=self.server)
        nbdkits = []
        try:
            tree = make_version(self.server, "debian")[1]
            self.server.api("POST", "disks", {"name": "ram", "image": "debian", "mode": "ram"})
            nbdkits = [Nbdkit(server) for server in (self.server, two)]
            token = self.server.client(1, "ram").hello()[1]["disks"][0]["tree"]
            for nbdkit in nbdkits:
                with held(nbdkits[0].uri(token), "-r") as reader:
                    tell(reader, "read 0 512")
                    self.assertIn("read 512/512", reader.stdout.readline())
                    out = subprocess.run(["nbdcopy", nbdkit.uri(token), "-"], capture_output=True, timeout=60, check=True).stdout
                    self.assertEqual(tree, out)
                    reader.communicate("quit\n", timeout=60)
        finally:
            for nbdkit in nbdkits:
                nbdkit.end()
            two.close()
