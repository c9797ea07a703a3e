# SPDX-License-Identifier: BSD-2-Clause
"""Ports for the servers of a test."""
import contextlib
import random
import socket

marks = []  # descriptors: open as long as this process is there, and not in what it executes


def free_port():
    """Below those that connections get by themselves, and no other call's, of any test that runs: nobody takes it before its
    server is there, or while that is away."""
    while True:
        port = random.randrange(10240, 32768)
        with socket.socket() as probe, socket.socket(socket.AF_UNIX) as mark, contextlib.suppress(OSError):
            mark.bind(f"\0leat-test-port-{port}")
            probe.bind(("127.0.0.1", port))
            marks.append(mark.detach())
            return port
