#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""store_mutations.py CC BUILD [NAME...]: shows that the store's simulator finds what it is there to find."""
import sys

import mutations

SOURCES = [*sorted(str(p.relative_to(mutations.TOP)) for p in (mutations.TOP / "vdisk/store").glob("*.c")),
           *(f"tests/sim/{name}.c" for name in ("test_store_sim", "store_clients", "store_disk", "store_world", "sim_model"))]
SEEDS = 4000

# name: (file of vdisk/store, what is there, what is put in its place)
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
    "below_the_range": (
        "store.c", "(options->range_offset + FORMAT_PAGE - 1) / FORMAT_PAGE", "options->range_offset / FORMAT_PAGE"),
    "blob_named_too_early": (
        "journal.c", "if (o->is_building)\n            o->sent.state = FORMAT_OBJECT_DYING;", ";"),
}

if __name__ == "__main__":
    full = {name: ("vdisk/store/" + file, old, new) for name, (file, old, new) in MUTATIONS.items()}
    sys.exit(mutations.Harness("store-mutations", SOURCES, SEEDS, full).main())
