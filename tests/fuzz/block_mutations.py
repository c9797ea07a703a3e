#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""block_mutations.py CLANG BUILD [NAME...]: shows that the fuzzers of the storage drivers find what they are there to find. Each
driver is built with one check left out, and its fuzzer must stop, by its kept corpus or in a minute of new inputs."""
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FLAGS = ["-std=gnu17", "-g", "-O1", "-w", "-fno-omit-frame-pointer", "-fsanitize=fuzzer,address,undefined",
         "-fno-sanitize-recover=undefined", "-DWORLD_DATA_BYTES=262144", f"-I{TOP}", f"-I{TOP}/include"]
SECONDS = 60
DRIVERS = sorted(p for p in (TOP / "drivers/block").glob("*.c") if p.name != "match.c")
COMMON = [TOP / f"tests/{name}.c" for name in ("fuzz/block_hostile", "unit/block_user", "unit/block_world")]
MODELS = {"fuzz_ahci": ("ahci_model", "ahci_model_commands"), "fuzz_ata": ("ata_model", "ata_model_commands"),
          "fuzz_block": ("nvme_model", "virtio_blk_model")}

# name: (fuzzer, file of drivers/block, what is there, what is put in its place)
MUTATIONS = {
    "ahci_bytes_not_counted": ("fuzz_ahci", "ahci_command.c", "if (port->is_queued || !is_transfer(command))", "if (true)"),
    "ahci_active_not_looked_at": ("fuzz_ahci", "ahci_command.c",
        "    if (port->is_queued)\n        active |=", "    if (false)\n        active |="),
    "ahci_error_not_looked_at": ("fuzz_ahci", "ahci.c", "return *causes & AHCI_IS_ERRORS ? 0 : finished;", "return finished;"),
    "ahci_no_time_limit": ("fuzz_ahci", "ahci.c", "    if (!late)\n        return;", "    return;"),
    "ahci_tag_not_checked": ("fuzz_ahci", "ahci.c", "tag >= 0 && (port->issued >> tag & 1)", "tag >= 0"),
    "ahci_loss_forgotten": ("fuzz_ahci", "ahci_command.c", "port->has_lost |= port->has_unflushed;", "port->has_lost |= false;"),
    "ahci_slot_stays_issued": ("fuzz_ahci", "ahci_command.c", "    port->issued &= ~(1u << slot);", "    ;"),
    "ahci_another_disk": ("fuzz_ahci", "ahci_port.c", "ata_is_same(&port->identity, &now)", "true"),
    "ahci_size_not_checked": (
        "fuzz_ahci", "ata_identify.c", "if (!block_sizes_are_good(", "if (false && !block_sizes_are_good("),
    "ata_no_time_limit": ("fuzz_ata", "ata.c", "now < channel->current->deadline_ns", "true"),
    "ata_error_not_looked_at": ("fuzz_ata", "ata_command.c", "if (!(status & (ATA_STATUS_ERR | ATA_STATUS_DF)))", "if (true)"),
    "ata_active_not_looked_at": ("fuzz_ata", "ata_command.c",
        "bm_status & (ATA_BM_ACTIVE | ATA_BM_ERROR)", "bm_status & ATA_BM_ERROR"),
    "ata_asked_for_more": ("fuzz_ata", "ata_command.c", "        if (has_all)\n            return ATA_RESET;\n", ""),
    "ata_table_over_64_kib": ("fuzz_ata", "ata_command.c", "ATA_PRD_BOUNDARY - hpa % ATA_PRD_BOUNDARY", "ATA_PRD_BOUNDARY"),
    "ata_fua_not_flushed": (
        "fuzz_ata", "ata_identify.c", "return command->op == BLOCK_WRITE && command->fua &&", "return false && command->fua &&"),
    "ata_size_not_checked": (
        "fuzz_ata", "ata_identify.c", "if (!block_sizes_are_good(", "if (false && !block_sizes_are_good("),
    "nvme_idle_slot": ("fuzz_block", "nvme_io.c", "!(nvme->work.busy & 1ull << slot) ||", "false ||"),
    "nvme_slot_not_bounded": ("fuzz_block", "nvme_io.c", "slot >= nvme->work.slots ||", "false ||"),
    "nvme_old_completion": ("fuzz_block", "nvme_io.c", "completion->cid != cid_of(nvme, slot)", "false"),
    "nvme_status_not_looked_at": ("fuzz_block", "nvme_io.c", "if (completion->status >> 1)", "if (false)"),
    "nvme_no_time_limit": ("fuzz_block", "nvme_io.c",
        "while ((slot = block_work_overdue(", "while (false && (slot = block_work_overdue("),
    "nvme_list_of_pages": ("fuzz_block", "nvme_io.c", "pages == 1 ? next : nvme->dma.hpa + list_offset", "next"),
    "nvme_size_not_checked": (
        "fuzz_block", "nvme_identify.c", "if (!block_sizes_are_good(", "if (false && !block_sizes_are_good("),
    "nvme_small_transfers": ("fuzz_block", "nvme_identify.c", "controller->transfer_bytes < TRANSFER_LEAST", "false"),
    "virtio_idle_slot": ("fuzz_block", "virtio_queue.c", "|| !(v->work.busy & 1ull << slot))", ")"),
    "virtio_slot_not_bounded": ("fuzz_block", "virtio_queue.c", "slot >= v->work.slots ||", "false ||"),
    "virtio_status_not_looked_at": ("fuzz_block", "virtio_queue.c",
        "    if (status == VIRTIO_BLK_OK)\n        succeeded", "    if (true)\n        succeeded"),
    "virtio_no_time_limit": (
        "fuzz_block", "virtio_blk.c",
        "return v->state == VIRTIO_RUNNING && block_work_overdue(", "return false && block_work_overdue("),
    "virtio_place_not_bounded": ("fuzz_block", "virtio_pci.c", "place.offset > region - place.bytes ||", "false ||"),
    "virtio_notify_not_bounded": ("fuzz_block", "virtio_pci.c", "if (notify_at > notify->bytes - 2)", "if (false)"),
    "virtio_size_not_checked": (
        "fuzz_block", "virtio_config.c", "if (!block_sizes_are_good(", "if (false && !block_sizes_are_good("),
}


def compile_to(source, target):
    subprocess.run([CLANG, *FLAGS, f"-iquote{TOP}/drivers/block", "-c", str(source), "-o", str(target)], check=True)


def object_of(source):
    target = FOLDER / (str(source.relative_to(TOP)).replace("/", "-") + ".o")
    if source not in done:
        compile_to(source, target)
        done.add(source)
    return target


def build(name):
    fuzzer, file, old, new = MUTATIONS[name]
    text = (TOP / "drivers/block" / file).read_text()
    if text.count(old) != 1:
        raise SystemExit(f"mutation {name}: its text is {text.count(old)} times in {file}; put it right")
    (FOLDER / file).write_text(text.replace(old, new))
    compile_to(FOLDER / file, FOLDER / "changed.o")
    sources = [TOP / f"tests/fuzz/{fuzzer}.c", *COMMON, *DRIVERS, *(TOP / f"tests/unit/{m}.c" for m in MODELS[fuzzer])]
    objects = [FOLDER / "changed.o" if s == TOP / "drivers/block" / file else object_of(s) for s in sources]
    subprocess.run([CLANG, *FLAGS, *map(str, objects), "-o", str(FOLDER / "fuzzer")], check=True)


def is_caught(name):
    build(name)
    corpus, new = TOP / "tests/fuzz/corpus" / MUTATIONS[name][0], FOLDER / "new"
    new.mkdir(exist_ok=True)
    for old in new.iterdir():
        old.unlink()
    run = subprocess.run([FOLDER / "fuzzer", f"-max_total_time={SECONDS}",
                          "-timeout=20", "-max_len=400", f"-artifact_prefix={new}/",
                          new, corpus], capture_output=True, text=True, errors="replace")
    lines = [line for line in run.stderr.splitlines() if "promise" in line or "ERROR" in line or "runtime error" in line]
    return (lines or ["died"])[0] if run.returncode else None


if __name__ == "__main__":
    CLANG, FOLDER = sys.argv[1], Path(sys.argv[2]) / "block-mutations"
    FOLDER.mkdir(parents=True, exist_ok=True)
    done, missed = set(), []
    names = sys.argv[3:] or list(MUTATIONS)
    for name in names:
        why = is_caught(name)
        print(f"{name}: {'caught: ' + why if why else 'NOT CAUGHT'}", flush=True)
        if not why:
            missed.append(name)
    print(f"{len(names) - len(missed)} mutations caught, {len(missed)} missed")
    sys.exit(1 if missed else 0)
