# SPDX-License-Identifier: BSD-2-Clause
"""A headless Chromium, driven over WebDriver (W3C) by Debian's chromedriver, with Python's standard library alone."""
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

WAIT = 60  # seconds at most for anything; a test that passes waits a fraction of it
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver, section 11


class Stale(Exception):
    """The page has replaced the element meanwhile."""


class Browser:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="leat-web-"))
        self.log = open(self.folder / "log", "w+")
        # A group of its own, so that the end of it is the end of all of Chromium's processes.
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=self.log, stderr=subprocess.STDOUT,
                                       start_new_session=True,
                                       env={**os.environ, "HOME": str(self.folder), "TMPDIR": str(self.folder)})
        self.session = ""
        try:
            self.address = f"http://127.0.0.1:{self.wait(self.find_port, 'chromedriver has a port')}"
            # Without Chromium's own sandbox, which root and most containers cannot have: it sees this test's page alone.
            options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en-GB",
                                f"--user-data-dir={self.folder}/profile", "--window-size=1100,900"]}
            answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
            self.session = f"/session/{answer['sessionId']}"
        except BaseException:
            self.close()
            raise

    def find_port(self):
        if self.driver.poll() is not None:
            raise RuntimeError(f"chromedriver has ended: {(self.folder / 'log').read_text()[-500:]}")
        found = re.search(r"started successfully on port (\d+)", (self.folder / "log").read_text())
        return found and int(found[1])

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", self.session)
        finally:
            os.killpg(self.driver.pid, signal.SIGKILL)
            self.driver.wait()
            self.log.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=2 * WAIT) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            if value["error"] in ("stale element reference", "no such element", "element not interactable",
                                  "element click intercepted", "detached shadow root"):
                raise Stale(value["message"]) from None
            raise RuntimeError(f"{method} {path}: {value['error']}: {value['message'][:500]}") from None

    def wait(self, condition, what):
        """What the condition gives as soon as it is true; a page may be changing while it looks."""
        deadline = time.monotonic() + WAIT
        while True:
            try:
                found = condition()
            except Stale:
                found = None
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"after {WAIT} s it is not so that {what}")
            time.sleep(0.05)

    def command(self, name, **parameters):
        """One of the DevTools protocol's."""
        return self.ask("POST", f"{self.session}/goog/cdp/execute", {"cmd": name, "params": parameters})

    def go(self, address):
        self.ask("POST", f"{self.session}/url", {"url": address})

    def js(self, script, *arguments):
        return self.ask("POST", f"{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def all(self, css):
        return [found[ELEMENT] for found in self.ask("POST", f"{self.session}/elements", {"using": "css selector", "value": css})]

    def text(self, css="body"):
        """What a person sees of the first such element; "" if there is none."""
        return self.js("const found = document.querySelector(arguments[0]);"
                       " return found && found.checkVisibility() ? found.innerText : ''", css)

    def wait_text(self, words, css="body"):
        self.wait(lambda: words in self.text(css), f"{css} says {words!r}")

    def one(self, css, words=""):
        """The first such element that is seen and has these words, as soon as there is one."""
        def look():
            for element in self.all(css):
                shown = self.ask("GET", f"{self.session}/element/{element}/displayed")
                if shown and words in self.ask("GET", f"{self.session}/element/{element}/text"):
                    return element
            return None
        return self.wait(look, f"{css} with {words!r} is there")

    def click(self, css, words=""):
        def act():
            self.ask("POST", f"{self.session}/element/{self.one(css, words)}/click", {})
            return True
        self.wait(act, f"{css} with {words!r} can be clicked")

    def type(self, css, text):
        element = self.one(css)
        self.ask("POST", f"{self.session}/element/{element}/clear", {})
        self.ask("POST", f"{self.session}/element/{element}/value", {"text": text})

    def choose(self, css, value):
        """Of a list of choices."""
        self.one(css)
        self.js("const e = document.querySelector(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('change'))",
                css, value)

    def keys(self, *keys):
        """Keys as a person presses them, wherever the page stands."""
        presses = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", f"{self.session}/actions", {"actions": [{"type": "key", "id": "keys", "actions": presses}]})

    def label(self, element):
        """What a screen reader says of it."""
        return self.ask("GET", f"{self.session}/element/{element}/computedlabel")

    def cookies_of(self, address):
        """Those that a request of this address would have, also what no script sees."""
        return self.command("Network.getCookies", urls=[address])["cookies"]

    def console(self):
        """What the browser has complained of since the last call."""
        return [line["message"] for line in self.ask("POST", f"{self.session}/se/log", {"type": "browser"})
                if line["level"] in ("WARNING", "SEVERE")]

    def width(self, pixels, height=800):
        phone = pixels < 600
        self.command("Emulation.setDeviceMetricsOverride", width=pixels, height=height, deviceScaleFactor=1, mobile=phone)

    def dark(self, is_dark):
        self.command("Emulation.setEmulatedMedia",
                     features=[{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}])

    def screenshot(self, path):
        Path(path).write_bytes(base64.b64decode(self.ask("GET", f"{self.session}/screenshot")))
