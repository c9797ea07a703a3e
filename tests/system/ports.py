# SPDX-License-Identifier: BSD-2-Clause
"""Ports for the servers of a test."""
import contextlib
import random
import socket


def free_port():
    """Below those that connections get by themselves: nobody takes it while its server is away."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(10240, 32768)))
            return probe.getsockname()[1]
