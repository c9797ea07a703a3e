# SPDX-License-Identifier: BSD-2-Clause
"""Boots a Leat image on a machine and talks to its serial line: what tools/run and the tests use.

    options = leatrun.Options(image="leat.img", machine="bochs", logs="logs")
    with leatrun.Run(options) as run:
        run.expect(r"leat> ", timeout=120)
        run.send("vms\\r")
        run.wait_end(timeout=60)

Everything that a run makes (socket, disk copy, firmware variables) lies in one temporary folder, which
goes away with it; the emulator dies with the process that started it.
"""
import ctypes
import dataclasses
import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import leatmachine

# How a run ended; the values are the exit statuses of tools/run.
OK, ERROR, USAGE, TIMEOUT, CRASH = 0, 1, 2, 3, 4

# What boot, Leat's kernel and a Linux guest say when all is lost.
DEFAULT_FAIL = [r"Leat cannot start: ", r"this is a defect of Leat", r"nothing can run without it",
                r"Kernel panic - not syncing"]

LEAT_LINE = re.compile(rb"\[ *\d+\.\d{6}\] ")
CONTROL = re.compile(rb"\x1b\[[0-9;?=]*[A-Za-z]|\r")
ERASED = re.compile(rb"\r\x1b\[K")  # what stood on the line, a prompt, is not part of what comes
CUT_ESCAPE = re.compile(rb"(\r|\r?\x1b(\[[0-9;?=]{0,16})?)\Z")  # the start of one, at the end of a piece


class RunError(Exception):
    """The run could not be started or went wrong by itself: one line for people."""


class TimedOut(RunError):
    """What was waited for did not come in time."""


class Ended(RunError):
    """The machine ended before what was waited for came."""


@dataclasses.dataclass
class Options:
    """image: the disk image; "": none, QEMU alone. memory in MiB. timeout in seconds of wall time, 0: none. logs: folder for
    serial.log, leat.log, guest-NAME.log and the machine's own output; None: none are kept. guests: names
    of the VMs, to tell their lines in serial.log."""

    image: str
    machine: str = "auto"
    variables: str = ""  # QEMU: a file with OVMF's variables, which the run changes; "": fresh ones
    cpus: int = 1
    memory: int = 1024
    cpu: str = ""
    board: str = "q35"
    uuid: str = ""
    nic: str = "user"  # "user": the host is 10.0.2.2; QEMU also "none", and "silent": a cable to nowhere
    timeout: float = 0
    logs: str | None = None
    guests: tuple = ()
    reboot: bool = False
    disks: tuple = ()  # local disks, (bus, file) each: leatmachine.DISK_BUSES; they are written, by no one else meanwhile
    extra: tuple = ()  # more arguments (QEMU) or bochsrc lines (Bochs)


