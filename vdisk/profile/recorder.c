// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/profile/recorder.h"

#include <string.h>

void recorder_start(struct recorder *r, uint64_t size_bytes, uint64_t quiet_ns)
{
    recorder_free(r);
    r->is_on = true;
    r->quiet_ns = quiet_ns;
    r->boot.size_bytes = size_bytes;
    r->boot.boots = 1;
}

void recorder_note(struct recorder *r, uint64_t first, uint64_t last, uint64_t now_ns)
{
    if (!r->start_ns)
        r->start_ns = r->last_new_ns = now_ns;
    uint64_t ms = (now_ns - r->start_ns) / 1000000;
    for (uint64_t block = first; block <= last; block++) {
        int was = blockset_add(&r->seen, block);
        if (was == 1)
            continue;
        r->last_new_ns = now_ns;
        if (was < 0 || ms > PROFILE_MAX_MS ||
            !profile_add(&r->boot, block, 1, (uint32_t)ms, 1)) { /* enough for any boot */
            recorder_stop(r);
            return;
        }
    }
}

uint64_t recorder_deadline(const struct recorder *r)
{
    return r->is_on && r->start_ns ? r->last_new_ns + r->quiet_ns : UINT64_MAX;
}

void recorder_stop(struct recorder *r)
{
    r->is_on = false;
    blockset_free(&r->seen);
}

void recorder_free(struct recorder *r)
{
    blockset_free(&r->seen);
    profile_free(&r->boot);
    memset(r, 0, sizeof *r);
}
