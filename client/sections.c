// SPDX-License-Identifier: BSD-2-Clause
#include "client/sections.h"

#include <string.h>

#include "client/value.h"

#define FALLBACK_BYTES 200u /* of the value in leat.conf, with its NUL */

void sections_file_name(const struct client_disk *disk, const char *what,
                        char name[LEAT_CLIENT_FILE])
{
    struct text text;
    text_begin(&text, name, LEAT_CLIENT_FILE);
    text_put(&text, disk->name);
    text_put(&text, ".");
    text_put(&text, what);
}

/* The last place before a value becomes configuration: whatever was checked before, it stays one value of one key. */
static void put_value(struct text *text, const char *key, const char *value)
{
    if (!*value)
        return;
    if (!value_is_text(value, CLIENT_CMDLINE)) {
        text->is_cut = true;
        return;
    }
    text_put(text, key);
    text_put(text, " = ");
    text_put(text, value);
    text_put(text, "\n");
}

static void put_count(struct text *text, const char *key, uint64_t number, const char *unit)
{
    if (!number)
        return;
    text_put(text, key);
    text_put(text, " = ");
    text_put_number(text, number);
    text_put(text, unit);
    text_put(text, "\n");
}

static void put_header(struct text *text, const char *kind, const char *name)
{
    text_put(text, "\n[");
    text_put(text, kind);
    text_put(text, name);
    text_put(text, "]\n");
}

/* Other servers of the same images, as many as the value holds. */
static void put_fallback(struct text *text, const struct client_hello *hello)
{
    char bytes[FALLBACK_BYTES];
    struct text list;
    size_t whole = 0;
    text_begin(&list, bytes, sizeof bytes);
    for (unsigned i = 1; i < hello->server_count; i++) {
        text_put(&list, whole ? ", " : "");
        text_put(&list, hello->servers[i].host);
        text_put(&list, ":");
        text_put_number(&list, hello->servers[i].port);
        whole = list.is_cut ? whole : list.used;
    }
    bytes[whole] = 0;
    put_value(text, "fallback", bytes);
}

static void put_mode(struct text *text, const struct client_disk *disk)
{
    static const char *const words[] = {
        [CLIENT_READ_ONLY] = "private", [CLIENT_RAM] = "ram",      [CLIENT_LOCAL] = "local",
        [CLIENT_PRIVATE] = "private",   [CLIENT_LAYER] = "server",
    };
    bool is_layer = disk->mode == CLIENT_LAYER;
    put_value(text, "export", is_layer ? disk->base : disk->export_name);
    put_value(text, "mode", words[disk->mode]);
    if (disk->mode == CLIENT_READ_ONLY)
        put_value(text, "read_only", "yes");
    if (is_layer) {
        put_value(text, "client_export", disk->export_name);
        put_value(text, "client_layer", "holes"); /* what nbdkit's plugin tells of a difference */
    }
}

/* vdisk/verity/verity.h: HASH:BLOCKS, and :ALL for a disk that is larger than its image. */
static void put_tree(struct text *text, const struct client_disk *disk)
{
    char bytes[128];
    struct text root;
    text_begin(&root, bytes, sizeof bytes);
    text_put_number(text_put(text_put(&root, disk->root_hash), ":"), disk->root_blocks);
    if (disk->blocks > disk->root_blocks)
        text_put_number(text_put(&root, ":"), disk->blocks);
    put_value(text, "root_hash", bytes);
    put_value(text, "hash_export", disk->tree);
}

static void put_disk(struct text *text, const struct client_hello *hello,
                     const struct sections_disk *one)
{
    const struct client_disk *disk = one->disk;
    put_header(text, "disk ", disk->name);
    put_mode(text, disk);
    put_fallback(text, hello);
    if (disk->tree[0]) /* its root hash is its content id */
        put_tree(text, disk);
    else if (disk->mode != CLIENT_PRIVATE) /* or its export has what was written to it */
        put_value(text, "content", disk->content);
    put_count(text, "iops", disk->iops, "");
    put_count(text, "bandwidth", disk->bandwidth, "");
    put_value(text, "profile_file", one->profile);
}

static void put_vm(struct text *text, const struct sections_disk *one)
{
    const struct client_disk *disk = one->disk;
    put_header(text, "vm ", disk->name);
    put_count(text, "memory", disk->memory_mib, "M");
    put_count(text, "cpus", disk->cpus, "");
    put_value(text, "kernel", one->kernel);
    put_value(text, "initrd", one->initrd);
    put_value(text, "cmdline", disk->cmdline);
    put_value(text, "disks", disk->name);
}

bool sections_put(struct text *text, const struct client_hello *hello, const char *psk,
                  const struct sections_disk *disks, unsigned count)
{
    put_header(text, "server", "");
    put_value(text, "address", hello->servers[0].host);
    put_count(text, "port", hello->servers[0].port, "");
    put_value(text, "tls_psk", psk);
    for (unsigned i = 0; i < count; i++) {
        put_disk(text, hello, &disks[i]);
        put_vm(text, &disks[i]);
    }
    return !text->is_cut;
}
