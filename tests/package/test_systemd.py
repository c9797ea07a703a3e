#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The package on a Debian 12 that has been started (machine.py): from apt-get install to a machine that reads and writes its
disk, with both units run by systemd and their sandbox on; what that forbids; kinds of images; servers that are killed; the boot
folder; an upgrade, a removal, and a backup brought back; PostgreSQL for SQLite. The tests are one story, in their order."""
import json
import os
import select
import subprocess
import sys
import types
import unittest
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "server")]

from back_ends import BackEnds  # noqa: E402
from machine import BOUND, Machine, disk  # noqa: E402
from package import PackageCase  # noqa: E402
from server import PASSWORD, Client  # noqa: E402

UUID = "4c4c4544-0000-2010-8020-80c04f202020"
UNITS = ("leatd", "leat-nbdkit")
CLIENTS, NBD, BOOT = 9471, 10809, 9472
MIB = 1 << 20
CONTENT = (os.urandom(MIB) + bytes(MIB)) * 2
BOOT_CONF = """[boot]
listen = 0.0.0.0:9472
folder = /srv/leat/boot
"""
DATABASE = """[state]
database = postgresql:///leat?host=/var/run/postgresql
"""
LEATD_CONF = """[export]
servers = 10.0.2.15:10809
[times]
session = 900
"""
ALLOWED = {"write /tmp", "write /var/lib/leat", "socket by IPv4", "socket by IPv6", "socket by Unix", "fewer files"}
# What its user, and everybody, may not do in any case.
NEVER = {"become root", "set the clock", "set the host's name", "real-time turn", "call bpf", "call kexec_load",
         "call pivot_root"}
# A published version that stays where it is.
VERSION = """
import json, sys
sys.path.insert(0, "/usr/share/leat")
from leatapi import Api
api = Api(None, None)
api.ask("POST", "images", {"name": sys.argv[1]})
api.ask("POST", f"images/{sys.argv[1]}/versions", {**json.loads(sys.argv[2]), "state": "published"})
"""
TFTP = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(30)
s.sendto(b"\\0\\1" + sys.argv[2].encode() + b"\\0octet\\0", (sys.argv[1], 69))
sys.stdout.write(s.recv(1000)[4:].hex())
"""


