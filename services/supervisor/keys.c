// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/keys.h"

#include <string.h>

#include <leat/keys.h>
#include "lib/log.h"
#include "lib/map.h"
#include "lib/sys.h"
#include "services/supervisor/machine.h"

_Static_assert(LEAT_CONFIG_MAX_DISKS <= LEAT_KEY_SETS, "a set for each disk");

struct block {
    uint8_t *at; /* NULL: only measured */
    uint64_t used;
};

int keys_set_of(const struct leat_config *config, const struct leat_config_disk *disk)
{
    unsigned i = 0;

    if (!leat_config_has_keys(&disk->tls)) {
        return -1;
    }
    while (!leat_config_same_keys(&config->disks[i].tls, &disk->tls)) {
        i++;
    }
    return (int)i;
}

/* size: without a NUL, which the block's zeroed memory has. */
static void put(struct block *block, int set, enum leat_key_kind kind, const void *text,
                uint64_t size)
{
    struct leat_key key = {.set = (uint32_t)set, .kind = kind, .size = size + 1};

    if (block->at != NULL) {
        memcpy(block->at + block->used, &key, sizeof(key));
        memcpy(block->at + block->used + sizeof(key), text, size);
    }
    block->used += leat_key_stride(size + 1);
}

static void put_text(struct block *block, int set, enum leat_key_kind kind, const char *text)
{
    if (text[0] != 0) {
        put(block, set, kind, text, strlen(text));
    }
}

static void put_file(struct block *block, int set, enum leat_key_kind kind, const char *file)
{
    const struct leat_boot_module *module;
    const uint8_t *text;

    if (file[0] == 0) {
        return;
    }
    module = machine_module(LEAT_MODULE_KEY, file);
    text = module != NULL ? machine_module_map(module) : NULL;
    if (text == NULL) {
        put_text(block, set, LEAT_KEY_MISSING, file);
        return;
    }
    put(block, set, kind, text, module->size);
    machine_module_unmap(module, text);
}

static void put_end(struct block *block)
{
    const struct leat_key end = {.kind = LEAT_KEY_END};

    if (block->at != NULL) {
        memcpy(block->at + block->used, &end, sizeof(end));
    }
    block->used += sizeof(end);
}

/* What goes into a block; called twice, to measure and to fill. */
typedef void (*put_fn)(struct block *block, const void *what);

static void put_disks(struct block *block, const void *what)
{
    const struct leat_config *config = what;

    for (unsigned i = 0; i < config->disk_count; i++) {
        const struct leat_config_tls *tls = &config->disks[i].tls;

        if (keys_set_of(config, &config->disks[i]) != (int)i) {
            continue;
        }
        put_text(block, (int)i, LEAT_KEY_PSK, tls->psk);
        put_file(block, (int)i, LEAT_KEY_PSK, tls->psk_file);
        put_file(block, (int)i, LEAT_KEY_CA, tls->ca);
        put_file(block, (int)i, LEAT_KEY_CERTIFICATE, tls->certificate);
        put_file(block, (int)i, LEAT_KEY_PRIVATE, tls->key);
        put_text(block, (int)i, LEAT_KEY_SERVER_NAME, tls->server_name);
    }
    put_end(block);
}

static void put_psk(struct block *block, const void *what)
{
    put_text(block, 0, LEAT_KEY_PSK, what);
    put_end(block);
}

/* New memory, filled here and mapped there; here it is unmapped again. */
static uint64_t make(struct process *process, put_fn put_all, const void *what, uint64_t size)
{
    int64_t mem = leat_mem_create(size, 0);
    struct block block = {0};
    uint64_t va = 0;

    if (mem > 0) {
        block.at = leat_map((leat_handle_t)mem, 0, size, LEAT_PROT_READ | LEAT_PROT_WRITE);
    }
    if (block.at != NULL) {
        put_all(&block, what);
        leat_mem_unmap(LEAT_SELF, (uintptr_t)block.at, size);
        va = process_map(process, (leat_handle_t)mem, size, LEAT_PROT_READ | LEAT_PROT_WRITE);
    }
    if (mem > 0) {
        leat_handle_close((leat_handle_t)mem); /* the mapping keeps it */
    }
    return va;
}

static bool give(struct process *process, put_fn put_all, const void *what)
{
    struct block measure = {0};
    struct leat_start_entry *entry;

    put_all(&measure, what);
    if (measure.used == sizeof(struct leat_key)) {
        return true; /* there are none */
    }
    entry = process_entry(process, "keys", "");
    if (entry == NULL) {
        return false;
    }
    entry->size = (measure.used + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
    entry->va = make(process, put_all, what, entry->size);
    if (entry->va == 0) {
        leat_log("no memory for the TLS keys of '%s'", process->name);
    }
    return entry->va != 0;
}

bool keys_give(struct process *vdisk, const struct leat_config *config)
{
    return give(vdisk, put_disks, config);
}

bool keys_give_text(struct process *process, const char *psk)
{
    return give(process, put_psk, psk);
}

static void wipe_module(const struct leat_boot_module *module)
{
    uint64_t size = (module->size + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
    int64_t mem = machine_module_mem(module);
    void *at = NULL;

    if (mem > 0) {
        at = leat_map((leat_handle_t)mem, 0, size, LEAT_PROT_READ | LEAT_PROT_WRITE);
        leat_handle_close((leat_handle_t)mem);
    }
    if (at == NULL) {
        leat_log("'%.63s' cannot be wiped from memory", module->name);
        return;
    }
    memset(at, 0, size);
    leat_mem_unmap(LEAT_SELF, (uintptr_t)at, size);
}

void keys_wipe(struct leat_config *config)
{
    const struct leat_boot_info *info = machine_boot_info();

    leat_config_wipe_keys(config);
    for (uint32_t i = 0; i < info->module_count; i++) {
        const struct leat_boot_module *module = &info->modules[i];

        if (module->size != 0 &&
            (module->kind == LEAT_MODULE_KEY || module->kind == LEAT_MODULE_CONFIG)) {
            wipe_module(module);
        }
    }
}
