#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_vdisk_fair.py LEAT_NBD LEAT_RELAY LEAT_FAIR [TestClass.test_name ...]: tenants of one engine share one link of
100 Mbit/s and 20 ms, whose queue holds as much as its users care to send."""
import json
import subprocess
import sys
import unittest

import vdisk_case
from vdisk_case import Case, can_connect, wait_for

RELAY, FAIR = sys.argv.pop(2), sys.argv.pop(2)
RTT_US = 20000
QUEUE_MS = 400


class Fair(Case):
    def share(self, *loads, seconds=5):
        self.serve("pattern", "64G", flags=("--filter=cow", "-t", "32"))
        link = self.path("link")
        self.spawn(RELAY, "--rtt", str(RTT_US / 1000), "--rate", "100", "--queue", str(QUEUE_MS), f"unix:{link}",
                   f"unix:{self.path('server')}")
        wait_for(lambda: can_connect(link), 10, "the relay listens")
        run = subprocess.run([FAIR, str(seconds), link, *loads], capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stderr)
        disks = json.loads(run.stdout)
        for load, disk in zip(loads, disks):
            print(f"\n  {load}: {disk['bytes'] / seconds / 1e6:.2f} MB/s, {disk['half_us'] / 1000:.0f} ms, 99 %: "
                  f"{disk['most_us'] / 1000:.0f} ms", end="", flush=True)
        return disks

    def expect_ratio(self, a, b, ratio):
        self.assertGreater(a["bytes"], b["bytes"] * ratio * 0.9)
        self.assertLess(a["bytes"], b["bytes"] * ratio * 1.1)

    def test_one_to_one(self):
        self.expect_ratio(*self.share("a:bulk:100", "b:bulk:100"), 1)

    def test_two_to_one(self):
        self.expect_ratio(*self.share("a:bulk:200", "b:bulk:100"), 2)

    def test_two_to_one_of_one_export(self):
        self.expect_ratio(*self.share("image:bulk:200:a", "image:bulk:100:b"), 2)

    def test_writes_two_to_one(self):
        self.expect_ratio(*self.share("a:write:200", "b:write:100"), 2)

    def test_small_beside_bulk(self):
        """Within one tenant a small read waits behind all that the bulk reader has asked for; beside another tenant's it
        waits for its turn."""
        _, mixed = self.share("a:bulk:100:vm", "b:small:100:vm")
        self.tearDown()
        self.setUp()
        bulk, small = self.share("a:bulk:100", "b:small:100")
        self.assertGreater(bulk["bytes"], 5 * 12.5e6 * 0.6)
        self.assertLess(small["most_us"], mixed["half_us"] / 2)
        self.assertLess(small["half_us"], 2 * RTT_US)

    def test_small_beside_writes(self):
        _, small = self.share("a:write:100", "b:small:100")
        self.assertLess(small["half_us"], 4 * RTT_US)

    def test_boot_profile(self):
        """While a boot is under way, what its profile wants is its tenant's part of the link, and behind its demand."""
        stream, small = self.share("a:stream:100", "b:small:100")
        self.assertGreater(stream["bytes"], 5 * 12.5e6 * 0.6)
        self.assertLess(small["half_us"], 2 * RTT_US)
        self.tearDown()
        self.setUp()
        self.expect_ratio(*self.share("a:stream:200", "b:bulk:100"), 2)

    def boot_beside(self, *others):
        boot, *rest = self.share("a:boot:100", *others, seconds=4)
        half_link_us = 8 * 2**20 / (12.5 / 2)
        print(f"; the boot waits {boot['waited_us'] / half_link_us:.2f} x what half of the link needs", end="", flush=True)
        self.assertEqual(boot["bytes"], 8 * 2**20)
        self.assertLess(boot["waited_us"], 2 * half_link_us)
        for other in rest:
            self.assertGreater(other["bytes"], 4 * 12.5e6 / 2 * 0.8)

    def test_boot_beside_bulk(self):
        """A neighbour that reads without end takes its part of a boot's link, and no more."""
        self.boot_beside("b:bulk:100")

    def test_boot_beside_bulk_of_the_same_image(self):
        self.boot_beside("a:bulk:100:b")


if __name__ == "__main__":
    vdisk_case.main(__doc__)
