# SPDX-License-Identifier: BSD-2-Clause
"""nbdkit with Leat's plugin beside a leatd, and a client of NBD."""
import contextlib
import subprocess

from server import BUILD, free_port, until, wait_for_port

PLUGIN = BUILD / "nbdkit-leat-plugin.so"


def held(uri, *options):
    """qemu-io that has the export open and waits for commands."""
    return subprocess.Popen(["qemu-io", *options, "-f", "raw", uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def tell(process, command):
    process.stdin.write(command + "\n")
    process.stdin.flush()


@contextlib.contextmanager
def on_socket(socket, file):
    """The file, read-only, on that Unix socket."""
    ready = socket.with_name(socket.name + ".pid")  # which nbdkit writes when it listens
    nbdkit = subprocess.Popen(["nbdkit", "-f", "-r", "--exit-with-parent", "-P", ready, "-U", socket, "file", file])
    try:
        until(ready.exists, "nbdkit listens")
        yield
    finally:
        nbdkit.kill()
        nbdkit.wait()
        ready.unlink(missing_ok=True)


class Nbdkit:
    """options: more words for nbdkit itself."""

    def __init__(self, server, port=None, options=()):
        self.server, self.port, self.options = server, port or free_port(), options
        self.log = server.root / "nbdkit.log"
        self.start()

    def start(self):
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(["nbdkit", "-f", "-i", "127.0.0.1", "-p", str(self.port), *self.options, PLUGIN,
                                             f"socket={self.server.folder}/control.sock"], stderr=log, stdin=subprocess.DEVNULL)
        wait_for_port(self.port, self.process, lambda: self.said()[-2000:])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.terminate()
        self.process.wait(60)

    def uri(self, token):
        return f"nbd://127.0.0.1:{self.port}/{token}"

    def said(self):
        return self.log.read_text(encoding="utf-8")
