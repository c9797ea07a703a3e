# SPDX-License-Identifier: BSD-2-Clause
"""How machines get Leat: a folder and a dnsmasq.conf for network boot, an image for a USB stick (docs/netboot.md). What goes
wrong is Refused with one sentence, and leaves what was there as it was."""
import contextlib
import importlib.machinery
import importlib.util
import ipaddress
import os
import re
import tempfile
from pathlib import Path

from leatapi import Refused

HERE = Path(__file__).resolve().parent
CLIENT_PORT, HTTP_PORT = 9471, 9472
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{64}")

LEAT_CONF = """; Made by leatctl. What else may stand here: docs/leat.conf.md.
[leatd]
servers = {servers}
{key}"""

IPXE = """#!ipxe
# For machines whose network card starts iPXE: it loads leat.conf too, since its TFTP tells leat.efi no sizes.
initrd leat.conf
chain leat.efi
"""

# Client architectures: RFC 4578, 2.1, and IANA's list of Processor Architecture Types.
MADE = "# Made by leatctl netboot"
DNSMASQ = MADE + """: UEFI PXE and UEFI HTTP boot of Leat (docs/netboot.md).
# dnsmasq --conf-file=THIS_FILE, or as /etc/dnsmasq.d/leat.conf if that dnsmasq has no other dhcp-range.
port=0
{where}
{mode}

# x86-64 UEFI by PXE: 7, and 9 from some; by HTTP: 16. iPXE has an option of its own.
dhcp-match=set:leat-x64,option:client-arch,7
dhcp-match=set:leat-x64,option:client-arch,9
dhcp-match=set:leat-http,option:client-arch,16
dhcp-match=set:leat-ipxe,175
tag-if=set:leat-pxe,tag:leat-x64,tag:!leat-ipxe

enable-tftp
tftp-root={folder}
{boot}
"""

FULL = """dhcp-boot=tag:leat-pxe,leat.efi,,{address}
dhcp-boot=tag:leat-ipxe,leat.ipxe,,{address}"""
FULL_HTTP = """
dhcp-boot=tag:leat-http,http://{http}/leat.efi
# Without it the firmware does not take the answer for one (UEFI 2.10, 24.7.2).
dhcp-option-force=tag:leat-http,option:vendor-class,HTTPClient"""
PROXY = """# The other DHCP server gives the addresses; this one says only what to start.
pxe-service=tag:leat-pxe,BC_EFI,"Leat",leat.efi,{address}
pxe-service=tag:leat-pxe,X86-64_EFI,"Leat",leat.efi,{address}
dhcp-boot=tag:leat-ipxe,leat.ipxe,,{address}"""
PROXY_HTTP = """
# Who says HTTPClient is answered beside the other server too, and with that word.
dhcp-pxe-vendor=PXEClient,HTTPClient
dhcp-boot=tag:leat-http,http://{http}/leat.efi"""


def servers(text, name="--leatd"):
    """leat.conf's list of HOST[:PORT]; the port is left out where it is the usual one."""
    found = []
    for one in filter(None, re.split(r"[ ,]+", text)):
        host, colon, port = one.partition(":")
        if not HOST.fullmatch(host) or (colon and not (port.isdigit() and 0 < int(port) < 65536)):
            raise Refused(f"{name} {one}: is no HOST or HOST:PORT")
        found.append(host + (f":{int(port)}" if port and int(port) != CLIENT_PORT else ""))
    if not 0 < len(found) < 5:
        raise Refused(f"{name} has to name one to four servers")
    return ", ".join(found)


def address(text, name):
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise Refused(f"{name} {text}: is no IPv4 address") from None


def find_efi(given):
    """leat.efi: as given, beside leatctl (as it is installed), or in the build folder."""
    build = Path(os.environ.get("LEAT_BUILD", HERE.parent / "build"))
    places = [Path(given)] if given else [HERE / "leat.efi", build / "leat.efi"]
    for place in places:
        with contextlib.suppress(OSError):
            with open(place, "rb") as file:
                if file.read(2) != b"MZ":
                    raise Refused(f"{place} is no UEFI program")
            return place
    raise Refused(f"{' and '.join(map(str, places))} cannot be read: --efi FILE says where leat.efi is")


def write_whole(files, keep=()):
    """{path: (bytes, mode)}: all of them, or none; those of `keep` only where there is none. Returns what was kept."""
    files = {path: content for path, content in files.items() if path not in keep or not path.exists()}
    fresh = {}
    try:
        for path, (data, mode) in files.items():
            number, name = tempfile.mkstemp(prefix="." + path.name + "-", dir=path.parent)
            fresh[path] = Path(name)
            with open(number, "wb") as out:
                out.write(data)
                out.flush()
                os.fchmod(number, mode)
                os.fsync(number)
        for path, new in fresh.items():
            new.replace(path)
    except OSError as error:
        raise Refused(f"{error.filename or path}: {error.strerror}") from None
    finally:
        for new in fresh.values():
            new.unlink(missing_ok=True)
    return [path for path in keep if path not in files]


def dhcp_mode(args):
    """The dhcp-range of dnsmasq.conf."""
    if args.proxy:
        try:
            network = ipaddress.IPv4Network(args.proxy)
        except ValueError:
            raise Refused(f"--proxy {args.proxy}: is no network; write for example 192.168.1.0/24") from None
        return f"dhcp-range={network.network_address},proxy,{network.netmask}"
    parts = args.range.split(",")
    if len(parts) not in (2, 3):
        raise Refused(f"--range {args.range}: write FIRST,LAST or FIRST,LAST,NETMASK")
    first, last, *mask = [address(part, "--range") for part in parts]
    if ipaddress.IPv4Address(first) > ipaddress.IPv4Address(last):
        raise Refused(f"--range {args.range}: its last address comes before its first")
    return f"dhcp-range={','.join([first, last, *mask])},12h"


