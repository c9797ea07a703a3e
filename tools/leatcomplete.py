# SPDX-License-Identifier: BSD-2-Clause
"""What a shell may put behind the words that were typed: `leatctl complete WORD...` prints it, a line for each, for the
functions in tools/package/leatctl.bash and leatctl.zsh. It is read off leatctl's own parser, so that the two never differ;
names are leatd's, if somebody is logged in, and a line "@files" stands for the names of files."""
import argparse

from leatapi import Api, Refused, path_of

SECONDS = 2  # for leatd's answer: nobody waits longer for a name

# What an argument names, by the argument's own name: (path of the API, field).
BY_ARGUMENT = {"group": ("groups", "name"), "image": ("images", "name"), "client": ("clients", "name"),
               "disk": ("disks", "name")}
# The first argument of a noun's verbs; "add" makes a new one, and has none.
BY_NOUN = {**BY_ARGUMENT, "session": ("sessions", "id"), "assign": ("assignments", "id"),
           "difference": ("differences", "id"), "profile": ("images", "name"), "enrolment": ("enrolments", "id"),
           "admin": ("admins", "name"), "token": ("tokens", "id")}
FILES = ("file", "folder", "ca", "output", "kernel", "initrd", "key_file", "efi", "dnsmasq", "https_ca", "s3", "ceph")


def subparsers(parser):
    """Words to parsers, {} for a command that has all of its words."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def options(parser):
    return {flag: action for action in parser._actions for flag in action.option_strings}


def takes_value(action):
    return action.nargs != 0


def positionals(parser):
    return [a for a in parser._actions if not a.option_strings and not isinstance(a, argparse._SubParsersAction)]


def walk(parser, words):
    """(parser of the command, its words, arguments so far by name, the option that wants a value or None)."""
    path, given, pending = [], {}, None
    for word in words:
        if pending:
            given[pending.dest], pending = word, None
        elif word in options(parser):
            pending = options(parser)[word] if takes_value(options(parser)[word]) else None
        elif word in subparsers(parser):
            parser = subparsers(parser)[word]
            path.append(word)
        elif not word.startswith("-"):
            left = [a for a in positionals(parser) if a.dest not in given]
            if left:
                given[left[0].dest] = word
    return parser, path, given, pending


def names(path, field, given):
    api = Api(given.get("server"), given.get("ca"))
    api.timeout = SECONDS
    return [str(item[field]) for item in api.items(path)] if api.token() else []


def values(action, path, given):
    """What may stand for one argument."""
    if action.choices:
        return list(action.choices)
    if action.dest in FILES:
        return ["@files"]
    if action.dest == "number" and "name" in given:
        return names(path_of("images", given["name"], "versions"), "number", given)
    known = BY_ARGUMENT.get(action.dest)
    if not known and action.dest in ("name", "id") and path[1:] != ["add"]:
        known = BY_NOUN.get(path[0])
    return names(*known, given) if known else []


def candidates(parser, words):
    """All that may come behind the words but the last, which is begun with."""
    parser, path, given, pending = walk(parser, words[:-1])
    if pending:
        return values(pending, path, given)
    if words[-1].startswith("-"):
        return sorted(options(parser))
    found = list(subparsers(parser))
    left = [a for a in positionals(parser) if a.dest not in given]
    return found or (values(left[0], path, given) if left else [])


def show(parser, words):
    words = words or [""]
    try:
        for found in candidates(parser, words):
            if found == "@files" or found.startswith(words[-1]):
                print(found)
    except (Refused, KeyError):
        pass  # without the names that leatd would know
