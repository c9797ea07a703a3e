// SPDX-License-Identifier: BSD-2-Clause
#include "lib/channel.h"

#include "lib/sys.h"

void leat_channel_join(struct leat_channel_end *end, const struct leat_start_entry *entry,
                       size_t in_offset, uint32_t in_count, uint32_t in_entry_size,
                       size_t out_offset, uint32_t out_count, uint32_t out_entry_size)
{
    leat_ring_join(&end->in, (void *)(entry->va + in_offset), in_count, in_entry_size, false);
    leat_ring_join(&end->out, (void *)(entry->va + out_offset), out_count, out_entry_size, true);
    end->peer = entry->peer;
    end->peer_bits = entry->peer_bits;
}

void leat_signal_peer(const struct leat_start_entry *entry)
{
    if (entry->peer != 0) {
        leat_notif_signal(entry->peer, entry->peer_bits);
    }
}

void leat_channel_flush(struct leat_channel_end *end)
{
    bool wanted = leat_ring_must_signal(&end->out);

    wanted |= leat_ring_must_signal(&end->in);
    if (wanted && end->peer != 0) {
        leat_notif_signal(end->peer, end->peer_bits);
    }
}

bool leat_channel_may_sleep(struct leat_channel_end *end)
{
    return leat_ring_may_sleep(&end->in);
}

void leat_channel_release(const struct leat_start_entry *entry)
{
    if (entry->va != 0) {
        leat_mem_unmap(LEAT_SELF, entry->va, entry->size);
    }
    if (entry->handle != 0) {
        leat_handle_close(entry->handle);
    }
    if (entry->peer != 0) {
        leat_handle_close(entry->peer);
    }
}
