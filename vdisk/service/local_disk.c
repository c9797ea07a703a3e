// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/local_disk.h"

#include <stdio.h>
#include <string.h>

#include "lib/channel.h"
#include "lib/log.h"
#include "lib/start.h"
#include "vdisk/service/config.h"
#include "vdisk/service/store_start.h"

static struct {
    struct leat_start_entry entry;
    struct store_platform platform;
    struct store_disk disk;
    struct store_start start;
    bool has_disk, is_decided;
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

void local_disk_flush(void)
{
    if (local.has_disk)
        store_disk_flush(&local.disk);
}

bool local_disk_may_sleep(void)
{
    return !local.has_disk || store_disk_may_sleep(&local.disk);
}

bool local_disk_lose(uint64_t cookie)
{
    if (!local.has_disk || local.entry.arg[0] != cookie)
        return false;
    store_disk_lose(&local.disk);
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
                 "damaged blocks %llu, errors %llu%s%s",
                 (unsigned long long)used * STORE_BLOCK_BYTES >> 20,
                 (unsigned long long)info.blocks * STORE_BLOCK_BYTES >> 20,
                 (unsigned long long)info.image_blocks * STORE_BLOCK_BYTES >> 20,
                 (unsigned long long)info.device_written_bytes >> 20,
                 (unsigned long long)info.damaged_blocks, (unsigned long long)info.io_errors,
                 info.failure ? "; no more writes: " : "", info.failure ? info.failure : "");
    return length < (int)size ? (size_t)length : size - 1;
}
