# SPDX-License-Identifier: BSD-2-Clause
"""What leatctl does with whole images: import, export, and a difference merged into a new version. Import works from any
machine; the others read leatd's folders, and so run on the server itself."""
import os
import re
import shutil
from pathlib import Path

import leatboot
import leatdisks
import leatimport
from leatapi import Refused


def need_folder(status, which):
    folder = Path(status[which])
    if not os.access(folder, os.R_OK | os.X_OK):
        raise Refused(f"{folder} cannot be read: run this on the server itself, as root or as leatd's user")
    return folder


def add_version(command, name, fields, where=None):
    """The new version's row, once its files are whole. where: the folder that they are removed from if it fails."""
    if command.args.publish:
        fields["state"] = "published"
    try:
        answer = command.api.ask("POST", f"images/{name}/versions", {**fields, **command.fields("note")})
    except Refused as error:
        if where and error.status:
            leatimport.forget(where, fields["source"])
        raise
    command.done(answer, f"{name} has version {answer['number']}, {answer['state']}")


def bring(command):
    """image import"""
    args, api = command.args, command.api
    folder = api.ask("GET", "status")["images_folder"]
    try:
        api.ask("POST", "images", {"name": args.name})
    except Refused as error:
        if error.status != 409:  # it is there: another version of it
            raise
    is_local = not args.upload and leatimport.is_local(api, folder)
    if is_local:
        fields = leatimport.bring(folder, args.name, args.file, not args.no_tree)
        try:
            fields.update(leatboot.bring(folder, fields["source"], fields["source"], args))
        except Refused:
            leatimport.forget(folder, fields["source"])
            raise
    else:
        fields = leatimport.send(api, args, not args.no_tree)
    add_version(command, args.name, fields, folder if is_local else None)


def find_version(api, name, number):
    """The version of that number, or the newest published one."""
    versions = api.items(f"images/{name}/versions")
    found = [v for v in versions if (v["number"] == number if number else v["state"] == "published")]
    if not found:
        raise Refused(f"image {name} has no version {number}" if number else f"image {name} has no published version")
    return max(found, key=lambda v: v["number"])


def export(command):
    """image export"""
    args = command.args
    name, mark, number = args.name.partition("@")
    if mark and not re.fullmatch(r"[1-9]\d{0,8}", number):
        raise Refused(f"{args.name} is no NAME@NUMBER")
    version = find_version(command.api, name, int(number or 0))
    source = version["source"]
    if "://" not in source:
        source = need_folder(command.api.ask("GET", "status"), "images_folder") / source
    target = Path(args.file)
    if target.exists():
        raise Refused(f"{target} is there already")
    wanted = leatdisks.new_format(target, args.format)
    part = target.with_name(target.name + leatdisks.PART)
    part.unlink(missing_ok=True)  # of an export that was killed
    try:
        leatdisks.convert(source, version["format"], part, wanted, "exporting")
        leatdisks.place(part, target)
    except OSError as error:
        raise Refused(f"{target} cannot be made: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    command.done({"image": name, "version": version["number"], "file": str(target), "format": wanted},
                 f"version {version['number']} of {name} is in {target}, {wanted}")


def find_program():
    """leat-difference: of the package, of $PATH, or of a build tree."""
    found = shutil.which("leat-difference")
    if not found:
        raise Refused("leat-difference is missing: it is in the package leat, and in a build tree's folder")
    return found


def merge(command):
    """difference merge: a version of the image with what was written over it. The difference stays as it is."""
    args, api = command.args, command.api
    found = [d for d in api.items("differences") if d["id"] == args.id]
    if not found:
        raise Refused(f"there is no difference {args.id}")
    difference, status = found[0], api.ask("GET", "status")
    name = difference["image"]
    if not name:
        raise Refused(f"difference {args.id} lies over no image: its disk has none, so there is nothing to make a version of")
    version = find_version(api, name, difference["version"])
    if "://" in version["source"]:
        raise Refused(f"version {version['number']} of {name} is on another server: only a file can be merged")
    folder = need_folder(status, "images_folder")
    file = need_folder(status, "differences_folder") / args.id
    stem = leatimport.new_stem(name)
    part = folder / f"{stem}.raw{leatdisks.PART}"
    leatdisks.sweep(folder)
    made = part.with_name(part.name + ".new")  # under which leat-difference works, until it is whole
    try:
        run = leatdisks.run(find_program(), "merge", file, folder / version["source"], version["format"], part)
        if run.returncode:
            raise Refused(f"the difference cannot be merged: {run.stderr.strip().removeprefix('leat-difference: ')}")
        fields = leatimport.enter(folder, part, stem, not args.no_tree)
        fields.update({what: version[what] for what in ("kernel", "initrd", "cmdline") if version.get(what)})
    except OSError as error:
        raise Refused(f"the difference cannot be merged: {error}") from None
    finally:
        for left in (part, made):
            left.unlink(missing_ok=True)
    add_version(command, name, fields, folder)
