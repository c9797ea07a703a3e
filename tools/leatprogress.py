# SPDX-License-Identifier: BSD-2-Clause
"""How far a long step is: a bar with rate and time left on a terminal, a line now and then where there is none."""
import os
import sys
import time

BAR, EVERY = 30, 0.2
PLAIN_EVERY = 10.0  # seconds between lines where nobody looks on; short steps say nothing there


def span(seconds):
    seconds = int(seconds + 0.5)
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min" if seconds < 6000 else f"{seconds // 3600} h"


def columns(out):
    """Of the terminal; 80 if it does not say. Of a line that is longer, only the last row could be taken back."""
    try:
        return os.get_terminal_size(out.fileno()).columns or 80
    except OSError:
        return 80


class Progress:
    """Of `total` bytes, on standard error. `with` it: the line is ended whatever happens."""

    def __init__(self, what, total, out=None, clock=time.monotonic):
        self.what, self.total, self.done, self.skipped = what, max(total, 1), 0, 0
        self.out, self.clock = out or sys.stderr, clock
        self.began = self.shown = clock()
        self.is_terminal = self.out.isatty()
        self.is_open = False

    def add(self, size):
        self.to(self.done + size)

    def skip(self, size):
        """What was there before: part of the whole, not of the rate."""
        self.skipped += size
        self.add(size)

    def to(self, done):
        self.done = done
        now = self.clock()
        if now - self.shown >= (EVERY if self.is_terminal else PLAIN_EVERY):
            self.show(now)

    def line(self, now):
        rate = (self.done - self.skipped) / max(now - self.began, 0.001)
        left = f", {span((self.total - self.done) / rate)} left" if rate >= 1 and self.done < self.total else ""
        return f"{self.done >> 20} of {self.total >> 20} MiB, {rate / 2**20:.0f} MiB/s{left}"

    def show(self, now):
        self.shown = now
        if self.is_terminal:
            full = BAR * min(self.done, self.total) // self.total
            text = f"[{'#' * full}{'.' * (BAR - full)}] {self.line(now)} {self.what}"
            print("\r\033[K" + text[:columns(self.out) - 1], end="", file=self.out, flush=True)
            self.is_open = True
        else:
            print(f"{self.what}: {self.line(now)}", file=self.out, flush=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_terminal:
            self.show(self.clock())
        if self.is_open:
            print(file=self.out, flush=True)
