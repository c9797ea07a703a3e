#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""store_mutations.py CC BUILD [NAME...]: shows that the store's simulator finds what it is there to find.

Each mutation breaks one promise in one place of vdisk/store; the simulator, built with it, must fail. A mutation whose text is
no longer in the code fails too: it must be looked at again."""
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SOURCES = sorted((TOP / "vdisk/store").glob("*.c")) + [
    TOP / "tests/sim" / name for name in ("test_store_sim.c", "store_clients.c", "store_disk.c", "store_world.c", "sim_model.c")]
SEEDS = 4000
FLAGS = ["-std=gnu17", "-O1", "-g", "-w", f"-I{TOP}", f"-I{TOP}/include"]

# name: (file, what is there, what is put in its place)
MUTATIONS = {
    "flush_acknowledged_early": (
        "journal.c", "if (is_durable(&s->journal, op) && !s->info.failure)", "if (!s->info.failure)"),
    "checksum_not_looked_at": ("read.c", "if (is_intact(s, p, i))", "if (true)"),
    "journal_before_data": ("journal.c", "    if (has_data) {", "    if (false) {"),
    "no_flush_after_journal": (
        "journal.c", "j->phase = JOURNAL_FLUSH;\n        meta_flush(&j->write);",
        "j->phase = JOURNAL_FLUSH;\n        s->wants_again = true;"),
    "old_slot_free_at_once": (
        "unmap.c", "        if (state != SLOT_NEW)\n            journal_append(s, old);",
        "        if (state == SLOT_LIVE)\n            table_release(&s->table, old);\n"
        "        else if (state != SLOT_NEW)\n            journal_append(s, old);"),
    "readers_not_waited_for": ("journal.c", "if (!is_read_before_batch(s))", "if (true)"),
    "sessions_not_compared": ("replay.c", "h->previous == s->journal.chain", "true"),
    "superblock_before_index": (
        "checkpoint.c", "c->phase = CHECKPOINT_FLUSH;\n        meta_flush(&c->write);", "c->phase = CHECKPOINT_FLUSH;"),
    "index_shows_what_is_not_durable": ("table.h", "return s->state == SLOT_LIVE ||", "return slot_is_mapped(s) ||"),
    "index_written_in_place": ("checkpoint.c", "^ FORMAT_ROOT_GENERATION", "^ 0"),
    "checkpoint_skips_batch": ("checkpoint.c", "in_batch ? j->batch_first : j->next", "j->next"),
    "differences_evicted": ("unmap.c", "slot_is_mapped(slot) && is_image_slot(s, t->hand)", "slot_is_mapped(slot)"),
    "overlapping_writes_at_once": (
        "write.c", "op->offset / STORE_BLOCK_BYTES < other->end)", "op->offset / STORE_BLOCK_BYTES < 0)"),
    "images_mixed": ("object.c", "memcmp(o->record.content, content, STORE_CONTENT_BYTES) == 0", "true"),
    "one_copy_of_the_journal": ("replay.c", "            if (copy == 1)\n                break;", "            break;"),
    "sectors_beside_a_write_lost": ("write.c", "mask |= has_group ? 0xff : under;", "mask = 0xff;"),
    "base_not_read": ("write.c", "            p->base[i] = old;", "            ;"),
    "group_of_zeros_forgotten": ("read.c", "return o->record.kind == FORMAT_DIFFERENCE &&", "return false &&"),
    "below_the_range": ("store.c", "(options->range_offset + FORMAT_PAGE - 1) / FORMAT_PAGE", "options->range_offset / FORMAT_PAGE"),
    "blob_named_too_early": (
        "journal.c", "if (o->is_building)\n            o->sent.state = FORMAT_OBJECT_DYING;", ";"),
}


def compile_to(compiler, source, target, extra=()):
    subprocess.run([*compiler.split(), *extra, *FLAGS, "-c", str(source), "-o", str(target)], check=True)


def mutated(name, folder):
    file, old, new = MUTATIONS[name]
    text = (TOP / "vdisk/store" / file).read_text()
    if text.count(old) != 1:
        raise SystemExit(f"mutation {name}: its text is {text.count(old)} times in vdisk/store/{file}; put it right")
    (folder / "vdisk/store").mkdir(parents=True, exist_ok=True)
    path = folder / "vdisk/store" / file
    path.write_text(text.replace(old, new))
    return path


def is_caught(compiler, folder, objects, name):
    place = folder / name
    changed = mutated(name, place)
    if changed.suffix == ".h":  # all that include it
        sources = [s for s in SOURCES if s.parent.name == "store"]
    else:
        sources = [changed]
    linked = dict(objects)
    for source in sources:
        linked[source.name] = place / (source.name + ".o")
        compile_to(compiler, source, linked[source.name], [f"-iquote{place}", f"-I{place}"])
    program = place / "sim"
    subprocess.run([*compiler.split(), *map(str, linked.values()), "-o", str(program)], check=True)
    try:
        run = subprocess.run([str(program), "--seeds", str(SEEDS)], capture_output=True, text=True, timeout=240)
    except subprocess.TimeoutExpired:
        return "does not end"
    return (run.stderr.strip().splitlines() or ["died"])[0] if run.returncode else None


def main():
    compiler, build, *names = sys.argv[1:]
    folder = Path(build) / "store-mutations"
    folder.mkdir(parents=True, exist_ok=True)
    objects = {source.name: folder / (source.name + ".o") for source in SOURCES}
    for source in SOURCES:
        compile_to(compiler, source, objects[source.name])
    missed = []
    for name in names or MUTATIONS:
        why = is_caught(compiler, folder, objects, name)
        print(f"{name}: {'caught: ' + why if why else 'NOT CAUGHT'}", flush=True)
        if not why:
            missed.append(name)
    print(f"{len(names or MUTATIONS) - len(missed)} mutations caught, {len(missed)} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
