# SPDX-License-Identifier: BSD-2-Clause
"""Just enough of an ELF64 program: the bytes at an address, and the function that holds it."""
import bisect
import struct
import subprocess


class Program:
    def __init__(self, name, path):
        self.name = name
        with open(path, "rb") as file:
            data = file.read()
        offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
        self.segments = []  # (address, bytes)
        for i in range(count):
            kind, _, at, address, _, length = struct.unpack_from("<IIQQQQ", data, offset + i * size)
            if kind == 1:  # PT_LOAD
                self.segments.append((address, data[at:at + length]))
        listed = subprocess.run(["nm", "-n", str(path)], capture_output=True, text=True, check=True).stdout
        symbols = [line.split() for line in listed.splitlines()]
        functions = [(int(s[0], 16), s[2]) for s in symbols
                     if len(s) == 3 and s[1] in "tTwW" and not s[2].startswith(".")]
        self.addresses = [address for address, _ in functions]
        self.names = [name for _, name in functions]

    def holds(self, address, code):
        """Are these the bytes at that address?"""
        for start, data in self.segments:
            if start <= address < start + len(data):
                return data[address - start:address - start + len(code)] == code
        return False

    def function(self, address):
        index = bisect.bisect_right(self.addresses, address) - 1
        return self.names[index] if index >= 0 else "?"
