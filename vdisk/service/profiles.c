// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/profiles.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    struct list node; /* in `all`, the newest first */
    struct vdisk_config of;
    void *data;
    size_t size;
};

static struct list all = {&all, &all};
static size_t all_bytes;

bool profiles_same_image(const struct vdisk_config *a, const struct vdisk_config *b)
{
    return a->port == b->port && a->tls == b->tls && !strcmp(a->host, b->host) &&
           !strcmp(a->export_name, b->export_name);
}

static struct kept *find(const struct vdisk_config *config)
{
    for (struct list *n = all.next; n != &all; n = n->next) {
        struct kept *k = LIST_ENTRY(n, struct kept, node);
        if (profiles_same_image(&k->of, config))
            return k;
    }
    return NULL;
}

static void forget(struct kept *k)
{
    list_remove(&k->node);
    all_bytes -= k->size;
    free(k->data);
    free(k);
}

const char *profiles_begin(struct vdisk_disk *disk, const void *file, size_t size)
{
    const struct kept *k = find(vdisk_config_of(disk));
    if (!vdisk_config_of(disk)->is_profiled)
        return NULL;
    if (k)
        return vdisk_profile_put(disk, k->data, k->size);
    return size ? vdisk_profile_suggest(disk, file, size) : NULL;
}

void profiles_keep(struct vdisk_disk *disk)
{
    void *data;
    size_t size = vdisk_profile_take(disk, &data);
    if (!size)
        return;
    struct kept *k = find(vdisk_config_of(disk));
    if (k)
        forget(k);
    while (!list_is_empty(&all) && all_bytes + size > PROFILES_BYTES)
        forget(LIST_ENTRY(all.prev, struct kept, node));
    k = calloc(1, sizeof *k);
    if (!k || size > PROFILES_BYTES) {
        free(k);
        free(data);
        return;
    }
    k->of = *vdisk_config_of(disk);
    k->data = data;
    k->size = size;
    all_bytes += size;
    list_push_front(&all, &k->node);
}

void profiles_end(struct vdisk_disk *disk)
{
    vdisk_profile_end(disk);
    profiles_keep(disk);
}
