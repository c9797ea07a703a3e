#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A machine with nothing but a network card: it starts by UEFI PXE, makes its key, is enrolled by leatd, and runs the disk
that it is given. What an administrator types is all that is done for it."""
import re

import leatd_lab
from lab import check, main
from netlab import HOST, in_net

leatd_lab.HOST = HOST  # as the machine sees it


class Control(leatd_lab.Control):
    """On all addresses of the test's namespace."""

    nbd_address = "0.0.0.0"

    def start(self, before=()):
        text = self.config.read_text()
        self.config.write_text(re.sub(r"(\[client\]\nlisten = )127\.0\.0\.1", r"\g<1>0.0.0.0", text))
        super().start(before)


@in_net
def from_card_to_guest(net):
    control = Control(net.lab)
    try:
        net.leatctl_netboot("--range", "10.77.0.50,10.77.0.99,255.255.255.0", "--leatd", f"{HOST}:{control.client_port}")
        net.put(leat_conf=(net.boot / "leat.conf").read_text() + "[console]\nview = all\n")
        net.dnsmasq()
        control.leatctl("client", "add", "lab-01", leatd_lab.UUID, "--enrol")
        control.debian("ram")
        run = net.machine(net.two_nics(), uuid=leatd_lab.UUID, guests=("ram",))
        net.lab.wait_for(run, {"a key": lambda: "this machine has a new key now" in run.text(),
                               "login": lambda: "guest login:" in run.text()}, 200)
        session, = control.sessions()
        check(session["name"] == "lab-01", "another client is on")
        check(session["address"].startswith("10.77.0."), f"the session is one of {session['address']}")
    finally:
        control.close()


if __name__ == "__main__":
    main(from_card_to_guest)
