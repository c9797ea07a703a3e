#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Mode `server` in the hypervisor: two guests on one shared image, each with a qcow2 layer of its own that qemu-nbd keeps. What
they have made durable is there after a power cut of the machine and of the layers' servers; the image never changes."""
import re
import signal
import subprocess

from lab import base_config, check, free_port, main, sha256, vm, wait_for_server

CLIENTS = "web", "db"


class LayerServer:
    """qemu-nbd with one client's layer, which it makes over the image first."""

    def __init__(self, lab, name, image):
        self.name, self.port, self.log = name, free_port(), lab.server_log
        self.path = lab.folder / f"{name}.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", "raw", str(self.path)], check=True)

    def start(self):
        self.process = subprocess.Popen(
            ["qemu-nbd", "-t", "-A", "-e", "8", "-f", "qcow2", "-b", "127.0.0.1", "-p", str(self.port), "-x", self.name,
             "--discard=unmap", str(self.path)], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        wait_for_server(self.process, self.port)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def image_of(lab, servers, steps):
    where = ", ".join(f"10.0.2.2:{s.port}" for s in servers)
    return lab.image(lab.config(base_config(lab) + f"""
[disk one]
mode = server
client_export = {{vm}}
client_servers = {where}
""" + "".join(vm(name, "one", steps) for name in CLIENTS)))


def kept_files(run, name):
    return re.findall(rf"{name} TEST kept (\d+) (\w{{64}})", run.text())


def two_layers(lab):
    image = lab.disk("one")
    before = sha256(image.read_bytes())
    lab.server.start()
    servers = [LayerServer(lab, name, image) for name in CLIENTS]
    try:
        for server in servers:
            server.start()
        run = lab.boot(image_of(lab, servers, "fsyncs"), guests=CLIENTS)
        lab.wait_for(run, {f"{name}'s files": lambda name=name: len(kept_files(run, name)) >= 15 for name in CLIENTS}, 900)
        run.process.kill()
        run.process.wait()
        run.close()
        for server in servers:
            server.kill()
            server.start()
        kept = {name: kept_files(run, name) for name in CLIENTS}
        run = lab.boot(image_of(lab, servers, "kept"), guests=CLIENTS)
        run.wait_end(900)
    finally:
        for server in servers:
            server.kill()
    for name in CLIENTS:
        text = lab.guest_log(name)
        check("TEST kept ok" in text, f"guest {name}: its file system is damaged")
        found = dict(re.findall(r"TEST found (\d+) (\w{64})", text))
        for number, total in kept[name]:
            check(found.get(number) == total,
                  f"guest {name}: file {number}, which was durable, is {'damaged' if number in found else 'gone'}")
    check(len(set(kept["web"]) & set(kept["db"])) == 0, "both guests have written the same")
    check(sha256(image.read_bytes()) == before, "the shared image has changed")


if __name__ == "__main__":
    main(two_layers)
