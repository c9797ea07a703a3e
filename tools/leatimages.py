# SPDX-License-Identifier: BSD-2-Clause
"""What leatctl does with whole images: import, export, and a difference merged into a new version. Import and link work from any
machine; the others read leatd's folders, and so run on the server itself, unless the image lies elsewhere."""
import contextlib
import os
import re
import shutil
from pathlib import Path

import leatboot
import leatdisks
import leatimport
import leatsource
from leatapi import Refused, path_of

NAME = re.compile("[a-z0-9][a-z0-9._-]{0,62}")


def need_folder(status, which):
    folder = Path(status[which])
    if not os.access(folder, os.R_OK | os.X_OK):
        raise Refused(f"{folder} cannot be read: run this on the server itself, as root or as leatd's user")
    return folder


def is_there(api, name):
    """Whether leatd has the image; Refused if it would not take the name, before anything is copied for it."""
    if not NAME.fullmatch(name):
        raise Refused(f"{name} is no image's name: that has to be 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit")
    try:
        api.ask("GET", f"images/{name}")
    except Refused as error:
        if error.status != 404:
            raise
        return False
    return True


def make_image(api, name):
    """Somebody else may have made it meanwhile: then it is not this run's to remove."""
    try:
        api.ask("POST", "images", {"name": name})
    except Refused as error:
        if error.status != 409:
            raise
        return False
    return True


@contextlib.contextmanager
def image_for(api, name):
    """The image, for the version that is made in this context. If it was not there and no version comes of it, it goes again."""
    was_there = is_there(api, name)
    try:
        was_there = was_there or not make_image(api, name)
        yield
    except BaseException:  # also while it was asked for: it may be there
        if not was_there:
            with contextlib.suppress(Refused):  # it was not made, or has a version all the same
                api.ask("DELETE", f"images/{name}")
        raise


def add_version(command, name, fields):
    """The new version's row, once its files are whole."""
    if command.args.publish:
        fields["state"] = "published"
    with image_for(command.api, name):
        answer = command.api.ask("POST", f"images/{name}/versions", {**fields, **command.fields("note")})
    verified = "" if answer["hash_source"] else "; it has no hash tree, so that machines do not verify it"
    command.done(answer, f"{name} has version {answer['number']}, {answer['state']}{verified}")


def bring(command):
    """image import"""
    args, api = command.args, command.api
    folder = api.ask("GET", "status")["images_folder"]
    is_there(api, args.name)
    brought = leatimport.Brought(api)
    try:
        if not args.upload and leatimport.is_local(api, folder):
            fields = leatimport.bring(brought, folder, args.name, args.file, not args.no_tree)
            fields.update(leatboot.bring(folder, fields["source"], fields["source"], args, brought.claim))
        else:
            fields = leatimport.send(brought, args, not args.no_tree)
        add_version(command, args.name, fields)
    except BaseException:
        brought.drop()
        raise


def find_version(api, name, number):
    """The version of that number, or the newest published one."""
    versions = api.items(path_of("images", name, "versions"))
    found = [v for v in versions if (v["number"] == number if number else v["state"] == "published")]
    if not found:
        raise Refused(f"image {name} has no version {number}" if number else f"image {name} has no published version")
    return max(found, key=lambda v: v["number"])


def source_of(command, version):
    """A context that gives what qemu-img reads a version under."""
    if leatsource.is_uri(version["source"]):
        return leatsource.opened(version["source"], command.args)
    return contextlib.nullcontext(need_folder(command.api.ask("GET", "status"), "images_folder") / version["source"])


def link(command):
    """image link: a version whose image stays where it is."""
    args = command.args
    if not leatsource.is_uri(args.uri):
        raise Refused(f"{args.uri} is no nbd://, nbds://, nbd+unix://, nbds+unix://, http://, https://, s3:// or rbd: image; "
                      "image import takes files")
    is_there(command.api, args.name)
    fields = {"source": args.uri, "size": leatsource.size(args.uri, args)}
    add_version(command, args.name, fields)


def export(command):
    """image export"""
    args = command.args
    name, mark, number = args.name.partition("@")
    if mark and not re.fullmatch(r"[1-9]\d{0,8}", number):
        raise Refused(f"{args.name} is no NAME@NUMBER")
    version = find_version(command.api, name, int(number or 0))
    target = Path(args.file)
    if target.exists():
        raise Refused(f"{target} is there already")
    wanted = leatdisks.new_format(target, args.format)
    part = target.with_name(target.name + leatdisks.PART)
    part.unlink(missing_ok=True)  # of an export that was killed
    try:
        with source_of(command, version) as source:
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
    if leatsource.is_uri(version["source"]):
        raise Refused(f"version {version['number']} of {name} is {version['source']}, no file of this server: only over a file "
                      "can a difference be merged")
    folder = need_folder(status, "images_folder")
    file = need_folder(status, "differences_folder") / args.id
    stem = leatimport.new_stem(name)
    part = folder / f"{stem}.raw{leatdisks.PART}"
    brought = leatimport.Brought(api)
    made = part.with_name(part.name + ".new")  # under which leat-difference works, until it is whole
    try:
        brought.claim(f"{stem}.raw")
        run = leatdisks.run_watched([find_program(), "merge", file, folder / version["source"], version["format"], part],
                                    "merging", version["size"], lambda: leatdisks.grown(made))
        if run.returncode:
            raise Refused(f"the difference cannot be merged: {run.stderr.strip().removeprefix('leat-difference: ')}")
        fields = leatimport.enter(brought, folder, part, stem, not args.no_tree)
        fields.update({what: version[what] for what in ("kernel", "initrd", "cmdline") if version.get(what)})
        add_version(command, name, fields)
    except BaseException as error:
        brought.drop()
        if isinstance(error, OSError):
            raise Refused(f"the difference cannot be merged: {error}") from None
        raise
    finally:
        for left in (part, made):
            left.unlink(missing_ok=True)
