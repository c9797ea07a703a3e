# SPDX-License-Identifier: BSD-2-Clause
"""Who may administer leatd: leatctl's login, accounts and tokens."""
import getpass
import sys

from leatapi import Refused, path_of
from leatshow import when


def password(prompt="Password: "):
    """Asked for at a terminal, else a line of standard input."""
    try:
        found = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    except EOFError:
        found = ""
    if not found:
        raise Refused("no password was given")
    return found


def new_password(name):
    return password(f"New password of {name}: ")


def login(command):
    expires = command.api.log_in(command.args.name, password())
    command.done({"expires": expires}, f"logged in until {when(expires)}")


def logout(command):
    answer = command.api.ask("POST", "logout", {})
    command.api.keep_token(None)
    command.done(answer, "logged out")


def add_admin(command):
    name = command.args.name
    command.done(command.api.ask("POST", "admins", {"name": name, "password": new_password(name)}),
                 f"{name} is an administrator")


def list_admins(command):
    command.show(command.api.items("admins"), "name", "enabled", "created")


def set_admin(command):
    name, changes = command.args.name, command.fields("enabled")
    if command.args.password:
        changes["password"] = new_password(name)
    command.show(command.api.ask("PATCH", path_of("admins", name), changes))


def remove_admin(command):
    name = command.args.name
    command.done(command.api.ask("DELETE", path_of("admins", name)), f"{name} is no administrator any more")


def add_token(command):
    answer = command.api.ask("POST", "tokens", command.fields("expires", "note"))
    command.done(answer, f"token {answer['id']}, good until {when(answer['expires'])}, shown this once:\n{answer['token']}")


def list_tokens(command):
    command.show(command.api.items("tokens"), "id", "admin", "expires", "created", "note")


def remove_token(command):
    command.done(command.api.ask("DELETE", path_of("tokens", command.args.id)), "the token is worth nothing any more")