class LogSplitter:
    """Writes the serial line into serial.log as it is, and without its control sequences by lines into
    leat.log and guest-NAME.log: a line "NAME text" with a guest's name goes to that guest, everything
    else to leat.log."""

    def __init__(self, folder, guests):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.prefixes = {guest.encode() + b" ": guest for guest in guests}
        self.files = {name: open(os.path.join(folder, name + ".log"), "wb", buffering=0)
                      for name in ("serial", "leat")}
        self.rest = b""

    def feed(self, data, plain):
        self.files["serial"].write(data)
        lines = (self.rest + plain).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            self._line(line)

    def _line(self, text):
        if not LEAT_LINE.match(text):
            for prefix, guest in self.prefixes.items():
                if text.startswith(prefix):
                    self._guest(guest).write(text[len(prefix):] + b"\n")
                    return
        self.files["leat"].write(text + b"\n")

    def _guest(self, guest):
        name = "guest-" + guest
        if name not in self.files:
            self.files[name] = open(os.path.join(self.folder, name + ".log"), "wb", buffering=0)
        return self.files[name]

    def close(self):
        rest, self.rest = self.rest, b""  # it may be called again
        if rest:
            self._line(rest)
        for file in self.files.values():
            file.close()


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Run:
    """One machine, from start to end. Use it in a with statement."""

    def __init__(self, options):
        self.options = options
        self.output = bytearray()  # all of the serial line so far, without control sequences and CRs
        self.ended = None  # "power off", "reset", "exit N", "stopped"
        self.position = 0  # behind the last match of expect()
        self.on_data = None  # called with each piece of serial output
        self.process = self.serial = self.qmp = self.splitter = self.folder = None
        self.qmp_rest = self.cut_escape = b""
        self.selector = selectors.DefaultSelector()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self):
        options = self.options
        self.started = time.monotonic()
        self.machine = leatmachine.choose(options.machine)
        if options.image and not os.path.isfile(options.image):
            raise RunError(f"{options.image}: no such image")
        self.folder = tempfile.mkdtemp(prefix="leat-run-")
        if options.logs:
            self.splitter = LogSplitter(options.logs, options.guests)
        listeners = [self._listen(name) for name in self.machine.sockets]
        command, environment = self.machine.command(options, self.folder,
                                                    [l.getsockname() for l in listeners])
        own_log = os.path.join(options.logs or self.folder, "machine.log")
        self.own_log = own_log
        with open(own_log, "wb") as log:
            try:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    env=environment, start_new_session=True, preexec_fn=_die_with_parent)
            except OSError as error:
                raise RunError(f"{command[0]}: {error.strerror}") from error
        connections = [self._accept(listener) for listener in listeners]
        self.serial = connections[0]
        self.selector.register(self.serial, selectors.EVENT_READ, self._read_serial)
        if len(connections) > 1:
            self.qmp = connections[1]
            self.selector.register(self.qmp, selectors.EVENT_READ, self._read_qmp)
            self.qmp.sendall(b'{"execute":"qmp_capabilities"}\n')

    def _listen(self, name):
        """A socket that the machine connects to: TCP for Bochs, which knows no other."""
        if name == "tcp":
            listener = socket.create_server(("127.0.0.1", 0))
        else:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(os.path.join(self.folder, name))
            listener.listen(1)
        listener.settimeout(0.2)
        return listener

    def _accept(self, listener):
        with listener:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    connection, _ = listener.accept()
                    connection.setblocking(False)
                    return connection
                except TimeoutError:
                    pass
        raise RunError(f"{self.machine.name} did not start: {self._last_words()}")

    def _last_words(self):
        with open(self.own_log, "rb") as log:
            lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return self.machine.last_words(lines) or "it says nothing"

    def _receive(self, source):
        """What has come; b"" also where it has ended, which is watched no more then."""
        try:
            data = source.recv(65536)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.selector.unregister(source)
        return data

    def _read_serial(self):
        data = self._receive(self.serial)
        if not data:
            return
        plain = self.cut_escape + data
        cut = CUT_ESCAPE.search(plain)
        self.cut_escape = cut[0] if cut else b""
        plain = CONTROL.sub(b"", ERASED.sub(b"\n", plain[: cut.start()] if cut else plain))
        self.output += plain
        if self.splitter:
            self.splitter.feed(data, plain)
        if self.on_data:
            self.on_data(data)

    def _read_qmp(self):
        data = self._receive(self.qmp)
        if not data:
            return
        *lines, self.qmp_rest = (self.qmp_rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if message.get("event") == "SHUTDOWN":
                reason = message["data"]["reason"]
                self.ended = "reset" if reason == "guest-reset" else "power off"

    def step(self, timeout=0.2):
        """Moves what there is to move, waiting for it at most `timeout` seconds. False: the machine has
        ended, and all that it said has been read."""
        ready = self.selector.select(timeout) if self.selector.get_map() else time.sleep(timeout) or []
        for key, _ in ready:
            key.data()
        if ready or self.process.poll() is None:
            return True
        if self.ended is None:
            self.ended = self.machine.how_ended(self.process.returncode, self.own_log)
        return False

    def text(self, start=0):
        """What the serial line has said from byte `start` of the output on."""
        return self.output[start:].decode(errors="replace")

    def lines_at(self, position, count=3):
        """The line at `position` of the output and the next ones, joined; waits a little for their end."""
        deadline = time.monotonic() + 1
        while self.output.count(b"\n", position) < count and time.monotonic() < deadline and self.step(0.1):
            pass
        start = self.output.rfind(b"\n", 0, position) + 1
        return " / ".join(line for line in self.text(start).split("\n")[:count] if line)

    def expect(self, regex, timeout):
        """Waits until regex matches in what came after the last match. Returns the match. The time is for a
        fast machine; a slow one (machine.patience) gets more."""
        timeout *= self.machine.patience
        deadline = time.monotonic() + timeout
        pattern = re.compile(regex.encode())
        while True:
            found = pattern.search(bytes(self.output[self.position:]))
            if found:
                self.position += found.end()
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(f"no '{regex}' within {timeout:g} s; last line: {self.last_line()!r}")
            if not self.step(min(left, 0.2)):
                raise Ended(f"the machine ended ({self.ended}) before '{regex}'; last line: "
                            f"{self.last_line()!r}")

    def last_line(self):
        return self.text(max(0, len(self.output) - 400)).strip().rsplit("\n", 1)[-1][-200:]

    def send(self, text):
        """Types text into the serial line."""
        data = text if isinstance(text, bytes) else text.encode()
        while data:
            try:
                data = data[self.serial.send(data):]
            except BlockingIOError:
                if not self.step(0.05):
                    raise Ended("the machine ended while text was sent to it") from None

    def wait_end(self, timeout):
        """Waits until the machine ends by itself; returns how. The time: see expect()."""
        timeout *= self.machine.patience
        deadline = time.monotonic() + timeout
        while self.step():
            if time.monotonic() > deadline:
                raise TimedOut(f"the machine still runs after {timeout:g} s")
        return self.ended

    def stop(self):
        """Ends the machine, orderly if it listens, at once otherwise."""
        if self.process and self.process.poll() is None:
            self.ended = self.ended or "stopped"
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def close(self):
        try:
            self.stop()
        finally:
            for connection in (self.serial, self.qmp):
                if connection:
                    connection.close()
            self.selector.close()
            if self.splitter:
                self.splitter.close()
            if self.folder:
                shutil.rmtree(self.folder, ignore_errors=True)
