#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_relay.py LEAT_RELAY: how exact the relay is: delay, bandwidth, sharing, loss, order, ends of connections.

A busy machine makes single times late, never early: bounds from below are strict; those from above hold for the best of a
few tries, and allow as much as this machine let a sleeping thread oversleep meanwhile.
"""
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

RELAY = None


def receive(sock, size):
    data = bytearray()
    while len(data) < size:
        part = sock.recv(min(1 << 16, size - len(data)))
        if not part:
            break
        data += part
    return bytes(data)


class Lateness:
    """How late a thread that sleeps for 1 ms at a time is, in the longest case."""

    def __enter__(self):
        self.longest, self.must_end = 0.0, False
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.must_end = True
        self.thread.join()

    def watch(self):
        while not self.must_end:
            begin = time.monotonic()
            time.sleep(0.001)
            self.longest = max(self.longest, time.monotonic() - begin - 0.001)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="leat-relay-")
        self.there = os.path.join(self.folder.name, "there")
        self.here = os.path.join(self.folder.name, "here")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.there)
        self.listener.listen(64)
        self.relay = None

    def tearDown(self):
        if self.relay and self.relay.poll() is None:
            self.end()
        self.listener.close()
        self.folder.cleanup()

    def start(self, *options):
        self.relay = subprocess.Popen([RELAY, *map(str, options), f"unix:{self.here}", f"unix:{self.there}"],
                                      stdout=subprocess.PIPE, text=True)
        while not os.path.exists(self.here):
            time.sleep(0.01)

    def end(self):
        self.relay.send_signal(signal.SIGTERM)
        said = self.relay.communicate(timeout=10)[0]
        self.relay = None
        return json.loads(said.splitlines()[-1])

    def pair(self):
        near = socket.socket(socket.AF_UNIX)
        near.connect(self.here)
        return near, self.listener.accept()[0]

    def send_time(self, sender, receiver, data):
        """Seconds from the first byte's start to the last one's arrival; the bytes must be the same."""
        start = time.monotonic()
        thread = threading.Thread(target=sender.sendall, args=(data,))
        thread.start()
        got = receive(receiver, len(data))
        took = time.monotonic() - start
        thread.join()
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(data).digest())
        return took


class Relay(Case):
    def test_delay(self):
        self.start("--rtt", 20)
        begin = time.monotonic()
        near, far = self.pair()
        self.assertGreaterEqual(time.monotonic() - begin, 0.030, "a connection costs one and a half round trips")
        times = []
        for i in range(100):
            begin = time.monotonic()
            near.sendall(b"ping%d" % i)
            far.sendall(receive(far, 5 + (i > 9)).replace(b"i", b"o"))
            self.assertEqual(receive(near, 5 + (i > 9)), b"pong%d" % i)
            times.append(time.monotonic() - begin)
        self.assertGreaterEqual(min(times), 0.020)
        self.assertLessEqual(min(times), 0.0208)

    def test_bandwidth(self):
        self.start("--rtt", 20, "--rate", 100)
        near, far = self.pair()
        data = random.Random(1).randbytes(4_000_000)
        right = len(data) * 8 / 100e6 + 0.010
        for sender, receiver in ((far, near), (near, far)):
            with Lateness() as late:
                times = [self.send_time(sender, receiver, data) for _ in range(5)]
            self.assertGreaterEqual(min(times), right * 0.999)
            self.assertLessEqual(min(times), right * 1.02 + 2 * late.longest)

    def test_one_direction_slower(self):
        self.start("--rate", 100, "--rate-up", 10)
        near, far = self.pair()
        data = bytes(500_000)
        self.assertGreaterEqual(self.send_time(near, far, data), 0.4 * 0.999)
        with Lateness() as late:
            times = [self.send_time(far, near, data) for _ in range(3)]
        self.assertLessEqual(min(times), 0.04 * 1.1 + 2 * late.longest)

    def test_connections_share_the_link(self):
        self.start("--rate", 80)
        pairs = [self.pair() for _ in range(4)]
        data = random.Random(2).randbytes(1_000_000)
        times = []  # from the begin of all: one that starts late has not had more than its share
        begin = time.monotonic()

        def transfer(near, far):
            self.send_time(far, near, data)
            times.append(time.monotonic() - begin)
        threads = [threading.Thread(target=transfer, args=pair) for pair in pairs]
        with Lateness() as late:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        took = time.monotonic() - begin
        self.assertEqual(len(times), 4)
        self.assertGreaterEqual(took, 0.4 * 0.999)
        self.assertLessEqual(took, 0.42 + 4 * late.longest)
        self.assertGreaterEqual(min(times), 0.4 * 0.8, "one connection got more than its share")

    def test_loss(self):
        self.start("--rtt", 4, "--loss", 10000)
        near, far = self.pair()
        data = random.Random(3).randbytes(3_000_000)
        self.send_time(far, near, data)
        counts = self.end()
        segments = len(data) / 1448
        self.assertGreater(counts["down_losses"], segments * 0.01 * 0.5)
        self.assertLess(counts["down_losses"], segments * 0.01 * 3)
        self.assertEqual(counts["down_bytes"], len(data))

    def test_many_connections(self):
        self.start("--rtt", 2)
        pairs = [self.pair() for _ in range(60)]
        for i, (near, _) in enumerate(pairs):
            near.sendall(bytes([i]) * 1000)
        for i, (_, far) in enumerate(pairs):
            self.assertEqual(receive(far, 1000), bytes([i]) * 1000)
        self.assertEqual(self.end()["connections"], 60)

    def test_ends(self):
        self.start("--rtt", 2)
        near, far = self.pair()
        near.sendall(b"last")
        near.shutdown(socket.SHUT_WR)
        self.assertEqual(receive(far, 100), b"last", "the end comes behind the bytes")
        far.sendall(b"answer")
        far.close()
        self.assertEqual(receive(near, 100), b"answer")
        self.listener.close()
        other = socket.socket(socket.AF_UNIX)
        other.connect(self.here)
        self.assertEqual(receive(other, 1), b"", "nobody listens there: the connection ends")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    RELAY = os.path.abspath(sys.argv.pop(1))
    unittest.main(warnings="ignore")
