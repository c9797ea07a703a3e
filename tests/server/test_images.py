# SPDX-License-Identifier: BSD-2-Clause
"""Whole images by leatctl: brought in from any format and any machine, brought out again, and made of what a client has written.
Whatever ends it in between, nothing half-made is there under a name."""
import contextlib
import hashlib
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import unittest.mock
from pathlib import Path

from case import ServerCase
from server import BUILD, TOP, free_port, until

sys.path.insert(0, str(TOP / "tools"))

import leatapi  # noqa: E402
import leatdisks  # noqa: E402
import leatimport  # noqa: E402
import leatprogress  # noqa: E402

MIB = 1 << 20


class Images(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.environment = cls.server.environment()
        cls.server.log_in()
        cls.data = random.Random(3).randbytes(3 * MIB + 512) + bytes(2 * MIB)
        cls.raw = cls.server.root / "image.raw"
        cls.raw.write_bytes(cls.data)
        cls.folder = cls.server.folder / "images"

    def start(self, *words):
        return subprocess.Popen([TOP / "tools" / "leatctl", *map(str, words)], env=self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def version(self, name):
        return json.loads(self.leatctl("image", "show", name, "--json"))[-1]

    def unfinished(self):
        return [f.name for f in self.folder.iterdir() if ".part" in f.name]

    def same(self, path, data):
        """What qemu-img reads there, and zeros behind it."""
        plain = self.server.root / "plain"
        subprocess.run(["qemu-img", "convert", "-O", "raw", path, plain], check=True)
        found = plain.read_bytes()
        self.assertEqual((data, 0), (found[:len(data)], sum(found[len(data):])))

    def test_formats(self):
        """In from each format, out to each, the same bytes; the same content id whatever it came as."""
        padded = self.data + bytes(-len(self.data) % 4096)
        for wanted in ("qcow2", "vmdk", "vhdx"):
            file = self.server.root / f"in.{wanted}"
            subprocess.run(["qemu-img", "convert", "-O", wanted, self.raw, file], check=True)
            for how, more in (("local", []), ("sent", ["--upload"]))[:2 if wanted == "qcow2" else 1]:
                name = f"{how}-{wanted}"
                self.leatctl("image", "import", name, file, "--publish", *more)
                version = self.version(name)
                there = (self.folder / version["source"]).read_bytes()
                self.assertEqual((padded, 0), (there[:len(padded)], sum(there[len(padded):])))
                self.assertEqual(hashlib.sha256(there).hexdigest(), version["content"])
                self.assertEqual(len(there) // 4096, version["root_blocks"])
                subprocess.run(["/usr/sbin/veritysetup", "verify", self.folder / version["source"],
                                self.folder / version["hash_source"], version["root_hash"]], check=True, capture_output=True)
            out = self.server.root / f"out.{wanted}"
            self.leatctl("image", "export", f"{name}@1", out)
            about = json.loads(subprocess.run(["qemu-img", "info", "--output=json", out], check=True,
                                              capture_output=True).stdout)
            self.assertEqual(wanted, about["format"])
            self.same(out, self.data)
        self.leatctl("image", "export", name, self.server.root / "noname", "--format", "raw")
        self.same(self.server.root / "noname", self.data)
        self.assertIn("there already", self.leatctl("image", "export", name, out, status=1))
        self.assertIn("no version 7", self.leatctl("image", "export", f"{name}@7", "/tmp/x", status=1))
        self.assertIn("no NAME@NUMBER", self.leatctl("image", "export", f"{name}@x", "/tmp/x", status=1))
        self.assertEqual([], self.unfinished())

    def test_awkward_names(self):
        """Files whose names qemu-img and our own tools would take for an option, or for a protocol's."""
        for number, name in enumerate(("-x.raw", "a:b.raw", "json:{}", "-x.qcow2", "nbd:x.qcow2")):
            file = self.server.root / name
            subprocess.run(["qemu-img", "convert", "-O", "qcow2" if "qcow2" in name else "raw", self.raw, file], check=True)
            for how in ([], ["--upload"]):
                self.leatctl("image", "import", *how, "--publish", f"awkward{number}", "--", name, cwd=self.server.root)
            out = "-out" + name
            self.leatctl("image", "export", f"awkward{number}", "--", out, cwd=self.server.root)
            self.same(self.server.root / out, self.data)

    def test_block_device(self):
        """A whole device, as of a machine that is to become an image; sent and on the server itself."""
        data = self.data + bytes(-len(self.data) % 4096)
        file = self.server.root / "device"
        file.write_bytes(data)
        made = subprocess.run(["losetup", "--find", "--show", "--read-only", file], capture_output=True, text=True)
        if made.returncode:
            self.skipTest(f"no block device here: {made.stderr.strip()}")
        device = made.stdout.strip()
        self.addCleanup(subprocess.run, ["losetup", "--detach", device], check=True)
        for how in ([], ["--upload"]):
            self.leatctl("image", "import", "device", device, *how)
            version = self.version("device")
            self.assertEqual(data, (self.folder / version["source"]).read_bytes())
            self.assertEqual(len(data) // 4096, version["root_blocks"])

    def test_no_links(self):
        """Where a file has one name alone (exFAT, FAT): an export gets its own all the same, and takes nobody's."""
        root = self.server.root
        for number in leatdisks.NO_LINKS:
            part, path = root / "linkless.part", root / f"linkless{number}"
            with unittest.mock.patch("os.link", side_effect=OSError(number, os.strerror(number))):
                part.write_bytes(b"new")
                leatdisks.place(part, path)
                self.assertEqual((b"new", False), (path.read_bytes(), part.exists()))
                part.write_bytes(b"newer")
                with self.assertRaisesRegex(leatapi.Refused, "there already"):
                    leatdisks.place(part, path)
                self.assertEqual(b"new", path.read_bytes())
                part.unlink()

    def test_away(self):
        """image set --from-image where the image is not, or may not be read: nothing is wrong with the image."""
        self.leatctl("image", "import", "away", self.raw)
        self.assertIn("has no ext4 file system", self.leatctl("image", "set", "away", "1", "--from-image", status=1))
        file = self.folder / self.version("away")["source"]
        file.rename(self.server.root / "away")
        said = self.leatctl("image", "set", "away", "1", "--from-image", status=1)
        self.assertEqual(f"leatctl: {file} cannot be read: run this on the server itself, as root or as leatd's user\n", said)

    def seen(self, *words):
        """What leatctl shows on a terminal."""
        master, slave = pty.openpty()
        with open(slave, "wb") as out:
            run = subprocess.run([TOP / "tools" / "leatctl", *map(str, words)], env=self.environment, stdout=subprocess.PIPE,
                                 stderr=out, timeout=120)
        text = all_of(master)
        self.assertEqual(0, run.returncode, text)
        return text

    def test_each_step_is_shown(self):
        for how, steps in (([], ["copying", "hashing", "hash tree"]),
                           (["--upload"], ["copying", "hashing", "hash tree", "sending"])):
            text = self.seen("image", "import", "shown", self.raw, *how)
            for step in steps:
                self.assertIn(f"MiB/s {step}", text)
        image = self.folder / self.version("shown")["source"]
        self.assertEqual((self.folder / self.version("shown")["hash_source"]).stat().st_size,
                         leatimport.tree_bytes(image.stat().st_size))

    def test_not_whole(self):
        """An image that reads another file of this machine is refused: what an image's maker wants read is not the server's."""
        secret = self.server.root / "secret"
        secret.write_bytes(b"s" * MIB)
        over = self.server.root / "over.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", over], check=True)
        outside = self.server.root / "outside.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={self.server.root}/out.data", outside,
                        "1M"], check=True)
        flat = self.server.root / "flat.vmdk"
        flat.write_text("# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n"
                        "RW 2048 FLAT \"/etc/../etc/passwd\" 0\nddb.adapterType = \"ide\"\n")
        for file in (over, outside, flat):
            for more in ([], ["--upload"]):
                said = self.leatctl("image", "import", "bad", file, *more, status=1)
                self.assertRegex(said, "not a whole image|no image that qemu-img can read")
        self.assertIn("empty", self.leatctl("image", "import", "bad", "/dev/null", status=1))
        self.assertNotIn("bad", [i["name"] for i in self.server.items("images")])
        self.assertEqual([], self.unfinished())

    def arrived(self):
        """Bytes of what is under way."""
        found = 0
        for file in self.unfinished():
            with contextlib.suppress(FileNotFoundError):  # it has its name
                found += (self.folder / file).stat().st_size
        return found

    def rests(self):
        """Whole pieces alone, and no other is on its way to the disk."""
        found = self.arrived()
        time.sleep(0.5)
        return found % MIB == 0 and found == self.arrived()

    def test_killed_upload(self):
        """leatctl is killed while it sends; then leatd while it receives. The version is there at the end, once, and whole."""
        big = self.server.root / "big.raw"
        data = random.Random(4).randbytes(64 * MIB)  # more than is sent while this process waits for its turn
        big.write_bytes(data)
        process = self.start("image", "import", "big", big, "--upload", "--no-tree")
        until(lambda: self.arrived() >= MIB, "it is under way", 0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assertNotIn("big", [i["name"] for i in self.server.items("images")])
        until(self.rests, "the last piece is whole")
        before = self.arrived()
        self.assertTrue(0 < before < len(data), before)
        process = self.start("image", "import", "big", big, "--upload", "--no-tree")
        until(lambda: self.arrived() > before or process.poll() is not None, "it goes on", 0.002)
        self.server.kill()
        time.sleep(0.5)
        self.server.start()
        out, err = process.communicate(timeout=120)
        self.assertEqual(0, process.returncode, err)
        version, = json.loads(self.leatctl("image", "show", "big", "--json"))
        self.assertEqual((hashlib.sha256(data).hexdigest(), "draft"), (version["content"], version["state"]))
        self.assertEqual(data, (self.folder / version["source"]).read_bytes())
        self.assertEqual([], self.unfinished())

    def test_changed(self):
        """What is not what was hashed is not published: the client would take it for another image."""
        import leatupload
        os.environ["XDG_CONFIG_HOME"] = self.environment["XDG_CONFIG_HOME"]
        api = leatapi.Api(self.environment["LEAT_SERVER"])
        with self.assertRaisesRegex(leatapi.Refused, "changed while"):
            leatupload.send(api, "changed.raw", self.raw, "0" * 64)
        self.assertEqual((0, False), leatupload.received(api, "changed.raw"))

    def test_merge(self):
        """What a client has written becomes a version; the difference, and the version below, stay as they were."""
        self.leatctl("image", "import", "base", self.raw, "--publish")
        self.leatctl("disk", "add", "base", "--image", "base", "--mode", "server")
        client = self.server.client(7, "base")
        token = client.hello()[1]["disks"][0]["export"]
        port = free_port()
        subprocess.run(["nbdkit", "-i", "127.0.0.1", "-p", str(port), BUILD / "nbdkit-leat-plugin.so",
                        f"socket={self.server.folder}/control.sock", "--run",
                        f"qemu-io -f raw -c 'write -P 7 5000 8192' -c flush nbd://127.0.0.1:{port}/{token}"],
                       check=True, capture_output=True, timeout=60)
        file, = (self.server.folder / "differences").iterdir()
        base = self.folder / self.version("base")["source"]
        before = base.read_bytes()
        after = before[:5000] + b"\7" * 8192 + before[13192:]
        out = self.leatctl("difference", "merge", file.name, "--note", "of lab-07")
        self.assertIn("version 2, draft", out)
        version = self.version("base")
        merged = (self.folder / version["source"]).read_bytes()
        self.assertEqual((after, before), (merged, base.read_bytes()))
        self.assertEqual((hashlib.sha256(merged).hexdigest(), "of lab-07"), (version["content"], version["note"]))
        subprocess.run(["/usr/sbin/veritysetup", "verify", self.folder / version["source"],
                        self.folder / version["hash_source"], version["root_hash"]], check=True, capture_output=True)
        self.assertTrue(file.exists())
        self.assertIn("MiB/s merging", self.seen("difference", "merge", file.name))
        self.assertIn("no difference", self.leatctl("difference", "merge", "f" * 24, status=1))
        file.write_bytes(b"nonsense")
        self.assertIn("cannot be merged", self.leatctl("difference", "merge", file.name, status=1))
        self.assertEqual(([], 3), (self.unfinished(), len(self.server.items("images/base/versions"))))

    def test_refused_version(self):
        """A version that leatd refuses leaves no file of it."""
        there = set(self.folder.iterdir())
        self.assertIn("note", self.leatctl("image", "import", "noted", self.raw, "--note", "x" * 501, status=1))
        self.assertEqual(there, set(self.folder.iterdir()))


def all_of(master):
    """What a terminal has got that nobody writes to any more."""
    text = b""
    with open(master, "rb", 0) as shown:
        while True:
            try:
                text += shown.read(4096)
            except OSError:
                return text.decode()


class Out:
    def __init__(self, is_terminal):
        self.text, self.isatty = "", lambda: is_terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def fileno(self):
        raise OSError("it is none of the kernel's")


class Progress(unittest.TestCase):
    def shown(self, is_terminal, steps=100, seconds=0.5):
        out, now = Out(is_terminal), [0.0]
        with leatprogress.Progress("copying", steps * MIB, out, lambda: now[0]) as progress:
            for _ in range(steps):
                now[0] += seconds
                progress.add(MIB)
        return out.text

    def test_terminal(self):
        text = self.shown(True)
        self.assertIn("[###############...............] 50 of 100 MiB, 2 MiB/s, 25 s left copying", text)
        self.assertTrue(text.endswith("100 of 100 MiB, 2 MiB/s copying\n"))
        self.assertEqual(1, text.count("\n"))

    def test_plain(self):
        text = self.shown(False)
        self.assertEqual(5, text.count("\n"))
        self.assertNotIn("\r", text)
        self.assertIn("copying: 20 of 100 MiB, 2 MiB/s, 40 s left\n", text)
        self.assertEqual("", self.shown(False, 10, 0.1))

    def test_columns(self):
        """A bar that is longer than the row would leave all of its rows but one behind at each step."""
        what = "sending a-name-that-is-long-enough-0123456789abcdef.raw"
        for columns in (40, 80, 200):
            master, slave = pty.openpty()
            with open(slave, "w") as out:
                termios.tcsetwinsize(slave, (25, columns))
                with leatprogress.Progress(what, 100 * MIB, out) as progress:
                    progress.shown = 0  # it is long ago
                    progress.add(MIB)
            rows = [row for row in re.split(r"\r\033\[K|\r\n", all_of(master)) if row]
            self.assertEqual(2, len(rows), rows)
            for row in rows:
                self.assertLess(len(row), columns)
                self.assertTrue(row.startswith("[.............................."), row)
                self.assertEqual(columns > 100, row.endswith(what), row)

    def test_watched(self):
        """The bar of another program's work is what is there of its file."""
        with tempfile.TemporaryDirectory(prefix="leat-watched-") as folder:
            stop, asked, out = Path(folder, "stop"), [], Out(True)

            def done():
                asked.append(len(asked))
                if len(asked) == 2:
                    stop.touch()
                return 50 * MIB
            with unittest.mock.patch("sys.stderr", out):
                run = leatdisks.run_watched(["sh", "-c", f"while ! [ -e {stop} ]; do sleep 0.05; done; echo out; echo err >&2"],
                                            "making", 100 * MIB, done)
            self.assertEqual((0, "out\n", "err\n"), (run.returncode, run.stdout, run.stderr))
            self.assertIn("[###############...............] 50 of 100 MiB", out.text)
            self.assertTrue(out.text.rstrip().endswith("making"))
            self.assertIn("100 of 100 MiB", out.text)
            pid = Path(folder, "pid")

            def interrupted():
                until(lambda: pid.exists() and pid.read_text().endswith("\n"), "it runs")
                raise KeyboardInterrupt
            with self.assertRaises(KeyboardInterrupt), unittest.mock.patch("sys.stderr", out):
                leatdisks.run_watched(["sh", "-c", f"echo $$ > {pid}; sleep 600; true"], "making", 100, interrupted)
            with self.assertRaises(ProcessLookupError):
                os.kill(int(pid.read_text()), 0)
