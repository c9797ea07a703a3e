#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Boot profiles in Leat itself: a VM's second boot is streamed by what its first one read, and a profile that leat-nbd has
made beside leat.conf does it for the first."""
import re
import signal
import subprocess
import time

from lab import BUILD, base_config, check, free_port, main, vm
from test_prompt import command

READY = "TEST shell started"


def start(lab, disk, port=None, files=None):
    text = base_config(lab, when_idle="stay") + f"[disk one]\nmode = ram\n{disk}\n" + (f"port = {port}\n" if port else "")
    run = lab.boot(lab.image(lab.config(text + vm("web", "one", "probe,shell")), files=files), guests=("web",))
    boots(lab, run, 1)
    return run


def boots(lab, run, times):
    lab.wait_for(run, {f"boot {times} of the guest": lambda: lab.guest_log("web").count(READY) >= times}, 400)


def profile_bytes(lab, run):
    """KiB that the profile brought, that the guest has read of them, and that it had to wait for: what `disks` says."""
    shown = command(lab, run, "disks", r"requests[^\n]*connects[^\n]*\n")
    counts = [re.search(rf"(\d+) KiB {what}", shown) for what in ("ahead by the boot profile", "of that used", "from the server")]
    return [int(found[1]) if found else 0 for found in counts]


def check_used(lab, run, part):
    brought, used, waited = profile_bytes(lab, run)
    check(used >= 8 << 10, f"of the profile only {used} KiB were used")
    check(used >= brought * part, f"of {brought} KiB that the profile brought only {used} KiB were used")
    check(waited <= used // 4, f"the guest has waited for {waited} KiB, and found {used} KiB")


def restart(lab):
    lab.disk("one")
    lab.server.start()
    run = start(lab, "")
    check(profile_bytes(lab, run)[0] == 0, "a profile was streamed at the first boot")
    command(lab, run, "vm web kill", "vm web is ended")
    lab.wait_for(run, {"off": lambda: " off " in command(lab, run, "vms", r"1 web +\w+ ")}, 60)
    command(lab, run, "vm web start", "vm web starts")
    boots(lab, run, 2)
    check_used(lab, run, 0.8)
    check(re.search(r"disk 'web/one': boot profile: \d+ KiB in \d+ runs, of 1 boots", lab.leat_log()),
          "the log does not tell of the profile")


def file(lab):
    """The guest boots once by way of leat-nbd, which makes the profile, and then with that beside leat.conf."""
    lab.disk("one")
    lab.server.start()
    port, profile = free_port(), lab.folder / "profile"
    proxy = subprocess.Popen([BUILD / "vdisk/leat-nbd", "--port", str(port), "--mode", "ram", "--profile", profile,
                              f"127.0.0.1:{lab.server.port}", "one"], stdin=subprocess.DEVNULL, stderr=lab.server_log)
    try:
        time.sleep(1)
        start(lab, "profile = no", port).close()
        proxy.send_signal(signal.SIGTERM)
        check(proxy.wait(30) == 0 and profile.exists(), "leat-nbd has made no profile")
    finally:
        proxy.kill()
    (lab.folder / "logs" / "guest-web.log").unlink()
    run = start(lab, "profile_file = boot.profile", files={"boot.profile": str(profile)})
    check_used(lab, run, 0.5)  # what leat-nbd has seen is the guest's reads and what Leat read around them


if __name__ == "__main__":
    main(restart, file)
