# SPDX-License-Identifier: BSD-2-Clause
"""What leatctl shows of sessions."""
import leatshow
from leatapi import Refused, path_of


def show_list(command):
    """session list: those that live, or with --all those that have ended too."""
    if command.args.all:
        rows = command.api.items("sessions")
        command.show(rows, "id", "name", "address", "version", "started", "renewed", "ended", "why")
        return
    rows = [{"id": row["session"], **row} for row in command.api.items("online")]
    command.show(rows, "id", "name", "address", "version", "started", "renewed")


def find(api, who):
    """The session with that id, or the newest of the client with that name or UUID."""
    try:
        return api.ask("GET", path_of("sessions", who))
    except Refused as error:
        if error.status != 404:
            raise
    found = api.items("sessions", 1, client=api.ask("GET", path_of("clients", who))["uuid"])
    if not found:
        raise Refused(f"client {who} has had no session")
    return found[0]


def show(command):
    """session show"""
    session = find(command.api, command.args.id)
    if command.args.json:
        command.show(session)
        return
    report = session.pop("report", None) or {}
    command.show(session)
    leatshow.report(report)
