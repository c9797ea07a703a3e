# SPDX-License-Identifier: BSD-2-Clause
"""Sends a file into leatd's image folder over the API, in pieces, each of which is on the server's disk when it is answered. What
has arrived is not sent again: the same file under the same name goes on where it was."""
import hashlib
import time

import leatdisks
from leatapi import Refused
from leatprogress import Progress

PIECE = 1 << 20  # leatd takes no larger ones
TRIES, PAUSE = 10, 1.0  # a leatd that is started again has its time


def received(api, name):
    """(bytes that the server has, whether that is all)."""
    try:
        answer = api.ask("GET", f"files/{name}")
        return answer["received"], answer["whole"]
    except Refused as error:
        if error.status != 404:
            raise
        return 0, False


def put(api, name, piece, at, total):
    """What the server has then. A run of zeros goes as its length alone."""
    if piece.count(0) == len(piece):
        return put_raw(api, name, b"", at, len(piece), total)
    return put_raw(api, name, piece, at, len(piece), total)


def put_raw(api, name, data, at, size, total):
    for attempt in range(TRIES):
        try:
            if attempt:  # it could not be reached: was the piece lost, or its answer?
                there, whole = received(api, name)
                is_last = at + size == total  # its bytes may be there while the file has no name yet
                if there == at + size and (whole or not is_last):
                    return there
            return api.put(f"files/{name}", data, f"bytes {at}-{at + size - 1}/{total}")["received"]
        except Refused as error:
            if error.status or attempt + 1 == TRIES:
                raise
            time.sleep(PAUSE)


def send(api, name, path, content=None):
    """Whether anything had to be sent. content: SHA-256 of what path had when it was hashed; Refused if it has something else
    now."""
    total = leatdisks.length(path)
    there, whole = received(api, name)
    if whole and there == total:
        return False
    digest = hashlib.sha256()
    with open(path, "rb") as file, Progress(f"sending {name}", total) as progress:
        at = 0
        while at < total:
            piece = file.read(PIECE)
            if not piece:
                raise Refused(f"{path} has become smaller")
            digest.update(piece)
            is_last = at + len(piece) == total
            if at + len(piece) <= there and not is_last:
                progress.skip(len(piece))
            else:
                skip = max(there - at, 0) if there < total else 0  # the last piece gives the file its name
                if is_last and content and digest.hexdigest() != content:
                    api.ask("DELETE", f"files/{name}")
                    raise Refused(f"{path} was changed while it was sent: import it again")
                put(api, name, piece[skip:], at + skip, total)
                progress.add(len(piece))
            at += len(piece)
    return True
