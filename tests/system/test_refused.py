#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Who must wait for another machine, or for a date: each is told why, the log of leatd says so, nobody else is harmed, and
what waits goes on by itself. And a second start streams what the first one has needed."""
import subprocess
import time

from lab import TEST_INIT, check, main
from leatd_lab import UUID, add_client, check_refused, kept_files, leatd, report_of, said, stick, with_control

OTHER_UUID = "4c4c4544-0000-2010-8020-80c04f202021"
OTHER_MAC = "52:54:00:1e:a7:02"


def beside(other, test):
    """The test, for as long as that machine moves too."""
    def run():
        check(other.step(0), f"the other machine has ended ({other.ended})")
        return test()
    return run


def files_more(run, count):
    """The guest goes on writing and syncing: so many more files than now."""
    there = len(kept_files(run))
    return lambda: len(kept_files(run)) >= there + count


@with_control
def cloned(lab, control):
    """A second machine with UUID and key of one that runs, and another network card. It waits until that one is gone, which
    meanwhile works on in its session."""
    key = add_client(control)
    control.debian("server", f"{TEST_INIT} leat.do=fsyncs")
    image = stick(lab, control, key)
    first = lab.boot(image, uuid=UUID, guests=("server",), memory=768)
    lab.wait_for(first, {"files": lambda: len(kept_files(first)) >= 5}, 600)
    before, = control.sessions()

    second = lab.boot(image, uuid=UUID, guests=("server",), logs="logs-clone", memory=768, nic="none",
                      extra=("-nic", f"user,model=e1000,mac={OTHER_MAC}"))
    told = rf"Another machine with this identity is\s+running(?s:.*)UUID\s+{UUID},\s+MAC\s+{OTHER_MAC}"
    lab.wait_for(second, {"the clone is told": beside(first, said(second, told))}, 120)
    lab.wait_for(second, {"files": beside(first, files_more(first, 20)),
                          "asked again": beside(first, lambda: second.text().count("asks again now") >= 3)}, 120)
    check_refused(control, "lab-01: Another machine with this identity is running")
    after, = control.sessions()
    check(after["id"] == before["id"], "the first machine's session is another one")
    check(after["renewed"] > before["renewed"], "the first machine's session is not renewed")
    check(OTHER_MAC not in after["macs"], "the session is the clone's")
    check("FAILED" not in first.text() and "session" not in first.text().lower(), "the first machine is told of it")
    check(not kept_files(second) and "vm server" not in second.text(), "the clone has started something")

    first.close()
    lab.wait_for(second, {"the clone is let in": said(second, "vm server: runs"), "its session": control.sessions}, 120)
    session, = control.sessions()
    check(session["macs"] == [OTHER_MAC], f"the session is {session}")


@with_control
def expired(lab, control):
    """A machine whose last day is over, until it gets another one; and whose time ends while it runs."""
    key = add_client(control)
    control.debian("ram")
    control.leatctl("client", "set", "lab-01", "--expires", "2020-02-29")
    run = lab.boot(stick(lab, control, key), uuid=UUID, guests=("ram",))
    lab.wait_for(run, {"expired": said(run, rf"permission has expired: ask your\s+administrator\. UUID\s+{UUID}")}, 120)
    check_refused(control, "lab-01: This machine's permission has expired")
    check(not control.sessions(), "an expired machine has a session")
    control.leatctl("client", "set", "lab-01", "--expires", "2999-12-31")
    lab.wait_for(run, {"its VM": said(run, "vm ram: runs"), "its session": control.sessions}, 120)
    control.leatctl("client", "set", "lab-01", "--expires", "2020-02-29")
    lab.wait_for(run, {"the end": said(run, r"The server has ended this machine's session(?s:.*)expired")}, 60)
    check_refused(control, "expired")


class Writer:
    """The client lab-02, which has a disk open for writing; its session is renewed with each look at it."""

    def __init__(self, lab, control, disk):
        identity, key = add_client(control, "lab-02", OTHER_UUID).split(":")
        control.api("POST", "assignments", {"client": "lab-02", "disk": disk})
        self.client = leatd.Client(control, identity, key)
        status, answer = self.client.hello()
        check(status == 200, f"the writer is not let in: {answer}")
        keys = lab.folder / "writer"
        keys.mkdir()
        (keys / "keys.psk").write_text(f"{identity}:{key}\n")
        export = answer["disks"][0]["export"]
        self.process = subprocess.Popen(
            ["qemu-io", "--object", f"tls-creds-psk,id=tls,endpoint=client,username={identity},dir={keys}", "--image-opts",
             f"driver=nbd,host=127.0.0.1,port={control.nbd_port},export={export},tls-creds=tls"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.ask("write -P 90 1020M 4k", "wrote 4096")
        self.renewed = time.monotonic()

    def ask(self, command, answer):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        told = self.process.stdout.readline()
        check(answer in told, f"qemu-io: {command}: {told}")
        self.process.stdout.readline()  # how fast it was

    def beside(self, test):
        def run():
            if time.monotonic() - self.renewed > 3:
                self.renewed = time.monotonic()
                status, answer = self.client.renew()
                check(status == 200, f"the writer's session: {answer}")
            return test()
        return run

    def end(self):
        self.process.communicate("quit\n", timeout=60)
        self.client.bye()

    def close(self):
        self.process.kill()
        self.process.wait()


@with_control
def two_writers(lab, control):
    """A private disk that another client writes: the VM waits, and gets it when that one has ended."""
    key = add_client(control)
    control.debian("private")
    writer = Writer(lab, control, "private")
    try:
        run = lab.boot(stick(lab, control, key), uuid=UUID, guests=("private",))
        lab.wait_for(run, {"waits": writer.beside(said(run, "waits for disk 'private'")),
                           "why": writer.beside(said(run, "client: disk private is in use by lab-02"))}, 120)
        refusal = "lab-01: disk private is in use by lab-02"  # the first try of the disk's connection has its time
        lab.wait_for(run, {"the refusal": writer.beside(lambda: refusal in control.leatctl("log", "--kind", "refused"))}, 120)
        check_refused(control, refusal)
        run.send("\x1d1")  # the VM's console says it too
        lab.wait_for(run, {"why there": writer.beside(said(run, "disk 'private/private': in use by lab-02"))}, 60)
        run.send("\x1da")
        end = time.monotonic() + 20  # longer than a lease lives
        lab.wait_for(run, {"time": writer.beside(lambda: time.monotonic() > end)}, 120)
        check("vm private: runs" not in run.text(), "two write the same disk")
        writer.ask("read -P 90 1020M 4k", "read 4096")
        writer.end()
        lab.wait_for(run, {"the disk": said(run, "disk 'private/private': ready"), "its VM": said(run, "vm private: runs")}, 120)
    finally:
        writer.close()


def profile_of(control):
    """KiB that the boot profile of the machine's disk has brought, and that were used of them: what the report says."""
    disk, = report_of(control.sessions()[0])["disks"]
    return [disk["sources"]["profile"][what] >> 10 for what in ("bytes", "used_bytes")]


