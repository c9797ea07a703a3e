# SPDX-License-Identifier: BSD-2-Clause
"""What leatctl prints for people: objects as lines, lists as tables. A machine's report may have anything in any place."""
import datetime
import json

TIMES = ("created", "expires", "started", "renewed", "ended", "at", "taken", "changed")


def when(seconds):
    try:
        return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S") if seconds else "-"
    except (OverflowError, ValueError, OSError):  # of no year that there is
        return str(seconds)


def cell(name, value):
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in TIMES and isinstance(value, int):
        return when(value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return " ".join(cell("", one) for one in value) if isinstance(value, list) else str(value)


def table(rows, columns):
    """Rows of objects in columns; the last column is not padded."""
    lines = [columns] + [[cell(c, row.get(c)) for c in columns] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def lines(answer):
    for name, value in answer.items():
        print(f"{name}: {cell(name, value)}")


def report(found):
    """What a machine has said of itself: its boot and its VMs as tables, each disk, which has much to say, as lines."""
    for name in ("boot", "vms", "disks"):
        rows = found.get(name)
        rows = [row for row in rows if isinstance(row, dict) and row] if isinstance(rows, list) else []
        if not rows:
            continue
        print(f"\n{name}:")
        if name != "disks":
            table(rows, list(dict.fromkeys(key for row in rows for key in row)))
            continue
        for number, row in enumerate(rows):
            print(end="\n" if number else "")
            lines(row)
