#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Images with a hash tree, through leat-nbd: whatever a server does to image or tree, no wrong byte comes out, and a
second server that is right is found.

usage: test_vdisk_verity.py LEAT_NBD [TestClass.test_name ...]
Needs what test_vdisk_servers.py needs, and veritysetup.
"""
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import vdisk_case
from vdisk_case import MIB, Case, wait_for

MKVERITY = Path(__file__).resolve().parents[2] / "tools" / "mkverity"
SALT = "5a" * 32


class Verity(Case):
    def setUp(self):
        super().setUp()
        self.image = self.make_folder("good")
        self.root = self.make_tree(self.image)

    def make_folder(self, name, seed=1):
        """NAME/image: 20 MiB with holes."""
        os.mkdir(self.path(name))
        path = self.make_file(f"{name}/image", 12 * MIB, seed)
        with open(path, "r+b") as f:
            f.truncate(20 * MIB)
            f.seek(17 * MIB)
            f.write(b"\x77" * 12288)
        return path

    def make_tree(self, image):
        text = self.run_tool(str(MKVERITY), image, "--salt", SALT).stdout
        return re.search(r"root_hash = (\S+)", text)[1]

    def copy_folder(self, name, *changes):
        """A folder like `good`, with changed bytes: (file, offset, bytes)."""
        shutil.copytree(self.path("good"), self.path(name))
        for file, offset, data in changes:
            with open(self.path(f"{name}/{file}"), "r+b") as f:
                f.seek(offset)
                f.write(data)
        return name

    def serve_folder(self, name):
        return self.serve("file", f"dir={self.path(name)}", name=f"{name}.sock")[1]

    def sealed(self, servers, *options, **more):
        return self.leat(servers, "image", "--mode", "ram", "--root-hash", self.root, *options, **more)

    def read_all(self, leat, timeout=120):
        self.run_tool("nbdcopy", leat.uri, self.path("out"), timeout=timeout)
        self.same_files(self.image, self.path("out"))
        return self.counters(leat)["verity"]

    def check_read(self, leat, offset, size, is_good=True):
        """qemu-io compares nothing here: what a read returns must be the image's bytes, or an error."""
        out = self.path("piece")
        r = self.run_tool("qemu-img", "convert", "-n", "--image-opts", "-O", "raw",
                          f"driver=raw,offset={offset},size={size},file.driver=nbd,"
                          f"file.server.type=unix,file.server.path={leat.uri.split('=')[1]}",
                          self.empty(out, size), ok=False)
        self.assertEqual(r.returncode == 0, is_good, r.stdout)
        with open(self.image, "rb") as f, open(out, "rb") as g:
            f.seek(offset)
            self.assertEqual(f.read(size) == g.read(size), is_good)

    def empty(self, path, size):
        with open(path, "wb") as f:
            f.write(b"\xee" * size)
        return path

    # -- all is well --

    def test_good(self):
        counts = self.read_all(self.sealed(self.serve_folder("good")))
        self.assertEqual((counts["lies"], counts["tree_lies"]), (0, 0))
        tree = os.path.getsize(self.image + ".verity")
        self.assertLessEqual(counts["tree_bytes"], tree)  # each tree block once at most
        self.assertGreater(counts["tree_bytes"], tree // 2)

    def test_oracle(self):
        """The tree that mkverity makes is one for veritysetup; it sees what leat-nbd sees."""
        veritysetup = shutil.which("veritysetup", path=os.environ["PATH"] + ":/usr/sbin")
        tree = self.image + ".verity"
        self.run_tool(veritysetup, "verify", self.image, tree, self.root.split(":")[0])
        self.copy_folder("bad", ("image", 5 * MIB, b"x"))
        r = self.run_tool(veritysetup, "verify", self.path("bad/image"), tree, self.root.split(":")[0], ok=False)
        self.assertNotEqual(r.returncode, 0)

    def test_odd_size(self):
        with open(self.image, "ab") as f:
            f.write(b"end")
        r = self.run_tool(str(MKVERITY), self.image, ok=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("truncate -s %4096", r.stdout)
        leat = self.sealed(self.serve_folder("good"))  # the root hash is of what was there before
        with open(self.image, "r+b") as f:
            f.truncate(20 * MIB)
        self.assertIn("20971520", self.run_tool("nbdinfo", leat.uri).stdout)
        self.read_all(leat)

    def test_no_tree(self):
        """A server of one export has no tree: nothing is read without one, and the log says what is missing."""
        p = self.spawn("qemu-nbd", "-t", "-e", "4", "-f", "raw", "-k", self.path("q"), "-x", "image", "-r", self.image)
        wait_for(lambda: vdisk_case.can_connect(self.path("q")), 10, self.log_of(p))
        leat = self.sealed(f"unix:{self.path('q')}", "--give-up", "2")
        self.check_read(leat, 0, 4096, is_good=False)
        self.assertIn("image.verity", self.log_of(leat))

    # -- lies --

    def test_wrong_byte_and_a_second_server(self):
        self.copy_folder("bad", ("image", 5 * MIB + 77, b"x"), ("image", 17 * MIB + 4096, b"y"))
        leat = self.sealed(self.serve_folder("bad") + "," + self.serve_folder("good"))
        counts = self.read_all(leat)
        self.assertGreater(counts["lies"], 0)
        self.assertRegex(self.log_of(leat), r"block 12\d\d from .*bad.sock.* does not match the root hash")

    def test_wrong_byte_only(self):
        """Everything but that block can be read; it waits, and fails when it has waited enough."""
        self.copy_folder("bad", ("image", 5 * MIB + 77, b"x"))
        leat = self.sealed(self.serve_folder("bad"), "--give-up", "3")
        self.check_read(leat, 0, 5 * MIB)
        self.check_read(leat, 5 * MIB + 4096, 15 * MIB - 4096)
        start = time.monotonic()
        self.check_read(leat, 5 * MIB, 4096, is_good=False)
        self.assertGreater(time.monotonic() - start, 2)
        self.check_read(leat, 5 * MIB - 65536, 65536)
        self.assertLess(self.counters(leat)["verity"]["lies"], 20)  # no endless loop

    def test_mended(self):
        """A block that waits for a right answer gets it when the server has one."""
        self.copy_folder("bad", ("image", 5 * MIB + 77, b"x"))
        with open(self.image, "rb") as f:
            f.seek(5 * MIB + 77)
            right = f.read(1)
        leat = self.sealed(self.serve_folder("bad"))
        reader = subprocess.Popen(["nbdcopy", leat.uri, self.path("out")])
        self.processes.append(reader)
        reader.log = leat.log
        wait_for(lambda: "does not match" in self.log_of(leat), 20, "the lie is told")
        self.assertIsNone(reader.poll())
        with open(self.path("bad/image"), "r+b") as f:
            f.seek(5 * MIB + 77)
            f.write(right)
        self.assertEqual(reader.wait(timeout=60), 0)
        self.same_files(self.image, self.path("out"))

    def test_wrong_tree(self):
        """Each kind of tree block once, then a second server."""
        for i, place in enumerate((4096 * 5 + 9, 4096 + 40, 90, 3)):  # a leaf, the top, the salt, the signature
            name = self.copy_folder(f"bad{i}", ("image.verity", place, b"\xa5\x5a"))
            leat = self.sealed(self.serve_folder(name) + "," + self.path_of_good(), name=f"leat{i}")
            counts = self.read_all(leat)
            self.assertGreater(counts["tree_lies"], 0)
            self.stop(leat)

    def path_of_good(self):
        return self.serve("file", f"dir={self.path('good')}", name=f"good{len(self.processes)}.sock")[1]

    def test_wrong_tree_only(self):
        name = self.copy_folder("bad", ("image.verity", 4096 + 40, b"\xa5\x5a"))
        leat = self.sealed(self.serve_folder(name), "--give-up", "3")
        self.check_read(leat, 0, 4096, is_good=False)
        self.assertLess(self.counters(leat)["verity"]["tree_lies"], 20)

    def test_another_image(self):
        """With a good tree, the same salt, and another root."""
        image = self.make_folder("other", seed=2)
        self.assertNotEqual(self.make_tree(image), self.root)
        leat = self.sealed(self.serve_folder("other"), "--give-up", "3")
        self.check_read(leat, 0, 65536, is_good=False)
        self.stop(leat)
        leat = self.sealed(f"unix:{self.path('other.sock')}," + self.serve_folder("good"), name="leat2")
        self.read_all(leat)

    def test_hidden_data(self):
        """A block of data that the server calls a hole."""
        self.copy_folder("bad")
        with open(self.path("bad/image"), "r+b") as f:
            subprocess.run(["fallocate", "-p", "-o", str(3 * MIB), "-l", "65536", f.name], check=True)
        leat = self.sealed(self.serve_folder("bad") + "," + self.serve_folder("good"))
        self.assertGreater(self.read_all(leat)["lies"], 0)

    def test_smaller(self):
        self.copy_folder("bad")
        with open(self.path("bad/image"), "r+b") as f:
            f.truncate(19 * MIB)
        leat = self.sealed(self.serve_folder("bad") + "," + self.serve_folder("good"))
        self.read_all(leat)
        self.assertIn("it is smaller than the root hash says", self.log_of(leat))

    # -- the local disk --

    def test_store(self):
        """What has passed is kept, and is read from there."""
        server = self.serve_folder("good")
        for i in range(2):
            leat = self.sealed(server, "--store", f"{self.path('store')}:96M", name=f"leat{i}")
            self.read_all(leat)
            counts = self.counters(leat)
            self.stop(leat)
        self.assertGreater(counts["local"]["bytes"], 4 * MIB)
        self.assertLess(sum(source["bytes"] for source in counts["sources"].values()), MIB)
        self.assertEqual(counts["verity"]["lies"], 0)

    def test_store_that_lies(self):
        """The store holds, under the image's content id and with good checksums, what a bad server had."""
        self.copy_folder("bad", *(("image", i * MIB + 77, b"lies") for i in range(1, 12)))
        store = f"{self.path('store')}:96M"
        leat = self.leat(self.serve_folder("bad"), "image", "--mode", "ram", "--store", store, "--content",
                         self.root.split(":")[0])
        self.run_tool("nbdcopy", leat.uri, self.path("wrong"))
        self.stop(leat)
        server = self.serve_folder("good")
        leat = self.sealed(server, "--store", store, name="leat2")
        self.read_all(leat)
        self.assertIn("from the local disk does not match the root hash", self.log_of(leat))
        self.assertGreater(self.counters(leat)["local"]["bytes"], 0)
        self.stop(leat)
        leat = self.sealed(server, "--store", store, name="leat3")
        self.assertEqual(self.read_all(leat)["lies"], 0)  # they have been replaced

    def test_damaged_store(self):
        """Bytes of the store's file are changed while it is off."""
        server, store = self.serve_folder("good"), f"{self.path('store')}:96M"
        leat = self.sealed(server, "--store", store)
        self.read_all(leat)
        self.stop(leat)
        with open(self.path("store"), "r+b") as f:
            for offset in range(4 * MIB, 32 * MIB, 100000):
                f.seek(offset)
                f.write(b"damage")
        self.read_all(self.sealed(server, "--store", store, name="leat2"))

    # -- a disk that is larger than its image --

    def test_larger(self):
        """The disk's blocks behind the image are zeros, whatever the server has there."""
        image = self.copy_folder("larger")
        with open(self.path("larger/image"), "r+b") as f:
            f.truncate(22 * MIB)
        leat = self.leat(self.serve_folder(image), "image", "--mode", "ram", "--root-hash", f"{self.root}:{22 * MIB // 4096}")
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.same_files(self.path("larger/image"), self.path("out"))
        self.assertIn("smaller than the root hash says", self.refusal(f"{self.root}:{23 * MIB // 4096}", image))
        with open(self.path("larger/image"), "r+b") as f:
            f.seek(21 * MIB + 5)
            f.write(b"x")
        server = self.serve("file", f"dir={self.path('larger')}", name="liar.sock")[1]
        leat = self.leat(server, "image", "--mode", "ram", "--give-up", "3", "--root-hash",
                         f"{self.root}:{22 * MIB // 4096}", name="leat2")
        self.assertIn("read failed", self.run_tool("qemu-io", "-r", "-f", "raw", "-c", "read 21M 4k", leat.uri, ok=False).stdout)
        self.assertIn(f"block {21 * MIB // 4096} from", self.log_of(leat))

    def refusal(self, root, folder):
        p = self.leat(f"unix:{self.path(folder)}.sock", "image", "--mode", "ram", "--root-hash", root, name="small", wait=False)
        wait_for(lambda: "smaller" in self.log_of(p), 10, "leat-nbd refuses")
        return self.log_of(p)

    # -- mode server: the image below a client's layer --

    def layered(self, folder, *options, server=None, wait=True):
        """leat-nbd with a client's layer over the image; what it reads of the image comes from that folder, or server."""
        layer = self.path(f"{folder}.qcow2")
        self.run_tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", self.image, "-F", "raw", layer)
        socket = self.path(f"{folder}-layer.sock")
        self.spawn("qemu-nbd", "-t", "-e", "8", "-A", "-f", "qcow2", "-k", socket, "-x", "client", layer)
        wait_for(lambda: vdisk_case.can_connect(socket), 10, "qemu-nbd serves")
        uri = f"nbd+unix:///?socket={self.path(f'{folder}-out')}"
        leat = self.spawn(vdisk_case.LEAT_NBD, "--mode", "server", "--client-server", f"unix:{socket}", "--client",
                          f"client={self.path(f'{folder}-out')}", "--root-hash", self.root, *options,
                          server or self.serve_folder(folder), "image")
        if wait:
            out = self.path(f"{folder}-out")
            wait_for(lambda: vdisk_case.can_connect(out), 15, "leat-nbd serves", lambda: self.log_of(leat))
        leat.uri = uri
        return leat

    def io(self, leat, *commands, ok=True):
        return self.run_tool("qemu-io", "-f", "raw", *[x for c in commands for x in ("-c", c)], leat.uri, ok=ok).stdout

    def test_layer(self):
        """What comes from the image is verified, what the client has written is its own."""
        self.layered_good()
        wrong = 3 * MIB
        leat = self.layered(self.copy_folder("bad", ("image", wrong, b"\xa5\x5a")), "--give-up", "3")
        self.assertIn("read failed", self.io(leat, f"read {wrong} 4k", ok=False))
        self.assertIn(f"block {wrong // 4096} from", self.log_of(leat))
        self.io(leat, f"write -P 7 {wrong - 8192} 4k", f"read {wrong - 4096} 4k", f"read {wrong + 4096} 4k")
        self.assertIn("read failed", self.io(leat, f"read {wrong - 16384} 64k", ok=False))  # a read of both
        self.io(leat, f"write -P 7 {wrong} 4k", f"read -P 7 {wrong} 4k", f"read {wrong - 16384} 64k")

    def test_layer_of_smaller_blocks(self):
        """Reads of less than the image's blocks could not be verified: the two are not put together."""
        server = self.serve("--filter=blocksize-policy", "file", f"dir={self.path('good')}", "blocksize-minimum=4096",
                            "blocksize-preferred=4096", name="large.sock")[1]
        leat = self.layered("good", server=server, wait=False)
        wait_for(lambda: "smaller reads could not be verified" in self.log_of(leat), 60, "it is refused",
                 lambda: self.log_of(leat))

    def layered_good(self):
        leat = self.layered("good")
        places = [MIB + i * 12288 for i in range(100)] + [3 * MIB + 512, 20 * MIB - 512]
        self.io(leat, *[f"write -P 3 {at} {512 if at % 4096 else 4096}" for at in places], "read 2M 64k")
        with open(self.image, "rb") as old, open(self.path("wanted"), "wb") as wanted:
            wanted.write(old.read())
            for at in places:
                wanted.seek(at)
                wanted.write(b"\3" * (512 if at % 4096 else 4096))
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.same_files(self.path("wanted"), self.path("out"))
        counts = self.counters(leat)["shared"]["verity"]
        self.assertGreaterEqual(counts["blocks"], 12 * MIB // 4096 - 2000)
        self.assertEqual(counts["lies"], 0)

    # -- what cannot be --

    def test_refused(self):
        server = self.serve_folder("good")
        leat = self.leat(server, "image", "--root-hash", self.root, wait=False)  # mode private
        wait_for(lambda: leat.poll() is not None, 10, "leat-nbd ends")
        self.assertIn("root_hash is for images that are not written", self.log_of(leat))
        leat = self.leat(server, "image", "--mode", "ram", "--root-hash", "12:3", wait=False)
        wait_for(lambda: leat.poll() is not None, 10, "leat-nbd ends")
        self.assertIn("64 hexadecimal digits", self.log_of(leat))


if __name__ == "__main__":
    vdisk_case.main(__doc__)
