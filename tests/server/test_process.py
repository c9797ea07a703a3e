# SPDX-License-Identifier: BSD-2-Clause
"""leatd as a process among others: there is one for a state, and what it does with its descriptors."""
import socket
import subprocess

from case import ServerCase
from server import LEATD, Control, free_port


class Process(ServerCase):
    def second(self, config):
        """How a leatd with that configuration ends, while the first runs."""
        path = self.server.root / "second.conf"
        path.write_text(config)
        run = subprocess.run([LEATD, "--config", path], capture_output=True, text=True, timeout=30)
        control = Control(self.server)
        self.assertEqual("gone", control.ask("renew", lease="a")["reason"])  # the first has its socket still
        control.close()
        self.server.api("GET", "groups")
        return run.returncode, run.stderr

    def test_second(self):
        config = self.server.config.read_text()
        ports = (self.server.admin_port, self.server.client_port)
        code, words = self.second(config)
        self.assertEqual(1, code)
        self.assertIn(f"another leatd serves the folder {self.server.folder}", words)
        for port in ports:  # also where no port is in the way
            config = config.replace(f":{port}\n", f":{free_port()}\n")
        code, words = self.second(config)
        self.assertEqual((1, True), (code, "another leatd" in words))
        # Another state, but the same control socket; then the same ports.
        other = f"[state]\nfolder = {self.server.root}/other\n[admin]\nlisten = 127.0.0.1:{ports[0]}\n"
        code, words = self.second(f"{other}[control]\nsocket = {self.server.folder}/control.sock\n")
        self.assertEqual((1, True), (code, "another process serves the control socket" in words))
        code, words = self.second(other)
        self.assertEqual((1, True), (code, "port in use" in words))

    def test_again_at_once(self):
        socket.create_connection(("127.0.0.1", self.server.admin_port)).close()
        self.server.kill()
        self.server.start()
        control = Control(self.server)
        self.assertEqual("gone", control.ask("renew", lease="a")["reason"])
        control.close()
