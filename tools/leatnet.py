# SPDX-License-Identifier: BSD-2-Clause
"""A network namespace with a bridge, for a process and all that it starts: it goes away with them."""
import ctypes
import os
import subprocess
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
HOST, NETWORK, BRIDGE = "10.77.0.1", "10.77.0.0/24", "leatbr"
MAC = "52:54:00:12:34:56"


def ip(*words):
    """None, or what ip(8) has against it."""
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, env=environment)
    return None if done.returncode == 0 else f"ip {' '.join(words)}: {done.stderr.strip()}"


def enter():
    """Puts this process into a new network namespace with a bridge. None, or one sentence on why that is not possible."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET if user == 0 else CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return f"no network namespace can be made here: {os.strerror(ctypes.get_errno())}"
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened, so that no machine can be put into a network"
    return (ip("link", "add", BRIDGE, "type", "bridge") or ip("link", "set", "lo", "up") or
            ip("addr", "add", HOST + "/24", "dev", BRIDGE) or ip("link", "set", BRIDGE, "up"))


def tap(name):
    """A machine's end of the bridge. None, or why not."""
    return ip("tuntap", "add", "dev", name, "mode", "tap") or ip("link", "set", name, "master", BRIDGE, "up")


def nic(name, device, mac=MAC, extra=""):
    """QEMU's arguments for a card at that tap."""
    return ["-netdev", f"tap,id={name},ifname={name},script=no,downscript=no",
            "-device", f"{device},netdev={name},mac={mac}{extra}"]
