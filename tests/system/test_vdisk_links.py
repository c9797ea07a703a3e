#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the NBD client makes of its servers' abilities and failings: holes, block sizes.

usage: test_vdisk_links.py LEAT_NBD [TestClass.test_name ...]
Needs what test_vdisk_servers.py needs.
"""
import vdisk_case
from vdisk_case import MIB, Case


class Holes(Case):
    def sparse_image(self):
        """64 MiB with 3 pieces of data; the second is not aligned to anything."""
        path = self.path("image")
        with open(path, "wb") as f:
            f.truncate(64 * MIB)
            for offset, size in ((0, 65536), (20 * MIB + 1000, 70000), (63 * MIB, MIB)):
                f.seek(offset)
                f.write(b"\x5a" * size)
        return path

    def read_all(self, leat, image):
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.same_files(image, self.path("out"))
        return self.counters(leat)

    def test_holes_are_not_fetched(self):
        image = self.sparse_image()
        _, uri = self.serve("file", image)
        leat = self.leat(uri, "", "--mode", "ram")
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read -P 0x5a 0 4k", leat.uri)  # the map has come now
        counts = self.read_all(leat, image)
        self.assertGreater(counts["KiB of holes"], 60 * 1024)
        self.assertLess(counts["KiB from the server"], 2 * 1024)

    def test_server_without_extents(self):
        image = self.sparse_image()
        _, uri = self.serve("--filter=noextents", "file", image)
        leat = self.leat(uri, "", "--mode", "ram")
        counts = self.read_all(leat, image)
        self.assertNotIn("KiB of holes", counts)

    def test_qemu_nbd_holes(self):
        image = self.sparse_image()
        path = self.path("server")
        p = self.spawn("qemu-nbd", "-t", "-f", "raw", "-k", path, "-x", "root1", "-r", image)
        vdisk_case.wait_for(lambda: vdisk_case.can_connect(path), 10, self.log_of(p))
        leat = self.leat(f"unix:{path}", "root1", "--mode", "ram")
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read -P 0x5a 0 4k", leat.uri)
        self.assertGreater(self.read_all(leat, image)["KiB of holes"], 60 * 1024)

    def test_own_writes_are_no_holes(self):
        """In mode private a hole that was written to, discarded or zeroed shows what is there now."""
        image = self.sparse_image()
        _, uri = self.serve("file", image)
        leat = self.leat(uri)
        self.run_tool("qemu-io", "-f", "raw", "-c", "read -P 0 30M 1M", "-c", "write -P 7 30M 100k",
                      "-c", "write -P 8 40000k 5k", "-c", "write -z 30730k 4k", leat.uri)
        for i in range(1, 3):  # through the cache, and again by an engine that knows nothing
            self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read -P 7 30M 8k", "-c", "read -P 0 30730k 4k",
                          "-c", "read -P 8 40000k 5k", "-c", "read -P 0 40005k 1M", leat.uri)
            self.stop(leat)
            leat = self.leat(uri, name=f"leat{i}")


class BlockSizes(Case):
    def serve_sizes(self, image, least, most):
        return self.serve("--filter=blocksize-policy", "file", image, f"blocksize-minimum={least}",
                          f"blocksize-preferred={least}", f"blocksize-maximum={most}", "blocksize-error-policy=error")[1]

    def check_reads(self, least, most):
        image = self.make_file("image", 20 * MIB)
        leat = self.leat(self.serve_sizes(image, least, most), "", "--mode", "ram", "--cache", str(4 * MIB))
        self.run_tool("qemu-io", "-f", "raw", "-r", "-c", "read 1000k 4k", "-c", "read 1020k 70k", leat.uri)
        self.run_tool("nbdcopy", leat.uri, self.path("out"))
        self.same_files(image, self.path("out"))

    def test_minimum_16k(self):
        self.check_reads(16384, 32 * MIB)

    def test_minimum_64k(self):
        self.check_reads(65536, 65536)

    def test_maximum_of_no_round_number(self):
        self.check_reads(4096, 4096 * 11)

    def test_no_writes_below_the_minimum(self):
        image = self.make_file("image", MIB)
        leat = self.leat(self.serve_sizes(image, 65536, MIB), wait=False)
        vdisk_case.wait_for(lambda: "minimum block size is above 4096" in self.log_of(leat), 10, self.log_of(leat))


if __name__ == "__main__":
    vdisk_case.main(__doc__)
