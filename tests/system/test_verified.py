#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A guest boots from a disk with a root hash whose first server has a wrong block: the guest sees none of it, Leat goes
on by the other server, and the log says which block was wrong and who has sent it."""
import re
import shutil
import subprocess

from lab import NbdServer, base_config, check, load_tool, main, vm

BLOCK = 4096


def block_of(image, path):
    """Where the image's ext4 file system keeps the first 4096 bytes of that file."""
    said = subprocess.run(["debugfs", "-R", f"bmap {path} 0", str(image)], capture_output=True, text=True, check=True).stdout
    check(said.strip().isdigit() and int(said) > 0, f"{path} is not in the guest's image: {said}")
    return int(said)


def copy_with_a_wrong_bit(lab, names, block):
    """A folder with copies of these exports; a bit of that block of the first is another one."""
    folder = lab.folder / "liars"
    folder.mkdir()
    for name in names:
        subprocess.run(["cp", "--sparse=always", lab.exports / name, folder / name], check=True)
    with open(folder / names[0], "r+b") as file:
        file.seek(block * BLOCK + 100)
        byte = file.read(1)[0]
        file.seek(block * BLOCK + 100)
        file.write(bytes([byte ^ 1]))
    return folder


def wrong_block(lab):
    image = lab.disk("one")
    root, blocks = load_tool("mkverity").make_tree(str(image), f"{image}.verity")
    wrong = block_of(image, "/srv/data/file-8388608-3")
    liars = copy_with_a_wrong_bit(lab, ["one", "one.verity"], wrong)
    liar = NbdServer(liars, lab.server_log)
    liar.start()
    lab.server.start()
    try:
        run = lab.boot(lab.image(lab.config(base_config(lab) + f"""[disk one]
mode = ram
port = {liar.port}
fallback = 10.0.2.2:{lab.server.port}
root_hash = {root}:{blocks}
""" + vm("web", "one", "sums"))), guests=("web",))
        run.wait_end(900)
    finally:
        liar.kill()
        shutil.rmtree(liars)
    log = lab.leat_log()
    check("TEST sums ok" in lab.guest_log("web"), "the guest's sums are wrong")
    check(not re.search(r"I/O error|EXT4-fs error", lab.guest_log("web")), "the guest saw an I/O error")
    said = re.findall(r"block (\d+) from (\S+) .*does not match the root hash", log)
    check(said, "the log does not say that a block was wrong")
    check({int(block) for block, _ in said} == {wrong}, f"the log tells of blocks {said}, wrong is {wrong}")
    check(all(server.startswith(f"10.0.2.2:{liar.port}") for _, server in said), f"the log names {said}, not the liar")


if __name__ == "__main__":
    main(wrong_block)