def dnsmasq(args, folder):
    if bool(args.range) == bool(args.proxy):
        raise Refused("give --range for a network without a DHCP server, or --proxy for one beside a server")
    if args.interface and not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", args.interface):
        raise Refused(f"--interface {args.interface!r}: is no name of an interface")
    if re.search(r"[\s#\"\\]", str(folder)):
        raise Refused(f"{folder}: dnsmasq wants a folder without spaces and #")
    own = address(args.address, "--address")
    values = {"address": own, "http": f"{own}:{args.http_port}"}
    plain, over_http = (PROXY, PROXY_HTTP) if args.proxy else (FULL, FULL_HTTP)
    boot = (plain + over_http * (args.http_port != 0)).format(**values)
    where = f"interface={args.interface}\nbind-dynamic" if args.interface else f"listen-address={own}\nbind-dynamic"
    return DNSMASQ.format(where=where, mode=dhcp_mode(args), folder=folder, boot=boot)


def check_dnsmasq(path, text, may_replace):
    """Refused for a file that is there and is not this one: what stands in it may be the administrator's."""
    if not os.path.lexists(path):
        return
    if not path.is_file():
        raise Refused(f"{path} is no file")
    try:
        there = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None
    if there != text and not may_replace:
        is_ours = there.startswith(MADE)
        what = "was changed, or made with other options" if is_ours else "is there, and not made by leatctl netboot"
        raise Refused(f"{path} {what}: --dnsmasq OTHER_FILE lets it be, --replace makes it anew, and leat.conf")


def netboot(args):
    """Makes or renews the boot folder and dnsmasq's file; returns sentences about it."""
    folder = Path(args.folder).absolute()
    target = Path(args.dnsmasq).absolute() if args.dnsmasq else folder.with_name("dnsmasq.conf")
    if target.parent == folder:
        raise Refused(f"{target}: would be given out to everybody; it does not belong into the boot folder")
    text = dnsmasq(args, folder)
    conf = LEAT_CONF.format(servers=servers(args.leatd or args.address), key="; no key: each machine has one in its firmware\n")
    check_dnsmasq(target, text, args.replace)
    try:
        efi = find_efi(args.efi).read_bytes()
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from None
    kept = write_whole({folder / "leat.efi": (efi, 0o644), folder / "leat.ipxe": (IPXE.encode(), 0o644),
                        folder / "leat.conf": (conf.encode(), 0o644), target: (text.encode(), 0o644)},
                       keep=() if args.replace else (folder / "leat.conf",))
    said = [f"{path} was there, and is kept (--replace makes it anew, and {target.name})" for path in kept]
    said += [f"{folder} is what machines start from; {target} is for dnsmasq"]
    closed = [path for path in folder.parents if not path.stat().st_mode & 0o001]
    if closed:
        said += [f"{closed[0]} lets nobody else through, and dnsmasq is another user: take a folder elsewhere"]
    if args.http_port:
        said += [f"for UEFI HTTP boot leatd.conf needs [boot] listen = {args.address}:{args.http_port} and folder = {folder}"]
    return said


def read_key(path, uuid):
    """UUID:HEX of a file, which has to be this client's."""
    try:
        line = Path(path).read_text(encoding="ascii").strip()
    except OSError as error:
        raise Refused(f"--key-file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        line = ""
    if not KEY.fullmatch(line):
        raise Refused(f"--key-file {path}: is not one line UUID:HEX, as client add prints it")
    if line.split(":")[0] != uuid:
        raise Refused(f"--key-file {path}: is the key of another client, {line.split(':')[0]}")
    return line


def mkimage():
    loader = importlib.machinery.SourceFileLoader("mkimage", str(HERE / "mkimage"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mkimage", loader))
    loader.exec_module(module)
    return module


def usb(args, client, new_key):
    """Writes the image; new_key() is asked for one only when all else has been made sure of. Its key is in the image, so
    only its owner may read it."""
    output = Path(args.output).absolute()
    text = LEAT_CONF.format(servers=servers(args.leatd), key="psk_file = leat.psk\n")
    efi = find_efi(args.efi)
    if output.exists() and not output.is_file():
        raise Refused(f"{output} is no file: write an image, and then that to the stick (dd)")
    if not output.parent.is_dir():
        raise Refused(f"{output.parent} is no folder")
    if os.path.lexists(output) and not args.replace:
        raise Refused(f"{output} is there already: --replace writes over it")
    key = read_key(args.key_file, client["uuid"]) if args.key_file else None
    image = mkimage()
    old_mask = os.umask(0o077)  # what is made on the way holds the key too
    try:
        with tempfile.TemporaryDirectory(prefix=".leat-usb-", dir=output.parent) as work:
            conf, psk, made = Path(work, "leat.conf"), Path(work, "leat.psk"), Path(work, "image")
            conf.write_text(text, encoding="ascii")
            psk.write_text("0" * 64 + "\n", encoding="ascii")
            image.make_image(str(made), str(efi), str(conf), {"leat.psk": str(psk)})  # can it be made at all?
            psk.write_text((key or new_key()) + "\n", encoding="ascii")
            image.make_image(str(made), str(efi), str(conf), {"leat.psk": str(psk)})
            made.replace(output)
    except image.ImageError as error:
        raise Refused(f"{output}: {error}") from None
    except OSError as error:
        raise Refused(f"{error.filename or output}: {error.strerror}") from None
    finally:
        os.umask(old_mask)
    return output
