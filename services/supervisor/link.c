// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/link.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "lib/sys.h"

void link_name(struct leat_start_entry *entry, const char *role, const char *name)
{
    snprintf(entry->role, sizeof(entry->role), "%s", role);
    snprintf(entry->name, sizeof(entry->name), "%s", name);
}

/* The view of one side: mapped there, with the right to signal the other. */
static bool fill_side(struct process *side, uint64_t my_bits, struct process *other,
                      uint64_t peer_bits, leat_handle_t mem, uint64_t size,
                      struct leat_start_entry *entry)
{
    int64_t peer = leat_handle_grant(side->domain, other->notif, LEAT_RIGHT_SIGNAL);

    entry->va = process_map(side, mem, size, LEAT_PROT_READ | LEAT_PROT_WRITE);
    entry->size = size;
    entry->peer = peer > 0 ? (uint32_t)peer : 0;
    entry->peer_bits = peer_bits;
    entry->my_bits = my_bits;
    return peer > 0 && entry->va != 0;
}

/* One side, which may be a service that lives on, has nothing of it. The right to signal stays: it can do no harm. */
static void undo_side(struct process *side, uint64_t bits, struct leat_start_entry *entry)
{
    process_return_bits(side, bits);
    if (entry->va != 0) {
        leat_mem_unmap(side->domain, entry->va, entry->size);
        entry->va = 0;
    }
}

int link_processes(struct process *a, uint64_t bits_a, struct leat_start_entry *entry_a,
                   struct process *b, uint64_t bits_b, struct leat_start_entry *entry_b,
                   uint64_t size)
{
    uint64_t rounded = (size + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
    int64_t mem = leat_mem_create(rounded, 0);
    uint64_t taken_a = bits_a == 0 ? process_take_bit(a) : 0;
    uint64_t taken_b = bits_b == 0 ? process_take_bit(b) : 0;
    bool is_done;

    bits_a |= taken_a;
    bits_b |= taken_b;
    entry_a->va = entry_b->va = 0;
    is_done = mem > 0 && bits_a != 0 && bits_b != 0 &&
              fill_side(a, bits_a, b, bits_b, (leat_handle_t)mem, rounded, entry_a) &&
              fill_side(b, bits_b, a, bits_a, (leat_handle_t)mem, rounded, entry_b);
    if (mem > 0) {
        leat_handle_close((leat_handle_t)mem); /* the mappings keep it */
    }
    if (!is_done) {
        leat_log("no channel between '%s' and '%s': %s", a->name, b->name,
                 mem <= 0 ? "no memory left" : "too many channels, or a quota is used up");
        undo_side(a, taken_a, entry_a);
        undo_side(b, taken_b, entry_b);
        return LEAT_ENOMEM;
    }
    return LEAT_OK;
}

int link_deliver(struct process *process, const struct leat_start_entry *entry, uint64_t cookie)
{
    struct leat_ctl message = {.op = LEAT_CTL_ATTACH, .arg = {cookie}, .entry = *entry};

    if (process->start != NULL) {
        struct leat_start_entry *slot = process_entry(process, entry->role, entry->name);

        if (slot == NULL) {
            return LEAT_ENOMEM;
        }
        *slot = *entry;
        return LEAT_OK;
    }
    return process_send(process, &message);
}

uint64_t link_cookie(void)
{
    static uint64_t last;

    return ++last;
}