@with_control
def profile_comes_back(lab, control):
    """What a machine's first start has needed goes up to leatd, and is streamed ahead at its second one."""
    key = add_client(control)
    control.debian("ram", f"{TEST_INIT} leat.do=probe,shell")
    image = stick(lab, control, key, "when_idle = stay")
    run = lab.boot(image, uuid=UUID, guests=("ram",))
    lab.wait_for(run, {"the guest": said(run, "TEST shell started")}, 600)
    lab.wait_for(run, {"a report": lambda: control.sessions() and report_of(control.sessions()[0]).get("disks")}, 60)
    check(profile_of(control)[0] == 0, "a profile was streamed at the first start")
    run.send("vm ram kill\r")
    lab.wait_for(run, {"its boot profile": lambda: control.items("profiles")}, 60)
    run.send("poweroff\r")
    run.wait_end(60)

    run = lab.boot(image, uuid=UUID, guests=("ram",), logs="logs-second")
    lab.wait_for(run, {"the guest": said(run, "TEST shell started")}, 600)
    started, = control.sessions()
    lab.wait_for(run, {"a report from then": lambda: control.sessions()[0]["renewed"] > started["renewed"]}, 60)
    brought, used = profile_of(control)
    check(used >= 8 << 10, f"of the profile only {used} KiB were used")
    check(used >= brought * 0.8, f"of {brought} KiB that the profile brought only {used} KiB were used")


if __name__ == "__main__":
    main(cloned, expired, two_writers, profile_comes_back)
