// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/local_disk.h"

#include <stdio.h>
#include <string.h>

#include "lib/channel.h"
#include "lib/log.h"
#include "vdisk/service/config.h"
#include "vdisk/service/store_start.h"

static struct {
    struct leat_loop *loop;
    leat_loop_fn woken;
    struct leat_start_entry entry; /* zeroed, but for the cookie: there is no channel */
    struct store_platform platform;
    struct store_disk disk;
    struct store_start start;
    bool has_disk, is_decided;
    bool is_away; /* nothing is done until another storage service has the same disk */
} local;

static void signal_storage(void *ctx)
{
    leat_signal_peer(ctx);
}

static void submit(void *ctx, struct store_io *io)
{
    store_disk_submit(ctx, io);
}

static enum store_rule rule_arg(void)
{
    char text[8];
    if (!leat_start_arg("store.format", text, sizeof text) || !strcmp(text, "empty"))
        return STORE_RULE_EMPTY;
    return strcmp(text, "yes") ? STORE_RULE_NO : STORE_RULE_YES;
}

void local_disk_begin(struct leat_loop *loop, leat_loop_fn woken,
                      const struct store_platform *clock)
{
    const struct leat_start_entry *entry = leat_start_find("store", NULL);
    char text[32];
    uint64_t memory = 0;
    local.is_decided = true;
    if (!entry)
        return;
    if (entry->size < sizeof(struct leat_blk_channel) ||
        !leat_start_arg("store.memory", text, sizeof text) ||
        !parse_number(text, UINT64_MAX, &memory) ||
        leat_loop_on(loop, entry->my_bits, woken, NULL) != LEAT_OK) {
        leat_log("the local disk is not used: its channel or store.memory= makes no sense");
        return;
    }
    local.loop = loop;
    local.woken = woken;
    local.entry = *entry;
    local.platform = *clock;
    local.platform.ctx = &local.disk;
    local.platform.submit = submit;
    store_disk_begin(&local.disk, (void *)entry->va, signal_storage, &local.entry);
    store_start_begin(&local.start, &local.disk, &local.platform, memory, rule_arg());
    local.has_disk = true;
    local.is_decided = false;
}

void local_disk_run(void)
{
    if (!local.has_disk)
        return;
    store_disk_run(&local.disk);
    if (local.is_away && (local.disk.is_ready || local.disk.is_gone)) {
        local.is_away = false;
        leat_log(local.disk.is_ready ? "the local disk is there again"
                                     : "the local disk is another one than before: not used");
    }
    if (!local.is_decided)
        local.is_decided = store_start_run(&local.start);
}

bool local_disk_is_decided(void)
{
    return local.is_decided;
}

struct store *local_disk_store(void)
{
    return local.is_decided ? local.start.store : NULL;
}

bool local_disk_has_moved(void)
{
    return local.has_disk && local.disk.is_touched;
}

void local_disk_flush(void)
{
    if (local.has_disk)
        store_disk_flush(&local.disk);
}

bool local_disk_may_sleep(void)
{
    return !local.has_disk || store_disk_may_sleep(&local.disk);
}

bool local_disk_detach(uint64_t cookie, bool comes_again)
{
    if (!local.has_disk || local.entry.arg[0] != cookie)
        return false;
    if (comes_again)
        store_disk_pause(&local.disk);
    else
        store_disk_lose(&local.disk);
    local.is_away = comes_again;
    leat_log(comes_again ? "the local disk is away: what needs it waits"
                         : "the local disk is gone: nothing is written to it any more");
    leat_loop_off(local.loop, local.entry.my_bits);
    leat_channel_release(&local.entry);
    local.entry = (struct leat_start_entry){.arg = {cookie}};
    return true;
}

bool local_disk_attach(const struct leat_start_entry *entry)
{
    if (!local.is_away || local.entry.va)
        return false;
    if (entry->size < sizeof(struct leat_blk_channel) ||
        leat_loop_on(local.loop, entry->my_bits, local.woken, NULL) != LEAT_OK) {
        leat_log("the local disk's new channel makes no sense: nothing is written to it any more");
        local.is_away = false; /* no other one is sent, and what waits must not wait for it */
        store_disk_lose(&local.disk);
        return false;
    }
    local.entry = *entry;
    store_disk_resume(&local.disk, (void *)entry->va);
    return true;
}

size_t local_disk_line(char *line, size_t size)
{
    struct store_info info;
    if (!local_disk_store())
        return 0;
    store_get_info(local_disk_store(), &info);
    uint64_t used = info.image_blocks + info.other_blocks;
    int length =
        snprintf(line, size,
                 "local store: %llu of %llu MiB used, %llu MiB of images; written %llu MiB, "
                 "damaged blocks %llu, errors %llu%s%s%s",
                 (unsigned long long)used * STORE_BLOCK_BYTES >> 20,
                 (unsigned long long)info.blocks * STORE_BLOCK_BYTES >> 20,
                 (unsigned long long)info.image_blocks * STORE_BLOCK_BYTES >> 20,
                 (unsigned long long)info.device_written_bytes >> 20,
                 (unsigned long long)info.damaged_blocks, (unsigned long long)info.io_errors,
                 local.is_away ? "; away: what needs it waits" : "",
                 info.failure ? "; no more writes: " : "", info.failure ? info.failure : "");
    return length < (int)size ? (size_t)length : size - 1;
}
