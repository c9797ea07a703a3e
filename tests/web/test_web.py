#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The web page as a person uses it, in a headless Chromium."""
import sys
import time
import unittest

sys.dont_write_bytecode = True

from page import LOGS, REPORT, PageCase, disk  # noqa: E402
from server import Client, Control, PASSWORD, Refused, enrol_key  # noqa: E402

ENTER, TAB = "\ue007", "\ue004"
EVIL = '<img src=x onerror="window.leat_evil=1"><script>window.leat_evil=1</script>'


class Page(PageCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        api = cls.server.api
        cls.server.image("debian")
        api("POST", "images/debian/versions", {"source": "debian.raw"})
        for mode, name in (("ram", "debian"), ("server", "desk")):
            api("POST", "disks", {"name": name, "image": "debian", "mode": mode})
        api("POST", "groups", {"name": "room"})

    def test_login(self):
        browser = self.browser
        browser.command("Network.clearBrowserCookies")
        browser.go(self.address)
        browser.one("form.login")
        browser.go(f"{self.address}#/log")
        self.assertEqual("", browser.text("nav"))
        self.assertEqual([], browser.all("table"))
        self.fill_login("a wrong password")
        browser.wait_text("the name or the password is wrong", "#trouble")
        # By the keyboard alone.
        browser.click("input[name=name]")
        browser.js("document.activeElement.value = ''")
        browser.keys(*"anna", TAB)
        browser.js("document.activeElement.value = ''")
        browser.keys(*PASSWORD, ENTER)
        browser.wait_text("anna on one", "#who")
        cookie, = browser.cookies_of(f"{self.address}api/v1/")
        self.assertEqual((True, "Strict", "/api/v1"), (cookie["httpOnly"], cookie["sameSite"], cookie["path"]))
        self.assertEqual("", browser.js("return document.cookie"))
        half = browser.js("return localStorage['leat-page']")
        self.assertNotIn(half, cookie["value"])
        token = cookie["value"] + half
        self.server.api("GET", "clients", token=token)
        # The login outlives the page being loaded again; a logout makes the token worthless.
        browser.go("about:blank")
        browser.go(self.address)
        browser.wait_text("anna on one", "#who")
        browser.click("#logout")
        browser.one("form.login")
        self.assertEqual([], browser.cookies_of(f"{self.address}api/v1/"))
        self.assertIsNone(browser.js("return localStorage['leat-page']"))
        with self.assertRaises(Refused):
            self.server.api("GET", "clients", token=token)
        browser.go("about:blank")
        browser.go(f"{self.address}#/clients")
        browser.one("form.login")
        self.assertEqual([], browser.all("table"))

    def test_login_ends(self):
        self.log_in()
        self.browser.one("h1", "Online")
        half = self.browser.js("return localStorage['leat-page']")
        cookie, = self.browser.cookies_of(f"{self.address}api/v1/")
        self.server.api("POST", "logout", token=cookie["value"] + half)
        self.browser.wait_text("The login has ended", "#trouble")
        self.browser.one("form.login")
        self.assertEqual([], self.browser.all("table"))

    def test_online(self):
        client = self.machine(1, REPORT, hardware={"product": "ThinkCentre"})
        self.log_in()
        browser = self.browser
        browser.wait_text("lab-01", "tbody")
        browser.wait_text("one: 127.0.0.1:10809", "#status")
        words = browser.text("tbody")
        for expected in ("web running", "debian (debian 1), not open", "first request of the disk at 19.40 s",
                         "40 % of 100 MiB", "80 % hits"):
            self.assertIn(expected, words)
        # It goes on by itself, and who stands in a row with the keyboard stays there.
        browser.js("document.querySelector('tbody a').focus()")
        self.report(client, {**REPORT, "disks": [disk("web/root", profile={"bytes": 100 << 20, "streamed_bytes": 90 << 20})]})
        browser.wait_text("90 % of 100 MiB", "tbody")
        self.assertEqual("lab-01", browser.js("return document.activeElement.textContent"))
        browser.click("tbody a", "lab-01")
        browser.one("svg.timeline")
        self.assertEqual(4, len(browser.all("svg.timeline .mark")))
        marks = browser.js("return [...document.querySelectorAll('.timeline .bar')]"
                           ".map(e => [e.x.baseVal.value, e.width.baseVal.value])")
        self.assertEqual(sorted(marks), marks)
        width = browser.js("return document.querySelector('.timeline').width.baseVal.value")
        self.assertAlmostEqual(width, sum(marks[-1]), delta=3)
        for expected in ("On now", "19.40 s", "VM web is started", "ThinkCentre", "80 % of what was read"):
            self.assertIn(expected, browser.js("return document.body.textContent"))
        browser.screenshot(LOGS / "client.png")
        browser.click("button", "End the session")
        browser.one("dialog", "lost")
        browser.click("dialog button", "Cancel")
        self.assertEqual(200, client.renew()[0])
        browser.click("button", "End the session")
        browser.click("dialog button.danger", "End the session")
        browser.wait_text("Its last session")
        browser.wait_text("anna has ended it")
        self.assertEqual(401, client.renew()[0])

    def test_versions(self):
        browser, state = self.browser, lambda n: self.server.api("GET", f"images/debian/versions/{n}")["state"]
        self.log_in("images")
        browser.click("summary", "debian")
        browser.click("button[aria-label='Publish version 2']")
        browser.one("dialog", "Publish version 2 of debian?")
        browser.click("dialog button", "Publish")
        browser.one("button[aria-label='Withdraw version 2']")
        self.assertEqual("published", state(2))
        high = browser.js("return Math.max(...[...document.querySelectorAll('button')].map(e => e.offsetHeight))")
        self.assertLess(high, 60)  # no column so narrow that words stand letter under letter
        browser.click("button[aria-label='Edit version 2']")
        browser.type("dialog input[name=kernel]", "none")
        browser.click("dialog button", "Save")
        browser.wait_text("kernel", "dialog [role=alert]")
        browser.type("dialog input[name=kernel]", "")
        browser.type("dialog input[name=cmdline]", "quiet <b>")
        browser.click("dialog button", "Save")
        browser.wait(lambda: not browser.all("dialog"), "it is saved")
        self.assertEqual("quiet <b>", self.server.api("GET", "images/debian/versions/2")["cmdline"])
        browser.click("button", "Roll back")
        browser.one("dialog", "machines start with version 1")
        browser.click("dialog button", "Roll back")
        browser.one("button[aria-label='Publish version 2']")
        self.assertEqual(("published", "withdrawn"), (state(1), state(2)))
        self.server.api("PATCH", "images/debian/versions/2", {"state": "draft"})

    def test_assignments(self):
        browser = self.browser
        self.log_in("assignments")
        browser.click("button", "Assign a disk")
        browser.choose("dialog select[name=disk]", "desk")
        browser.click("dialog button", "Assign")
        browser.wait_text("an assignment has either a client or a group", "dialog")
        browser.choose("dialog select[name=group]", "room")
        browser.type("dialog input[name=label]", "Desk & <b>chair</b>")
        browser.click("dialog button", "Assign")
        browser.wait_text("Desk & <b>chair</b>", "tbody")
        browser.wait_text("512 MiB, 1 CPU", "tbody")  # client/answer.c's, where leatd says nothing
        browser.click("button[aria-label='Edit the assignment of desk']")
        for words in ("0: 512 MiB", "0: one"):
            browser.wait_text(words, "dialog")
        browser.type("dialog input[name=memory]", "2048")
        browser.click("dialog input[name=default]")
        browser.click("dialog button", "Save")
        browser.wait_text("2048 MiB", "tbody")
        made, = [each for each in self.server.items("assignments") if each["group"] == "room"]
        self.assertEqual((2048, True, "Desk & <b>chair</b>"), (made["memory"], made["default"], made["label"]))
        browser.click("button[aria-label='Remove the assignment of desk']")
        browser.click("dialog button.danger", "Take away")
        browser.wait(lambda: not [each for each in self.server.items("assignments") if each["group"] == "room"], "it is removed")

    def test_machines(self):
        browser = self.browser
        self.log_in("clients")
        browser.click("button", "Add a machine")
        browser.type("dialog input[name=uuid]", "00000000-0000-0000-0000-00000000aaaa")
        browser.type("dialog input[name=name]", "NOT GOOD")
        browser.click("dialog button", "Add")
        browser.wait_text("name has to be", "dialog")
        browser.type("dialog input[name=name]", "made-here")
        browser.type("dialog input[name=expires]", "2031-12-31")
        browser.click("dialog button", "Add")
        browser.one("dialog", "00000000-0000-0000-0000-00000000aaaa:")
        browser.click("dialog button", "Close")
        browser.click("tbody a", "made-here")
        browser.wait_text("It has never been on.")
        browser.click("button", "Edit")
        browser.type("dialog input[name=note]", "beside the door")
        browser.click("dialog button", "Save")
        browser.wait_text("beside the door")
        made = self.server.api("GET", "clients/made-here")
        self.assertEqual(("beside the door", True), (made["note"], 1956528000 - 86400 < made["expires"] < 1956528000 + 86400))
        browser.click("button", "Remove")
        browser.click("dialog button.danger", "Remove")
        browser.one("h1", "Machines")
        self.assertNotIn("made-here", str(self.server.items("clients")))

    def test_enrolment(self):
        browser = self.browser
        self.log_in("clients")
        browser.click("button", "Open an enrolment window")
        browser.type("dialog input[name=count]", "5")
        browser.click("dialog button", "Open")
        browser.wait_text("0 of 5")
        window, = self.server.items("enrolments")
        self.assertEqual(("room", 5, 1800), (window["group"], window["count"], window["seconds"]))
        browser.click("button[aria-label='Close the window of anna']")
        browser.wait(lambda: not self.server.items("enrolments"), "the window is closed")

    def test_disks(self):
        browser = self.browser
        client = self.machine(2, disk="desk")
        client.bye()
        self.log_in("disks")
        browser.click("button[aria-label='Edit the disk debian']")
        browser.type("dialog input[name=iops]", "500")
        browser.click("dialog button", "Save")
        browser.wait_text("500 requests/s")
        browser.click("button[aria-label='Remove the disk desk']")
        browser.click("dialog button.danger", "Remove")
        browser.wait_text("is still needed", "dialog")
        browser.click("dialog button", "Cancel")
        browser.click("button[aria-label='Reset what was written to desk']")
        browser.click("dialog button.danger", "Reset")
        browser.wait(lambda: all(each["dropped"] for each in self.server.items("differences")), "the difference is dropped")

    def test_log(self):
        browser = self.browser
        try:
            self.server.api("POST", "login", {"name": "anna", "password": "wrong"}, token="")
        except Refused:
            pass
        self.log_in("log")
        browser.wait_text("a wrong login for anna", "tbody")
        browser.wait_text("has logged in", "tbody")
        browser.choose("select", "refused")
        browser.wait(lambda: set(browser.js("return [...document.querySelectorAll('td .kind')].map(e => e.textContent)"))
                     == {"refused"}, "only what was refused is there")
        browser.type("input[type=search]", "no such words")
        browser.one(".empty", "Nothing of that kind.")
        browser.click("button", "Changes")
        browser.click("summary", "create disk desk")
        browser.wait_text('mode: – → "server"')

    def test_refused(self):
        """Who is refused finds its sentence on the page."""
        clients = {number: self.server.client(number, "debian") for number in (11, 12, 13, 14)}
        self.server.api("PATCH", "clients/lab-11", {"enabled": False})
        self.server.api("PATCH", "clients/lab-12", {"expires": 1})
        self.assertEqual(200, clients[13].hello()[0])
        clone = Client(self.server, clients[13].uuid, clients[13].key, ["52:54:00:99:99:99"])
        thief = Client(self.server, clients[14].uuid, "00" * 32)
        stranger = Client(self.server, "88888888-0000-0000-0000-00000000000a", enrol_key())
        stranger.identity = "enrol"
        refused = (clients[11], clients[12], clone, thief, stranger)
        self.assertEqual([403, 403, 409, 0, 404], [each.hello()[0] for each in refused])
        control = Control(self.server)
        self.assertIn("error", control.open("x." + "A" * 43))
        control.close()
        browser = self.browser
        self.log_in("log")
        browser.choose("select", "refused")
        for words in ("lab-11: ", "lab-12: ", "lab-13: Another machine", f"TLS for {clients[14].uuid} was not completed",
                      f"a machine that is not known: {stranger.uuid}", "export"):
            browser.wait_text(words, "tbody")
        browser.go(f"{self.address}#/client/{clients[13].uuid}")
        browser.wait_text("On now")
        browser.wait_text("lab-13: Another machine")
        clients[13].bye()

    def test_hostile(self):
        report = {"boot": [{"ms": -5, "what": EVIL}, {"ms": "x", "what": {"a": 1}}, None, 7, {"ms": 1e300, "what": "e" * 5000}],
                  "vms": [{"name": EVIL, "state": EVIL}, [], 3],
                  "disks": [disk(EVIL, ram_bytes=-1, profile=[], disk_bytes="1"), None]}
        evil = self.machine(3, report, hardware={"product": EVIL, EVIL: [EVIL]}, version=EVIL[:31])
        other = self.machine(4, {"boot": {"a": 1}, "vms": "x", "disks": {"disk": 5}})
        self.server.api("PATCH", "clients/lab-03", {"note": EVIL})
        browser = self.browser
        self.log_in()
        browser.wait_text("lab-04", "tbody")
        browser.wait_text("<img src=x", "tbody")
        for client in (evil, other):
            browser.go(f"{self.address}#/client/{client.uuid}")
            browser.one("h1", f"lab-0{int(client.uuid[-2:])}")
            browser.wait_text("On now")
            self.assertIsNone(browser.js("return window.leat_evil"))
            self.assertEqual(0, browser.js("return document.querySelectorAll('main img, main script, main [onerror]').length"))
        # Nor would it run if the page made the mistake.
        for mistake in ("document.body.innerHTML = arguments[0]", "document.body.setAttribute('onclick', 'window.leat_evil=1')",
                        "setTimeout('window.leat_evil=1', 0)",
                        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'leat_evil=1'}))"):
            try:
                browser.js(mistake, EVIL)
            except RuntimeError:
                pass
            browser.js("document.body.click()")
            self.assertIsNone(browser.js("return window.leat_evil"), mistake)
        self.assertTrue(browser.console())
        evil.bye()
        other.bye()

    def test_phone(self):
        client = self.machine(5, {**REPORT, "vms": [{"name": "v" * 200, "state": "s" * 200}]}, hardware={"p": "x" * 900})
        browser = self.browser
        self.log_in()
        browser.width(360, 740)
        try:
            for page in ("online", f"client/{client.uuid}", "clients", "images", "disks", "assignments", "log"):
                browser.go(f"{self.address}#/{page}")
                browser.wait(lambda: browser.all("tbody tr"), f"{page} has rows")
                browser.wait(lambda: not page.startswith("client/") or browser.all("svg.timeline"), "the time-line is there")
                browser.js("document.querySelectorAll('details').forEach(e => (e.open = true))")
                wide, seen = browser.js("return [document.documentElement.scrollWidth, innerWidth]")
                self.assertEqual((page, 360), (page, seen))
                self.assertLessEqual(wide, 360, page)
                small = browser.js("return [...document.querySelectorAll('button, nav a')].filter(e => e.offsetParent"
                                   " && e.getBoundingClientRect().height < 32).map(e => e.textContent)")
                self.assertEqual([], small)
                browser.screenshot(LOGS / f"phone-{page.split('/')[0]}.png")
        finally:
            browser.width(1100, 900)
        client.bye()

    def test_for_everybody(self):
        """Each control has a name; text stands out from what is behind it, in light and dark."""
        client = self.machine(6, REPORT)
        browser = self.browser
        self.log_in()
        for page, opens in (("online", None), (f"client/{client.uuid}", "Edit"), ("disks", "Add a disk"), ("log", None)):
            browser.go(f"{self.address}#/{page}")
            browser.wait(lambda: browser.all("tbody tr"), f"{page} has rows")
            self.check_names("")
            if opens:
                browser.click("button", opens)
                browser.one("dialog")
                self.check_names("dialog ")
                browser.keys("\ue00c")  # Escape
                browser.wait(lambda: not browser.all("dialog"), "the dialog is closed")
                self.assertEqual(opens, browser.js("return document.activeElement.textContent"))
            for is_dark in (False, True):
                browser.dark(is_dark)
                self.assertEqual([], browser.js(CONTRAST), (page, is_dark))
            browser.dark(False)
        client.bye()

    def check_names(self, within):
        browser = self.browser
        for element in browser.all(", ".join(within + kind for kind in ("button", "input", "select", "a", "svg[role=img]"))):
            if browser.ask("GET", f"{browser.session}/element/{element}/displayed"):
                self.assertTrue(browser.label(element).strip(), browser.text("title"))

    def test_thousand(self):
        self.crowd(1000)
        with self.database() as database:
            database.execute("INSERT INTO server (name, started, alive, exports) VALUES ('two', 0, ?, 'h:1')",
                             (int(time.time()) - 7200,))
        browser = self.browser
        self.log_in()
        browser.wait_text("two: away, last heard of 2 h ago", "#status .lost")
        browser.wait_text("100", "#status dd")
        browser.wait_text("crowd-0000", "tbody")
        self.assertEqual(50, len(browser.all("tbody tr")))
        browser.click("button", "Next")
        browser.wait_text("crowd-0050", "tbody")
        self.assertEqual(50, len(browser.all("tbody tr")))
        browser.click("button", "Previous")
        browser.wait_text("crowd-0000", "tbody")
        browser.type("input[type=search]", "crowd-0999")
        browser.wait(lambda: len(browser.all("tbody tr")) == 1 and "crowd-0999" in browser.text("tbody"), "it is found")
        self.disperse()


# Texts whose contrast with their background is less than 4.5 (WCAG 2.1, 1.4.3), with the figure.
CONTRAST = """
const parts = text => text.match(/[\\d.]+/g).map(Number);
const light = text => parts(text).slice(0, 3).map(v => v / 255)
    .map(v => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
function behind(element) {
    for (let e = element; e; e = e.parentElement) {
        const back = getComputedStyle(e).backgroundColor;
        if (parts(back)[3] !== 0)
            return back;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? "rgb(0 0 0)" : "rgb(255 255 255)";
}
const found = [];
for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility() || e.disabled)
        continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(e instanceof SVGElement ? style.fill : style.color), light(behind(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5)
        found.push(`${e.tagName} ${e.textContent.slice(0, 30)}: ${((a + .05) / (b + .05)).toFixed(2)}`);
}
return found;
"""

if __name__ == "__main__":
    unittest.main()
