#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""vdisk_mutations.py CC BUILD [NAME...]: shows that the engine's simulator finds what it is there to find."""
import sys

import mutations


def found(pattern):
    return sorted(str(p.relative_to(mutations.TOP)) for p in mutations.TOP.glob(pattern))


SOURCES = [*found("vdisk/*.c"), *found("vdisk/nbd/*.c"), *found("vdisk/profile/*.c"), *found("vdisk/store/*.c"),
           *found("vdisk/verity/*.c"),
           *(f"tests/sim/{name}.c" for name in ("test_vdisk_sim", "sim_guests", "sim_store", "sim_world", "sim_server",
                                                "sim_handshake", "sim_client", "sim_tree", "sim_model", "store_disk"))]
SEEDS = 3000

# name: (file of vdisk, what is there, what is put in its place)
MUTATIONS = {
    "queue_kept_when_the_unit_grows": ("offer.c", "        fetch_anew(e);", "        ;"),
    # writes to the server
    "flush_acknowledged_early": ("wlog.c", "if (e->acked_count == 0 && !e->replay_left) {", "if (true) {"),
    "flush_forgets_late_writes": ("wlog.c", "if (w->is_acked && w->ack_number <= mark)", "if (w->is_acked)"),
    "overlapping_writes_at_once": (
        "wlog.c", "w))\n            w->blockers++;", "w) && !w)\n            w->blockers++;"),
    "replay_order_wrong": (
        "wlog.c", "    e->acked_count = 0;\n    for (struct list *n = e->log.next; n != &e->log; n = n->next) {",
        "    e->acked_count = 0;\n    for (struct list *n = e->log.prev; n != &e->log; n = n->prev) {"),
    "reads_before_the_replay": ("link.c", "e->link == LINK_REPLAY && !e->replay_left &&", "e->link == LINK_REPLAY &&"),
    "acknowledged_writes_not_replayed": (
        "wlog.c", "    if (!has_flush(e) || (w->wants_fua && may_leave(e, w))) {",
        "    if (!w->wants_fua || (w->wants_fua && may_leave(e, w))) {"),
    "fua_ignored": ("wlog.c", "} else if (w->wants_fua && r) {", "} else if (false) {"),
    "fua_leaves_older_writes_behind": (
        "wlog.c", "    for (const struct list *n = w->log_node.prev; n != &e->log; n = n->prev)",
        "    for (const struct list *n = &e->log; n != &e->log; n = n->prev)"),
    "write_error_swallowed": (
        "wlog.c", "    drop_record(e, w);\n    if (r)\n        disk_complete(r, LEAT_EIO);",
        "    drop_record(e, w);\n    if (r)\n        disk_complete(r, LEAT_OK);"),
    # reads
    "stale_fetch_served": ("cache.c", "        cache_make_stale(c, index);", "        ;"),
    "cache_not_told_of_writes": (
        "wlog.c", "        cache_change(&e->engine->cache, e->id, w->offset + w->lead, w->client_length, change,\n"
        "                     w->data + w->lead);", "        (void)change;"),
    "written_blocks_are_holes": ("extents.c", "    if (!x->span_count || !length)\n        return;", "    return;"),
    "read_error_swallowed": ("read.c", "            r->status = LEAT_EIO;", "            r->status = LEAT_OK;"),
    "overlay_ignored": ("disk.c", "        d->has_overlay) /* over what came from below */", "        false)"),
    "other_content_accepted": ("identity.c", "        e->content.has_changed = true;", "        ;"),
    # hash trees
    "hash_not_compared": ("verify.c", "return matches(e, above + place.offset, data) ? GOOD : BAD;", "return GOOD;"),
    "holes_not_judged": ("read.c", "(!e->verify || verify_is_zero(e, r->disk->tenant, block))", "(true)"),
    "local_disk_believed": ("fetch.c", "    if (!e->verify)\n        fetch_end(e, f, error);",
                            "    if (!e->verify || f->is_from_disk)\n        fetch_end(e, f, error);"),
    # mode local
    "difference_read_from_base": (
        "difference_ops.c", "(!r->data || !store_holds_some(l->object, r->offset, r->length))", "(true)"),
    "base_over_the_difference": ("read.c", "uint8_t held = r->held ?", "uint8_t held = false ?"),
    "damage_shows_the_base": (
        "difference_ops.c", "if (status == STORE_OK && op->type == STORE_READ)", "if (op->type == STORE_READ)"),
    "local_fua_ignored": (
        "difference_ops.c", "        o->op.is_fua = r->flags & LEAT_BLK_FUA;", "        ;"),
    "local_zeroes_kept_by_fua_ignored": (
        "difference_ops.c", "(o->request->flags & LEAT_BLK_FUA) && o->op.length == left;", "false;"),
    "local_flush_is_nothing": (
        "difference_ops.c", "                                    [LEAT_BLK_FLUSH] = STORE_FLUSH,",
        "                                    [LEAT_BLK_FLUSH] = STORE_DISCARD,"),
    "local_drain_does_not_flush": (
        "difference.c", "if (!list_is_empty(&l->ops) || l->is_flushing || l->written != l->flushed)", "if (false)"),
    "difference_of_any_content": (
        "difference.c", "        memcpy(base, config->content, STORE_CONTENT_BYTES);",
        "        memset(base, 0, STORE_CONTENT_BYTES);"),
    "difference_of_any_sums": ("identity.c", "    memset(content, 0, CONTENT_BYTES);", "    memset(words + 1, 0, 16);\n"
                               "    memset(content, 0, CONTENT_BYTES);"),
    "error_of_the_store_swallowed": (
        "difference_ops.c", "    return status == STORE_FULL ? LEAT_ENOSPC : LEAT_EIO;", "    return LEAT_OK;"),
    # mode server
    "own_layer_is_below": ("layers.c", "depth != NBD_DEPTH_OWN);", "true);"),
    "own_zeros_are_below": (
        "layers.c", "(flags & (NBD_STATE_HOLE | NBD_STATE_ZERO)) == NBD_STATE_HOLE", "flags & NBD_STATE_HOLE"),
    "written_blocks_are_below": ("wlog.c", "    layers_written(e, r->offset, r->length);\n", ""),
    "written_blocks_marked_late": (
        "layers.c", "    struct layers *l = &e->layers;\n    if (!l->span_count || !length)\n        return;",
        "    static uint64_t last_offset, last_length;\n    uint64_t this_offset = offset, this_length = length;\n"
        "    struct layers *l = &e->layers;\n    offset = last_offset; length = last_length;\n"
        "    last_offset = this_offset; last_length = this_length;\n"
        "    if (!l->span_count || !length || offset + length > e->identity.size_bytes)\n        return;"),
    "old_answer_hides_a_write": ("layers.c", "        blockmap_keep(&l->below, &l->free, first, last);\n", ""),
    "partly_own_block_is_below": (
        "layers.c", "uint64_t first = (q->from + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;",
        "uint64_t first = q->from / CACHE_BLOCK_BYTES;"),
    "below_before_it_is_known": ("layers.c", "return is_asked ? LAYERS_ASKED : LAYERS_BELOW;", "return LAYERS_BELOW;"),
    # mode ram with a store
    "page_leaves_under_a_read": ("spill.c", "bool is_stored = status == STORE_OK && !is_being_read(l->disk, p->page.number);",
                                 "bool is_stored = status == STORE_OK;"),
    "changed_page_leaves": ("overlay.c", "is_unchanged = !(leaf->marks[i] & MARK_NEW);", "is_unchanged = true;"),
    "discard_shows_what_was_spilled": ("overlay.c", "leaf->held[i] = has_below ? p.mask : 0;", "leaf->held[i] = 0;"),
    "page_that_was_not_stored_leaves": (
        "spill.c", "bool is_stored = status == STORE_OK && !is_being", "bool is_stored = !is_being"),
    "deadline_of_what_is_at_the_store": (
        "disk.c", "        when = is_waiting && end < when ? end : when;", "        when = end < when ? end : when;",
        1000001),
    "hole_asked_of_the_server_whole": ("fetch.c", "uint32_t most = most_blocks(e, CACHE_DEMAND, false); /* refuted",
                                       "uint32_t most = FETCH_BLOCKS; /* refuted", 3001),
    # the local cache
    "damaged_cache_served": (
        "local_cache.c", "if (status == STORE_OK && is_whole(e, f) && e->link != LINK_FAILED) {", "if (true) {"),
}

if __name__ == "__main__":
    full = {name: ("vdisk/" + file, *rest) for name, (file, *rest) in MUTATIONS.items()}
    sys.exit(mutations.Harness("vdisk-mutations", SOURCES, SEEDS, full).main())
