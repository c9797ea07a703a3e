# SPDX-License-Identifier: BSD-2-Clause
"""A real leatd on SQLite with a real nbdkit and Leat's plugin, for machines that ask them what to run."""
import json
import os
import re
import subprocess
import sys

from lab import GUESTS, QUIET, TOP, check, free_port, wait_for_server

sys.path.insert(0, str(TOP / "tests" / "server"))
import server as leatd  # noqa: E402

PLUGIN = leatd.BUILD / "nbdkit-leat-plugin.so"
HOST = "10.0.2.2"  # of this host, as the machine sees it
LOGIN = "guest login:"
UUID = "4c4c4544-0000-2010-8020-80c04f202020"


class Control(leatd.Server):
    """leatd, and nbdkit beside it, as the machine reaches them."""

    nbd_address = "127.0.0.1"

    def __init__(self, lab):
        self.lab, self.nbdkit = lab, None
        self.nbd_port = free_port()
        super().__init__({"session": 15, "lease": 15})
        self.end()
        self.config.write_text(re.sub(r"\nservers = .*", f"\nservers = {HOST}:{self.nbd_port}", self.config.read_text()))
        self.start()
        self.leatctl("login", "anna", text=leatd.PASSWORD + "\n")
        self.serve()

    def serve(self):
        self.nbdkit = subprocess.Popen(
            ["nbdkit", "-f", "--exit-with-parent", "-i", self.nbd_address, "-p", str(self.nbd_port), "--tls=require",
             f"--tls-psk={self.folder / 'nbd.psk'}", PLUGIN, f"socket={self.folder / 'control.sock'}"],
            stdout=self.lab.server_log, stderr=self.lab.server_log, stdin=subprocess.DEVNULL)
        wait_for_server(self.nbdkit, self.nbd_port)

    def close(self):
        if self.nbdkit:
            self.nbdkit.kill()
            self.nbdkit.wait()
        (self.lab.folder / "leatd.log").write_text(self.log.read_text())
        super().close()

    def leatctl(self, *words, text=None):
        environment = {**os.environ, "LEAT_SERVER": f"http://127.0.0.1:{self.admin_port}",
                       "XDG_CONFIG_HOME": str(self.root / "leatctl")}
        run = subprocess.run([TOP / "tools" / "leatctl", *words], capture_output=True, text=True, timeout=60,
                             env=environment, input=text)
        check(run.returncode == 0, f"leatctl {' '.join(words)}: {run.stderr}")
        return run.stdout

    def debian(self, mode, cmdline="", memory=256, **assignment):
        """An image with kernel and initrd, its disk in that mode, and an assignment for the client `lab-01`."""
        images = self.folder / "images"
        if not (images / "debian.raw").exists():
            subprocess.run(["cp", "--sparse=always", GUESTS / "root.img", images / "debian.raw"], check=True)
            for name in ("vmlinuz", "initrd"):
                subprocess.run(["cp", GUESTS / name, images / name], check=True)
            self.api("POST", "images", {"name": "debian"})
            self.api("POST", "images/debian/versions", {
                "source": "debian.raw", "kernel": "vmlinuz", "initrd": "initrd", "cmdline": f"{QUIET} {cmdline}",
                "state": "published"})
        self.api("POST", "disks", {"name": mode, "image": "debian", "mode": mode})
        self.api("POST", "assignments", {"client": "lab-01", "disk": mode, "memory": memory, **assignment})

    def sessions(self):
        return [s for s in self.items("sessions") if not s.get("ended")]


def stick(lab, control, key=None, machine="when_idle = power_off", servers=None):
    """The image of a stick for a machine with that key (UUID:HEX); without one it has what its firmware keeps. machine: its
    section of that name. servers: others than this one."""
    file = lab.folder / "leat.psk"
    text = f"[leatd]\nservers = {servers or f'{HOST}:{control.client_port}'}\n" + ("psk_file = leat.psk\n" if key else "")
    file.write_text(f"{key}\n")
    return lab.image(lab.config(text + f"[console]\nview = all\n[machine]\n{machine}\n"),
                     files={"leat.psk": str(file)} if key else {})


def report_of(session):
    report = session.get("report")
    return json.loads(report) if isinstance(report, str) else report or {}


def with_control(test):
    def run(lab):
        control = Control(lab)
        try:
            test(lab, control)
        finally:
            control.close()
    run.__name__ = test.__name__
    return run


def said(run, pattern):
    return lambda: re.search(pattern, run.text())


def kept_files(run):
    """The numbers of the files that the guest's step `fsyncs` has written so far."""
    return [int(n) for n in re.findall(r"TEST kept (\d+) \w{64}", run.text())]


def add_client(control, name="lab-01", uuid=UUID):
    """Its key, UUID:HEX."""
    return control.leatctl("client", "add", name, uuid).strip().splitlines()[-1].split()[-1]


def check_refused(control, words):
    """leatctl tells of a refusal with these words, and what leatd has answered it says from where it came."""
    check(words in control.leatctl("log", "--kind", "refused", "-n", "1000"), f"leatctl's log has no refusal '{words}'")
    events = [e for e in json.loads(control.leatctl("--json", "log", "--kind", "refused", "-n", "1000")) if words in e["message"]]
    check(events and all((e["kind"], e["address"]) == ("refused", "127.0.0.1") for e in events), f"the events are {events}")
