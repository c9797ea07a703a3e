# SPDX-License-Identifier: BSD-2-Clause
"""What stands on an emulated machine's screen, read back from its pixels by the console's own font; and its keyboard."""
import json
import time

import lab

FONT = lab.BUILD / "services/console/font.psf"
COLUMNS, ROWS = 8, 16  # pixels of a character


def glyphs():
    """{its pixels: the character}, of what the font's table names."""
    data = FONT.read_bytes()
    lab.check(data[:2] == b"\x36\x04" and data[3] == ROWS, f"{FONT} is not a font of version 1 with {ROWS} rows")
    count = 512 if data[2] & 1 else 256
    known, glyph, is_sequence = {}, 0, False
    table = data[4 + count * ROWS:]
    for at in range(0, len(table) - 1, 2):
        code = int.from_bytes(table[at:at + 2], "little")
        if code == 0xffff:
            glyph, is_sequence = glyph + 1, False
        elif code == 0xfffe:
            is_sequence = True
        elif not is_sequence:
            known.setdefault(data[4 + glyph * ROWS:4 + (glyph + 1) * ROWS], chr(code))
    return known


def command(run, what, **arguments):
    run.qmp.sendall(json.dumps({"execute": what, "arguments": arguments}).encode() + b"\n")


def press(run, keys):
    """Keys of QEMU's names, one after the other; "ctrl-c" at once."""
    for key in keys:
        command(run, "send-key", keys=[{"type": "qcode", "data": part} for part in key.split("-")], **{"hold-time": 20})
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            run.step(0.05)


def pixels(path):
    """(width, height, bytes of three a pixel) of a picture that is written at the moment; None: it is not all there."""
    data = path.read_bytes() if path.exists() else b""
    head = data.split(b"\n", 3)
    if len(head) < 4 or head[0] != b"P6":
        return None
    width, height = map(int, head[1].split())
    return (width, height, head[3]) if len(head[3]) == width * height * 3 else None


def rows(width, height, data):
    """[(text, which of its characters are in reverse video)] of each row."""
    known, found = glyphs(), []
    for top in range(0, height - ROWS + 1, ROWS):
        text, reverse = "", []
        for left in range(0, width - COLUMNS + 1, COLUMNS):
            lines = [data[((top + y) * width + left) * 3:((top + y) * width + left + COLUMNS) * 3:3] for y in range(ROWS)]
            shape = bytes(sum(0x80 >> x for x in range(COLUMNS) if line[x]) for line in lines)
            other = bytes(0xff - byte for byte in shape)
            is_reverse = sum(map(int.bit_count, shape)) > COLUMNS * ROWS // 2 and other in known
            text += known.get(other if is_reverse else shape, "\ufffd")
            reverse.append(is_reverse)
        found.append((text.rstrip(), reverse))
    return found


def read(the_lab, run):
    """The rows of a screendump of now."""
    path = the_lab.folder / "screen.ppm"
    path.unlink(missing_ok=True)
    command(run, "screendump", filename=str(path))
    deadline = time.monotonic() + 60
    while not (picture := pixels(path)):
        lab.check(time.monotonic() < deadline and run.step(0.05), "QEMU makes no picture of the screen")
    return rows(*picture)


def wait_for(the_lab, run, wanted, timeout=60):
    """Until the screen has rows of these texts, in this order and one after the other; returns all rows and where."""
    deadline = time.monotonic() + timeout
    while True:
        found = read(the_lab, run)
        texts = [text for text, _ in found]
        for at in range(len(texts) - len(wanted) + 1):
            if texts[at:at + len(wanted)] == wanted:
                return found, at
        lab.check(time.monotonic() < deadline, f"the screen does not show {wanted}, but {[text for text in texts if text]}")
        for _ in range(4):
            run.step(0.1)
