# SPDX-License-Identifier: BSD-2-Clause
"""leatd's API for administrators (docs/server.md), as leatctl uses it."""
import http.client
import json
import os
import re
import ssl
import urllib.parse
from pathlib import Path

DEFAULT_SERVER = "http://127.0.0.1:9470"


class Refused(Exception):
    """leatd's own sentence; status is HTTP's, 0 when it could not be reached."""

    def __init__(self, sentence, status=0):
        super().__init__(sentence)
        self.status = status


def path_of(*names):
    """The path of an object in the API; each name is one part of it, whatever it has in it."""
    for name in map(str, names):
        if not name or "/" in name:  # leatd takes a quoted one for a part's end too
            raise Refused(f"nothing has the name '{name}'")
    return "/".join(urllib.parse.quote(str(name), safe="", errors="surrogateescape") for name in names)


def token_file():
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "leat" / "token"


def kept_tokens():
    """By their servers."""
    try:
        known = json.loads(token_file().read_text())
    except (OSError, ValueError):
        known = {}
    return known if isinstance(known, dict) else {}


class Api:
    """One leatd. ca: a PEM file with who may vouch for it, instead of the system's authorities."""

    def __init__(self, server=None, ca=None):
        self.server = server or os.environ.get("LEAT_SERVER") or DEFAULT_SERVER
        try:
            url = urllib.parse.urlsplit(self.server)
            self.port = url.port or 9470
        except ValueError:
            url = None
        if not url or url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/"):
            raise Refused(f"{self.server} is no http://HOST:PORT or https://HOST:PORT")
        self.kept = self.fresh = None
        self.url, self.ca, self.timeout = url, ca or os.environ.get("LEAT_CA"), 600  # it may hash a kernel first
        if url.scheme == "http" and url.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise Refused("over the network only https:// will do: a password would be readable")

    def token(self):
        token = self.fresh or os.environ.get("LEAT_TOKEN") or kept_tokens().get(self.server)
        if token and not re.fullmatch("[!-~]+", str(token)):
            raise Refused("the token, of LEAT_TOKEN or of an earlier login, has characters that no token has")
        return token

    def keep_token(self, token):
        """In a file that only this user can read; None forgets it."""
        file, known = token_file(), kept_tokens()
        known.pop(self.server, None)
        if token:
            known[self.server] = token
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name("token.new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(known, out)
        fresh.replace(file)

    def log_in(self, name, password):
        """Until when. A token that cannot be kept is given back: nobody could do so later."""
        answer = self.ask("POST", "login", {"name": name, "password": password})
        try:
            self.keep_token(answer["token"])
        except OSError as error:
            self.fresh = answer["token"]
            self.ask("POST", "logout", {})
            raise Refused(f"the token cannot be kept in {token_file()}: {error.strerror}") from None
        return answer["expires"]

    def _connect(self):
        if self.url.scheme == "http":
            return http.client.HTTPConnection(self.url.hostname, self.port, timeout=self.timeout)
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise Refused(f"{self.ca} is no PEM file with authorities that can be read: {error.strerror or error}") from None
        return http.client.HTTPSConnection(self.url.hostname, self.port, timeout=self.timeout, context=context)

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
        token = self.token() if path != "login" else None
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            return self._converse(method, path, data, headers)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Refused(f"leatd at {self.server} cannot be reached: {error}") from None

    def _converse(self, method, path, data, headers):
        connection, self.kept = self.kept or self._connect(), None
        is_kept = False
        try:
            connection.request(method, "/api/v1/" + path, data, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
            is_kept = method == "PUT" and not answer.will_close
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
            found = None
        if not isinstance(found, dict):
            raise Refused(f"what answers at {self.server} is not leatd")
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
