# SPDX-License-Identifier: BSD-2-Clause
"""leatd in a folder of its own, on SQLite or on a PostgreSQL cluster of the test, and those who talk to it."""
import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "system"))
from ports import free_port  # noqa: E402

BUILD = Path(os.environ.get("LEAT_BUILD", TOP / "build"))
LEATD = BUILD / "tools" / "leatd" / "leatd_checked"
PASSWORD = "a long enough password"
SLOW = int(os.environ.get("LEAT_SLOW", "1"))  # how many times longer terms live, and tests wait


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


def pause(seconds):
    time.sleep(seconds * SLOW)


def until(condition, what, step=0.05):
    """Waits until it is true; step: seconds between two looks."""
    end = time.monotonic() + 60 * SLOW
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {60 * SLOW} s: {what}")
        time.sleep(step)


def wait_for_port(port, process, why=lambda: ""):
    """Until the process takes connections there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} has ended: {why()}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args[0]} does not listen")


def enrol_key():
    return hashlib.sha256(b"leat enrolment").hexdigest()


class PostgreSQL:
    """A cluster in a folder, by an unprivileged user, on a Unix socket alone."""

    def __init__(self, folder):
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
        self.folder = Path(folder)
        self.as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        self.folder.mkdir()
        if self.as_user:
            shutil.chown(self.folder, "nobody", "nogroup")
        self.run("initdb", "-D", self.folder / "data", "-U", "leat", "--auth=trust", "--no-sync", "-E", "UTF8")
        self.made = 0
        self.start()

    def start(self):
        self.run("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o",
                 f"-c listen_addresses= -c unix_socket_directories={self.folder}", "start")

    def database(self, *options):
        """The connection string of a new, empty database; options of createdb."""
        self.made += 1
        self.run("createdb", "-h", self.folder, "-U", "leat", *options, f"leat{self.made}")
        return f"postgresql://leat@/leat{self.made}?host={self.folder}&connect_timeout=60"  # for a busy host

    def run(self, program, *arguments):
        subprocess.run([self.bin / program, *map(str, arguments)], check=True, capture_output=True, timeout=120,
                       cwd="/", **self.as_user)

    def stop(self):
        self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")


class Server:
    """leatd, in a database of its own. times: of the configuration, {"session": seconds, ...}. export: its nbdkits. beside:
    another one, whose database and images it has too. more: sections of the configuration. database: its connection string."""

    cluster = None  # PostgreSQL for all tests of this run; None: SQLite

    def __init__(self, times=None, name="one", export="127.0.0.1:10809", beside=None, more="", database=None):
        self.root = Path(tempfile.mkdtemp(prefix="leatd-"))
        self.root.chmod(0o755)
        self.folder = self.root / "state"
        self.admin_port, self.client_port = free_port(), free_port()
        self.store = beside.store if beside else self.folder
        if beside:
            self.database = beside.database
        else:
            self.database = database or (self.cluster.database() if self.cluster else "sqlite:leat.db")
        self.config = self.root / "leatd.conf"
        times = "\n".join(f"{name} = {seconds * SLOW}" for name, seconds in (times or {}).items())
        self.config.write_text(f"[state]\nfolder = {self.folder}\ndatabase = {self.database}\nserver = {name}\n"
                               f"images = {self.store}/images\ndifferences = {self.store}/differences\n"
                               f"[admin]\nlisten = 127.0.0.1:{self.admin_port}\n"
                               f"[client]\nlisten = 127.0.0.1:{self.client_port}\n"
                               f"[export]\nservers = {export}\n[times]\n{times}\n{more}")
        self.process = None
        self.log = self.root / "log"
        self.token = None
        try:
            if not beside:
                self.add_admin("anna", PASSWORD)
            self.start()
        except BaseException:
            self.give_up()
            raise

    def own_time(self):
        """Seconds that leatd has run so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def environment(self):
        """leatctl's: it speaks with this leatd, keeps its token and its passing files here, and finds the build's programs."""
        return {**os.environ, "LEAT_SERVER": f"http://127.0.0.1:{self.admin_port}",
                "XDG_CONFIG_HOME": str(self.root / "config"), "TMPDIR": str(self.root), "PATH": f"{BUILD}:{os.environ['PATH']}"}

    def leatctl(self, *words, before=(), **more):
        """How it ends, as an administrator here runs it; before: words of a command line that its own follow."""
        return subprocess.run([*before, TOP / "tools" / "leatctl", *map(str, words)], env=self.environment(), text=True,
                              capture_output=True, timeout=120, **more)

    def log_in(self):
        """leatctl's token is anna's."""
        self.leatctl("login", "anna", input=PASSWORD + "\n", check=True)

    def add_admin(self, name, password, check=True):
        return subprocess.run([LEATD, "--config", self.config, "add-admin", name], input=password + "\n", text=True,
                              capture_output=True, check=check, timeout=60)

    def start(self, before=()):
        """before: words of a command line that leatd's follows."""
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([*before, LEATD, "--config", self.config], stderr=log, stdin=subprocess.DEVNULL)
        wait_for_port(self.client_port, self.process, lambda: self.log.read_text()[-2000:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        """SIGTERM; the sanitizers must have found nothing."""
        self.process.terminate()
        if self.process.wait(30) != 0:
            raise RuntimeError(f"leatd ended with {self.process.returncode}: {self.log.read_text()[-4000:]}")

    def close(self):
        try:
            if self.process.poll() is None:
                self.end()
        finally:
            self.give_up()

    def give_up(self):
        """Without asking whether it is well."""
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    # The administrators' API.

    def raw(self, method, path, body=None, token=None, headers=None):
        """(status, bytes) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=30)
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def api(self, method, path, body=None, token=None):
        """The answer as an object; Refused for an error."""
        if token is None:
            token = self.token = self.token or self.login()
        data = None if body is None else json.dumps(body)
        status, text = self.raw(method, "/api/v1/" + path, data, token)
        answer = json.loads(text)
        if status >= 400:
            if not isinstance(answer.get("error"), str):
                raise AssertionError(f"an error without a sentence: {answer}")
            raise Refused(status, answer)
        return answer

    def login(self, name="anna", password=PASSWORD):
        return self.api("POST", "login", {"name": name, "password": password}, token="")["token"]

    def items(self, path):
        return self.api("GET", path)["items"]

    # What tests need again and again.

    def image(self, name="debian", size=1 << 20, version=True):
        file = self.folder / "images" / f"{name}.raw"
        file.write_bytes(b"\0" * size)
        self.api("POST", "images", {"name": name})
        if version:
            self.api("POST", f"images/{name}/versions", {"source": f"{name}.raw", "state": "published"})

    def debian(self, *names, mode=None, size=1 << 20):
        """The image debian, and a disk of it for each name; mode: all disks' one, None: that which each is named by."""
        self.image("debian", size)
        for name in names:
            self.api("POST", "disks", {"name": name, "image": "debian", "mode": mode or name})

    def client(self, number=1, disk=None, **more):
        """A known client with its key."""
        fields = {"uuid": f"00000000-0000-0000-0000-{number:012x}", "name": f"lab-{number:02}", **more}
        answer = self.api("POST", "clients", fields)
        if disk:
            self.api("POST", "assignments", {"client": fields["name"], "disk": disk})
        return Client(self, fields["uuid"], answer["key"])

    def change(self, statement):
        """Into the database, past leatd: what would take days."""
        if self.cluster:
            self.sql(statement)
            return
        with contextlib.closing(sqlite3.connect(self.folder / "leat.db", timeout=30)) as database, database:
            database.execute(statement)

    def sql(self, statement):
        """Rows, straight from the database."""
        if not self.cluster:
            # Closed at once: while anybody has the database open, SQLite does not look for what a killed writer left behind.
            with contextlib.closing(sqlite3.connect(f"file:{self.folder}/leat.db?mode=ro", uri=True, timeout=30)) as database:
                return [tuple(row) for row in database.execute(statement)]
        out = subprocess.run([self.cluster.bin / "psql", "-X", "-A", "-t", "-F", "\t", "-c", statement,
                              self.database], check=True, capture_output=True, text=True, timeout=30).stdout
        return [tuple(int(v) if re.fullmatch(r"-?\d+", v) else v for v in line.split("\t"))
                for line in out.splitlines()]


class Client:
    """A machine, with TLS by openssl: Python 3.11's own has no pre-shared keys."""

    def __init__(self, server, uuid, key, macs=("52:54:00:00:00:01",)):
        self.server, self.uuid, self.key, self.macs = server, uuid, key, list(macs)
        self.identity = uuid
        self.session = None

    def raw(self, data, options=()):
        """What comes back for these bytes; b"" when TLS fails."""
        run = subprocess.run(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{self.server.client_port}",
                              "-psk_identity", self.identity, "-psk", self.key, "-ign_eof", *options],
                             input=data, capture_output=True, timeout=60)
        return run.stdout

    def request(self, method, path, body=None, token=None, data=None):
        """(status, object or bytes); (0, None) when TLS fails, or leatd is killed in the middle of its answer."""
        data = json.dumps(body).encode() if body is not None else data or b""
        head = f"{method} /client/v1/{path} HTTP/1.1\r\nHost: leatd\r\nConnection: close\r\n"
        head += f"Content-Length: {len(data)}\r\n" + (f"Authorization: Bearer {token}\r\n" if token else "")
        answer = self.raw(head.encode() + b"\r\n" + data)
        if not answer:
            return 0, None
        head, _, text = answer.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
        if not length or len(text) < int(length[1]):
            return 0, None
        return int(head.split()[1]), json.loads(text) if b"application/json" in head else text

    def hello(self, **more):
        status, answer = self.request("POST", "hello", {"uuid": self.uuid, "macs": self.macs, "version": "0.1.0", **more})
        if status == 200:
            self.session = answer.get("session")
        return status, answer

    def renew(self, token=None, body=None):
        return self.request("POST", "renew", body, token=token or self.session)

    def get(self, path, range_=None):
        """(status, bytes, headers) of a file that the session may have; path as a hello's answer has it."""
        head = f"GET {path} HTTP/1.1\r\nHost: leatd\r\nConnection: close\r\nAuthorization: Bearer {self.session}\r\n"
        head += f"Range: {range_}\r\n" if range_ else ""
        head, _, data = self.raw(head.encode() + b"\r\n").partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        self.assert_whole(headers, data)
        return int(lines[0].split()[1]), data, headers

    @staticmethod
    def assert_whole(headers, data):
        if int(headers["content-length"]) != len(data):
            raise AssertionError(f"{len(data)} bytes of {headers['content-length']}")

    def bye(self):
        return self.request("POST", "bye", token=self.session)


def unknown_machine(server, number):
    """A machine that nobody has added."""
    client = Client(server, f"88888888-0000-0000-0000-{number:012x}", enrol_key(), [f"52:54:00:00:88:{number:02x}"])
    client.identity = "enrol"
    return client


class Kept:
    """One TLS connection of a client for several requests."""

    def __init__(self, client):
        self.openssl = subprocess.Popen(
            ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{client.server.client_port}", "-psk_identity",
             client.identity, "-psk", client.key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def post(self, path, body=None, token=None):
        """(status, object)."""
        data = json.dumps(body).encode() if body is not None else b""
        head = f"POST /client/v1/{path} HTTP/1.1\r\nHost: leatd\r\nContent-Length: {len(data)}\r\n"
        head += f"Authorization: Bearer {token}\r\n" if token else ""
        self.openssl.stdin.write(head.encode() + b"\r\n" + data)
        self.openssl.stdin.flush()
        status, size = int(self.openssl.stdout.readline().split()[1]), 0
        while line := self.openssl.stdout.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        return status, json.loads(self.openssl.stdout.read(size))

    def close(self):
        self.openssl.kill()
        self.openssl.communicate()


class Control:
    """The plugin's side of the control socket."""

    def __init__(self, server):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(server.folder / "control.sock"))  # waits when many do the same
        self.socket.settimeout(30)
        self.file = self.socket.makefile("rb")

    def ask(self, op, **fields):
        self.socket.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")
        line = self.file.readline()
        if not line:
            raise ConnectionError("leatd has closed the control connection")
        return json.loads(line)

    def open(self, token, peer="127.0.0.1", **more):
        return self.ask("open", token=token, peer=peer, **more)

    def close(self):
        self.file.close()
        self.socket.close()
