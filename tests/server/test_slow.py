# SPDX-License-Identifier: BSD-2-Clause
"""Large files, and a file system that takes its time: whoever waits for them, nobody else does."""
import contextlib
import os
import shutil
import subprocess
import threading
import time

from case import ServerCase
from server import Control, Refused, until

MIB = 1 << 20
TURNS = 6  # of the others at most, with each operation: a machine may say hello 30 times in a minute
READ = """
touch "$gate/$$"
while [ -e "$gate/$$" ]; do sleep 0.02; done
dd if="$store" iflag=skip_bytes,count_bytes skip="$4" count="$3" status=none
"""  # of the slow file system: each read waits until its file in the gate is removed


class Slow(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.server.folder / "images"
        cls.server.debian("debian", mode="server")
        cls.machine = cls.server.client(1, "debian")
        cls.control = Control(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.control.close()
        super().tearDownClass()

    def meanwhile(self, what, gate=None):
        """What it answers that runs in a thread. All others are answered while it is under way: with a gate during each of its
        reads, which does not end before."""
        ended, outcome = threading.Event(), []

        def run():
            try:
                outcome.append(what())
            except Exception as error:
                outcome.append(error)
            ended.set()
        thread = threading.Thread(target=run)
        thread.start()
        turns = 0
        try:
            while not ended.is_set():
                waiting = list(gate.iterdir()) if gate else []
                if turns == TURNS or gate and not waiting:
                    ended.wait(0.02)
                else:
                    self.take_turn()
                    turns += not ended.is_set()
                for read in waiting:
                    self.assertFalse(ended.is_set(), "it ended without its read")
                    read.unlink()
        except BaseException:
            shutil.rmtree(gate or "", ignore_errors=True)  # all reads go on
            raise
        finally:
            thread.join()
        print(f"({turns} turns)", end=" ")
        self.assertGreater(turns, 0, "nobody was answered before it had ended")
        return outcome[0]

    def take_turn(self):
        for ask in (self.say_hello, self.open, self.renew_lease, self.renew, lambda: self.server.api("GET", "status")):
            ask()

    def say_hello(self):
        state, self.answer = self.machine.hello()
        self.assertEqual(200, state)

    def open(self):
        self.lease = self.control.open(self.answer["disks"][0]["export"])["lease"]

    def renew_lease(self):
        self.assertIn("expires", self.control.ask("renew", lease=self.lease))

    def renew(self):
        self.assertEqual(200, self.machine.renew()[0])

    def version(self, **fields):
        return self.server.api("POST", "images/debian/versions", {"source": "debian.raw", **fields})

    def test_large(self):
        """A kernel and an initrd of 512 MiB each are hashed."""
        for name in ("vmlinuz", "initrd"):
            with open(self.folder / name, "wb") as file:
                file.truncate(512 * MIB)
        answer = self.meanwhile(lambda: self.version(kernel="vmlinuz", initrd="initrd"))
        self.assertEqual(512 * MIB, answer["kernel_size"])
        # SHA-256 of 512 MiB of zeros
        self.assertEqual("9acca8e8c22201155389f65abbf6bc9723edc7384ead80503839f49dcc56d767", answer["initrd_sha256"])

    @contextlib.contextmanager
    def slow_file(self, data):
        """A file of the image folder, each read of which waits in the gate: FUSE over an nbdkit. Its path, and the gate."""
        folder, store, gate = self.folder / "slow", self.server.root / "store", self.server.root / "gate"
        folder.mkdir(exist_ok=True)
        gate.mkdir(exist_ok=True)
        store.write_bytes(data)
        script = "nbdfuse \"$1\"/kernel [ nbdkit --exit-with-parent eval get_size=\"echo $2\" pread=\"$3\" ]"
        fuse = subprocess.Popen(["sh", "-c", "exec " + script, "sh", folder, str(len(data)), READ], stdin=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, env={**os.environ, "gate": str(gate), "store": str(store)})
        try:
            end = time.monotonic() + 60
            while not os.path.ismount(folder):
                if fuse.poll() is not None or time.monotonic() > end:
                    self.skipTest(f"no FUSE here: {fuse.stderr.read() if fuse.poll() is not None else ''}")
                time.sleep(0.05)
            yield "slow/kernel", gate
        finally:
            shutil.rmtree(gate, ignore_errors=True)
            subprocess.run(["umount", "-l", folder], check=False, capture_output=True)
            fuse.kill()
            fuse.communicate()

    def test_slow(self):
        """A slow file system: the kernel of a new version is hashed, given to a machine, and looked at as an image."""
        data = os.urandom(64 << 10)
        with self.slow_file(data) as (path, gate):
            answer = self.meanwhile(lambda: self.version(kernel=path, state="published"), gate)
            self.assertEqual(len(data), answer["kernel_size"])
            answer = self.meanwhile(lambda: self.version(source=path, format="qcow2"), gate)
            self.assertIsInstance(answer, Refused)
            self.assertIn("is no qcow2 file", str(answer))
            machine = self.server.client(2, "debian")
            disk, = machine.hello()[1]["disks"]
            self.forget(path)
            answer = self.meanwhile(lambda: machine.get(disk["kernel"]["path"]), gate)
            self.assertEqual(data, answer[1])

    def forget(self, path):
        """The system keeps nothing of it in memory."""
        file = os.open(self.folder / path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)

    def test_gone_meanwhile(self):
        """Who leaves, or loses the right to it, while a thread works for him: nothing comes of it, and leatd goes on."""
        self.server.add_admin("temp", "another long password")
        token = self.server.login("temp", "another long password")
        before = len(self.server.items("images/debian/versions"))
        refused = []

        def post():
            try:
                self.server.api("POST", "images/debian/versions", {"source": "debian.raw", "kernel": path}, token)
            except Refused as error:
                refused.append(error)
        with self.slow_file(os.urandom(64 << 10)) as (path, gate):
            thread = threading.Thread(target=post)
            thread.start()
            until(lambda: any(gate.iterdir()), "it is read")
            self.server.api("PATCH", "admins/temp", {"enabled": False})
            shutil.rmtree(gate)
            thread.join()
        self.assertEqual(1, len(refused))
        self.assertEqual(before, len(self.server.items("images/debian/versions")))

