# SPDX-License-Identifier: BSD-2-Clause
"""leatd's API for administrators (docs/server.md), as leatctl uses it."""
import http.client
import json
import os
import ssl
import urllib.parse
from pathlib import Path

DEFAULT_SERVER = "http://127.0.0.1:9470"


class Refused(Exception):
    """leatd's own sentence; status is HTTP's, 0 when it could not be reached."""

    def __init__(self, sentence, status=0):
        super().__init__(sentence)
        self.status = status


def token_file():
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "leat" / "token"


class Api:
    """One leatd. ca: a PEM file with who may vouch for it, instead of the system's authorities."""

    def __init__(self, server=None, ca=None):
        self.server = server or os.environ.get("LEAT_SERVER") or DEFAULT_SERVER
        url = urllib.parse.urlsplit(self.server)
        if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/"):
            raise Refused(f"{self.server} is no http://HOST:PORT or https://HOST:PORT")
        self.kept = None
        self.url, self.ca, self.timeout = url, ca or os.environ.get("LEAT_CA"), 600  # it may hash a kernel first
        if url.scheme == "http" and url.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise Refused("over the network only https:// will do: a password would be readable")

    def token(self):
        if os.environ.get("LEAT_TOKEN"):
            return os.environ["LEAT_TOKEN"]
        try:
            return json.loads(token_file().read_text()).get(self.server)
        except (OSError, ValueError):
            return None

    def keep_token(self, token):
        """In a file that only this user can read; None forgets it."""
        file = token_file()
        try:
            known = json.loads(file.read_text())
        except (OSError, ValueError):
            known = {}
        known.pop(self.server, None)
        if token:
            known[self.server] = token
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name("token.new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(known, out)
        fresh.replace(file)

    def _connect(self):
        if self.url.scheme == "http":
            return http.client.HTTPConnection(self.url.hostname, self.url.port or 9470, timeout=self.timeout)
        context = ssl.create_default_context(cafile=self.ca)
        return http.client.HTTPSConnection(self.url.hostname, self.url.port or 9470, timeout=self.timeout, context=context)

    def ask(self, method, path, body=None):
        """The object that leatd answers."""
        kind = {"Content-Type": "application/json"} if body is not None else {}
        return self._object(path, *self._exchange(method, path, None if body is None else json.dumps(body), kind))

    def put(self, path, data, content_range):
        """The object that leatd answers to bytes as they are."""
        kind = {"Content-Type": "application/octet-stream", "Content-Range": content_range}
        return self._object(path, *self._exchange("PUT", path, data, kind))

    def read(self, path):
        """The bytes that leatd answers."""
        status, data = self._exchange("GET", path, None, {})
        if status >= 400:
            self._object(path, status, data)
        return data

    def _exchange(self, method, path, data, headers):
        token = self.token()
        if token and path != "login":
            headers["Authorization"] = f"Bearer {token}"
        connection, self.kept = self.kept or self._connect(), None
        is_kept = False
        try:
            connection.request(method, "/api/v1/" + path, data, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
            is_kept = method == "PUT" and not answer.will_close
        except (OSError, http.client.HTTPException) as error:
            raise Refused(f"leatd at {self.server} cannot be reached: {error}") from None
        finally:
            if is_kept:
                self.kept = connection  # the next piece comes at once
            else:
                connection.close()
        return status, text

    def _object(self, path, status, text):
        try:
            found = json.loads(text)
        except ValueError:
            raise Refused(f"what answers at {self.server} is not leatd") from None
        if status == 401 and path != "login":
            raise Refused("not logged in, or no longer: leatctl login NAME", status)
        if status >= 400:
            raise Refused(found.get("error", f"status {status}"), status)
        return found

    def items(self, path, most=None, **filters):
        """All pages of a list, or the first `most` entries; of those alone that have the fields of filters, where not None."""
        found, after = [], "".join(f"&{k}={urllib.parse.quote(v)}" for k, v in filters.items() if v is not None)
        only = after
        while True:
            page = self.ask("GET", f"{path}?limit={min(most or 1000, 1000)}{after}")
            found += page["items"]
            if not page["next"] or (most and len(found) >= most):
                return found
            after = only + "&after=" + page["next"]