class Systemd(PackageCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        depends = subprocess.run(["dpkg-deb", "-f", cls.deb, "Depends"], check=True, capture_output=True, text=True).stdout
        cls.machine = Machine(disk(depends.strip()), cls.folder, (CLIENTS, NBD, BOOT))
        cls.addClassCleanup(cls.machine.close)
        cls.ends = BackEnds(cls.folder, CONTENT)
        cls.addClassCleanup(cls.ends.close)
        cls.machine.wait_started()
        cls.run_in = staticmethod(cls.machine.run)

    def leatctl(self, *words, **more):
        return self.run_in("leatctl", *words, **more)

    def both_run(self):
        for unit in UNITS:
            self.machine.wait_for(lambda unit=unit: self.run_in("systemctl", "is-active", unit) == "active\n", why=f"{unit} runs")

    def log(self):
        said = self.run_in("journalctl", "-o", "cat", "-n", "60", *(f"--unit={unit}" for unit in UNITS))
        return f"{said}\n{self.ends.said()}"

    def hello(self):
        """Makes self.client's session; {disk: what the answer has}."""
        status, answer = self.client.hello()
        self.assertEqual(200, status, f"{answer}\n{self.log()}")
        return {found["name"]: found for found in answer["disks"]}

    def copy_of(self, export):
        """All bytes of it, by NBD over TLS."""
        uri = f"nbds://{UUID}@127.0.0.1:{self.machine.ports[NBD]}/{export}?tls-psk-file={self.folder}/keys.psk"
        target = self.folder / "copy"
        run = subprocess.run(["nbdcopy", uri, target], capture_output=True, text=True, timeout=BOUND)
        self.assertEqual(0, run.returncode, f"{run.stderr}\n{self.log()}")
        return target.read_bytes()

    def qemu_io(self, export):
        """qemu-io with the disk open; it connects again by itself."""
        words = ["qemu-io", "--object", f"tls-creds-psk,id=psk,dir={self.folder},endpoint=client,username={UUID}", "--image-opts",
                 f"driver=nbd,server.type=inet,server.host=127.0.0.1,server.port={self.machine.ports[NBD]},export={export},"
                 f"tls-creds=psk,reconnect-delay={BOUND}"]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def does(self, process, command, words=None):
        """words: of the command's own line in what qemu-io says; None: it says nothing."""
        process.stdin.write(command + "\n")
        process.stdin.flush()
        if not words:
            return
        said = ""
        while words not in said:
            self.assertTrue(select.select([process.stdout], [], [], BOUND)[0], f"{command}: {said}\n{self.log()}")
            piece = os.read(process.stdout.fileno(), 4096).decode()
            said += piece
            self.assertTrue(piece and "failed" not in said, f"{command}: {said}\n{self.log()}")

    def test_1_install(self):
        """apt starts both, as a user without privileges, and systemd itself counts the sandbox."""
        self.machine.put("/root/leat.deb", self.deb.read_bytes())
        self.run_in("apt-get", "install", "-y", "/root/leat.deb")
        self.both_run()
        for unit in UNITS:
            pid = self.run_in("systemctl", "show", "-P", "MainPID", unit).strip()
            self.assertEqual("leat:leat\n", self.run_in("stat", "-c", "%U:%G", f"/proc/{pid}"))
            self.assertRegex(self.run_in("cat", f"/proc/{pid}/status"),
                             r"(?s)CapEff:\t0+\n.*CapBnd:\t0+\n.*NoNewPrivs:\t1\nSeccomp:\t2\n")
            counted = self.run_in("systemd-analyze", "security", "--threshold=20", "--no-pager", unit)
            print(f"{unit}: {counted.splitlines()[-1]}")

    def probe(self, unit):
        """What a process may do that systemd starts with all of the unit's settings but its program."""
        lines = self.run_in("cat", f"/lib/systemd/system/{unit}.service").replace("\\\n", "").splitlines()
        kept = [line for line in lines if not line.startswith(("ExecStart=", "Restart", "Type="))]
        at = kept.index("[Service]") + 1
        kept[at:at] = ["Type=oneshot", "ExecStart=/usr/local/lib/leat-probe", f"StandardOutput=file:/root/{unit}.probe"]
        self.machine.put("/run/systemd/system/leat-probe.service", "\n".join(kept) + "\n")
        self.run_in("systemctl", "daemon-reload")
        self.run_in("systemctl", "start", "leat-probe.service")
        return json.loads(self.run_in("cat", f"/root/{unit}.probe"))

    def test_2_sandbox(self):
        """What the units forbid, each of it allowed to the same user outside of them."""
        self.machine.put("/usr/local/lib/leat-probe", (HERE / "probe").read_bytes())
        self.run_in("sh", "-c", "chmod 755 /usr/local/lib/leat-probe /root && mkdir -p /home/leat-probe && "
                    "mkdir -m 777 /srv/open /var/lib/open /run/open && "
                    "touch /home/leat-probe/open /root/open /tmp/leat-probe-of-others")
        free = json.loads(self.run_in("runuser", "-u", "leat", "--", "/usr/local/lib/leat-probe"))
        for unit in UNITS:
            found = self.probe(unit)
            tried = found.keys() - {"user", "NoNewPrivs", "Seccomp"} - {name for name in found if name.startswith("Cap")}
            self.assertEqual(ALLOWED, {what for what in tried if found[what] == "yes"}, f"{unit}: {found}")
            self.assertEqual(free["user"], found["user"])
            self.assertEqual(["0" * 16] * 5, [found[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")])
            self.assertEqual(("1", "2"), (found["NoNewPrivs"], found["Seccomp"]))
            self.assertEqual({"EROFS"}, {found[f"write {where}"] for where in ("/srv", "/var/lib", "/run", "/dev/shm")})
        self.assertEqual(tried - NEVER, {what for what in tried if free[what] == "yes"}, str(free))
        self.run_in("sh", "-c", "chmod 700 /root && rm -r /home/leat-probe")

    def test_3_first_machine(self):
        """What docs/package.md has an administrator do. Root and a user that is nobody special import."""
        self.run_in("sh", "-c", "systemctl stop leat-nbdkit leatd && rm /var/lib/leat/leat.db")
        self.run_in("leatd", "add-admin", "anna", input=PASSWORD + "\n")  # as root: what is made is leatd's own all the same
        self.assertEqual("leat\n", self.run_in("stat", "-c", "%U", "/var/lib/leat/leat.db"))
        self.machine.put("/etc/leat/leatd.conf", LEATD_CONF)
        self.run_in("systemctl", "start", "leatd", "leat-nbdkit")
        self.leatctl("login", "anna", input=PASSWORD + "\n")
        kernel = os.urandom(100000)
        self.machine.put("/root/kernel", kernel)
        self.machine.put("/root/raw", CONTENT)
        self.leatctl("image", "import", "debian", "/root/raw", "--kernel", "/root/kernel", "--cmdline", "quiet", "--publish")
        self.run_in("sh", "-c", "useradd -m anna && cd /home/anna && qemu-img convert -f raw -O qcow2 /root/raw image.qcow2 "
                    "&& chown anna image.qcow2")
        as_anna = {"environment": {"HOME": "/home/anna"}}
        self.run_in("runuser", "-u", "anna", "--", "leatctl", "login", "anna", input=PASSWORD + "\n", **as_anna)
        self.run_in("runuser", "-u", "anna", "--", "leatctl", "image", "import", "sent", "/home/anna/image.qcow2", "--publish",
                    **as_anna)
        key = self.leatctl("client", "add", "lab-01", UUID).strip().rpartition(":")[2]
        for name, mode in (("debian", "server"), ("sent", "read-only")):
            self.leatctl("disk", "add", name, "--image", name, "--mode", mode)
            self.leatctl("assign", "add", name, "--client", "lab-01")
        type(self).client = Client(types.SimpleNamespace(client_port=self.machine.ports[CLIENTS]), UUID, key)
        (self.folder / "keys.psk").write_text(f"{UUID}:{key}\n")
        disks = self.hello()
        for name in ("debian", "sent"):
            self.assertEqual(CONTENT, self.copy_of(disks[name]["export"]), name)
        self.assertEqual((200, kernel), self.client.get(disks["debian"]["kernel"]["path"])[:2])

    def test_4_back_ends(self):
        """Each kind of image through the sandbox: a child program, other servers, TLS with an authority of one's own."""
        self.machine.put("/etc/leat/https-ca.pem", self.ends.ca)
        self.machine.put("/etc/leat/s3.conf", self.ends.s3)
        self.machine.put("/etc/default/leat-nbdkit", 'PARAMETERS="https-ca=/etc/leat/https-ca.pem s3=/etc/leat/s3.conf"\n')
        self.run_in("sh", "-c", "chgrp leat /etc/leat/s3.conf && chmod 640 /etc/leat/s3.conf && systemctl restart leat-nbdkit && "
                    "install -o leat -m 644 /home/anna/image.qcow2 /var/lib/leat/images/kept.qcow2")
        self.run_in("python3", "-c", VERSION, "qcow2", json.dumps({"source": "kept.qcow2", "format": "qcow2"}))
        self.run_in("systemd-run", "-p", "RuntimeDirectory=image-server", "nbdkit", "-f", "-r", "-U",
                    "/run/image-server/socket", "file", "/root/raw")
        self.machine.wait_for(lambda: self.has("/run/image-server/socket") == "there", why="a server at a Unix socket")
        self.run_in("chmod", "666", "/run/image-server/socket")
        sources = {**self.ends.sources, "unix": "nbd+unix:///?socket=/run/image-server/socket"}
        for name, source in sources.items():
            self.leatctl("image", "link", name, source, "--publish", "--https-ca", "/etc/leat/https-ca.pem",
                         "--s3", "/etc/leat/s3.conf")
        names = ["qcow2", *sources]
        for name in names:
            self.leatctl("disk", "add", name, "--image", name, "--mode", "server")
            self.leatctl("assign", "add", name, "--client", "lab-01")
        disks = self.hello()
        for name in names:
            with self.subTest(name):
                self.assertEqual(CONTENT, self.copy_of(disks[name]["export"]))
                holder = self.qemu_io(disks[name]["export"])
                self.does(holder, f"write -P 7 {MIB} 4k", "wrote 4096/4096")
                self.does(holder, f"read -P 7 {MIB} 4k", "read 4096/4096")

    def test_5_killed(self):
        """What was flushed is there when nbdkit is started anew; disks go on when leatd is killed."""
        holder = self.qemu_io(self.hello()["debian"]["export"])
        self.does(holder, f"write -P 9 {MIB} 64k", "wrote 65536/65536")
        self.does(holder, "flush")
        self.run_in("systemctl", "restart", "leat-nbdkit")
        self.does(holder, f"read -P 9 {MIB} 64k", "read 65536/65536")
        before = self.run_in("systemctl", "show", "-P", "MainPID", "leatd")
        self.run_in("systemctl", "kill", "-s", "KILL", "leatd")
        self.does(holder, "write -P 8 0 4k", "wrote 4096/4096")
        self.does(holder, "read -P 8 0 4k", "read 4096/4096")
        self.both_run()
        self.assertNotEqual(before, self.run_in("systemctl", "show", "-P", "MainPID", "leatd"))
        self.machine.wait_for(lambda: self.client.renew()[0] == 200, why="leatd is back, and knows the session")
        self.assertNotIn("timed out", self.log())  # nobody who has a disk open keeps nbdkit from ending
        self.run_in("systemctl", "kill", "-s", "KILL", "leat-nbdkit")
        self.does(holder, f"read -P 9 {MIB} 64k", "read 65536/65536")

    def test_6_boot_folder(self):
        """dnsmasq as Debian runs it, and leatd's HTTP, give out leat.efi."""
        self.leatctl("netboot", "/srv/leat/boot", "--address", "10.0.2.15", "--interface", "eth0", "--range",
                     "10.0.2.100,10.0.2.200", "--dnsmasq", "/etc/dnsmasq.d/leat.conf")
        self.machine.put("/etc/leat/leatd.conf", LEATD_CONF + BOOT_CONF)
        self.run_in("systemctl", "restart", "dnsmasq", "leatd")
        begin = self.run_in("python3", "-c", TFTP, "10.0.2.15", "leat.efi")
        with urllib.request.urlopen(f"http://127.0.0.1:{self.machine.ports[BOOT]}/leat.efi", timeout=BOUND) as answer:
            efi = answer.read()
        self.assertEqual(b"MZ", efi[:2])
        self.assertEqual(efi[:512].hex(), begin)

    def test_7_upgrade_and_backup(self):
        """The package over itself; removed and purged; the state lost, and brought back by docs/package.md's way."""
        conf = self.run_in("cat", "/etc/leat/leatd.conf")
        holder = self.qemu_io(self.hello()["debian"]["export"])
        self.run_in("dpkg", "--install", "/root/leat.deb")
        self.both_run()
        self.assertEqual(conf, self.run_in("cat", "/etc/leat/leatd.conf"))
        self.does(holder, f"read -P 9 {MIB} 64k", "read 65536/65536")
        holder.communicate("quit\n", timeout=BOUND)
        self.run_in("systemctl", "stop", "leat-nbdkit", "leatd")
        self.run_in("tar", "-C", "/", "-cSf", "/root/backup.tar", "etc/leat", "etc/default/leat-nbdkit", "var/lib/leat")
        self.run_in("dpkg", "--remove", "leat")
        self.assertEqual("absent", self.has("/lib/systemd/system/leatd.service"))
        self.run_in("dpkg", "--purge", "leat")
        self.assertEqual("absent", self.has("/etc/leat/leatd.conf"))
        self.assertEqual("there", self.has("/var/lib/leat/leat.db"))
        self.run_in("rm", "-r", "/var/lib/leat")
        self.run_in("apt-get", "install", "-y", "/root/leat.deb")
        self.both_run()
        self.assertEqual((0, None), self.client.request("POST", "hello", {"uuid": UUID}))  # nobody is known any more
        self.run_in("systemctl", "stop", "leat-nbdkit", "leatd")
        self.run_in("rm", "-r", "/var/lib/leat")
        self.run_in("tar", "-C", "/", "-xpSf", "/root/backup.tar")
        self.run_in("systemctl", "start", "leatd", "leat-nbdkit")
        self.both_run()
        holder = self.qemu_io(self.hello()["debian"]["export"])
        self.does(holder, f"read -P 9 {MIB} 64k", "read 65536/65536")
        self.does(holder, "write -P 5 0 4k", "wrote 4096/4096")

    def test_8_postgresql(self):
        """docs/package.md's way to PostgreSQL, by its Unix socket and leatd's own user; it is restarted under a machine."""
        self.run_in("sh", "-c", "systemctl stop leat-nbdkit leatd && systemctl start postgresql && "
                    "runuser -u postgres -- createuser leat && runuser -u postgres -- createdb -O leat leat")
        self.machine.put("/etc/leat/leatd.conf", LEATD_CONF + DATABASE)
        self.run_in("leatd", "add-admin", "bert", input=PASSWORD + "\n")
        self.run_in("systemctl", "start", "leatd", "leat-nbdkit")
        self.both_run()
        self.leatctl("login", "bert", input=PASSWORD + "\n")
        self.leatctl("image", "import", "debian", "/root/raw", "--publish")
        key = self.leatctl("client", "add", "lab-01", UUID).strip().rpartition(":")[2]
        self.leatctl("disk", "add", "debian", "--image", "debian", "--mode", "server")
        self.leatctl("assign", "add", "debian", "--client", "lab-01")
        self.client.key = key
        (self.folder / "keys.psk").write_text(f"{UUID}:{key}\n")
        export = self.hello()["debian"]["export"]
        self.assertEqual(CONTENT, self.copy_of(export))
        holder = self.qemu_io(export)
        self.does(holder, f"write -P 6 {MIB} 64k", "wrote 65536/65536")
        self.run_in("systemctl", "restart", "postgresql")
        self.does(holder, f"read -P 6 {MIB} 64k", "read 65536/65536")
        self.machine.wait_for(lambda: self.client.renew()[0] == 200, why="leatd has its database again, and knows the session")
        self.both_run()

    def has(self, path):
        return "absent" if self.machine.try_("stat", path)["status"] else "there"


if __name__ == "__main__":
    unittest.main(verbosity=2)
