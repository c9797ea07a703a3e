// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/profiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 64u

static struct kept {
    struct vdisk_config of;
    void *data; /* NULL: free */
    size_t size;
    uint64_t number; /* counts up: the smallest is the oldest */
    char name[64];   /* of a disk of it */
    bool is_sent;
} places[PLACES];
static size_t all_bytes;

bool profiles_same_image(const struct vdisk_config *a, const struct vdisk_config *b)
{
    return a->port == b->port && a->tls == b->tls && !strcmp(a->host, b->host) &&
           !strcmp(a->export_name, b->export_name);
}

static struct kept *find(const struct vdisk_config *config)
{
    for (unsigned i = 0; i < PLACES; i++)
        if (places[i].data && profiles_same_image(&places[i].of, config))
            return &places[i];
    return NULL;
}

static void forget(struct kept *k)
{
    all_bytes -= k->size;
    free(k->data);
    k->data = NULL;
    k->size = 0;
}

/* Of those in use; is_free_good: a free one, if there is one. */
static struct kept *oldest(bool is_free_good)
{
    struct kept *found = places;
    for (unsigned i = 0; i < PLACES; i++) {
        struct kept *k = &places[i];
        if (!k->data && is_free_good)
            return k;
        if (k->data && (!found->data || k->number < found->number))
            found = k;
    }
    return found;
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

void profiles_keep(struct vdisk_disk *disk, const char *name)
{
    static uint64_t count;
    void *data;
    size_t size = vdisk_profile_take(disk, &data);
    if (!size)
        return;
    if (size > PROFILES_BYTES) {
        free(data);
        return;
    }
    struct kept *k = find(vdisk_config_of(disk));
    if (k)
        forget(k);
    while (all_bytes + size > PROFILES_BYTES)
        forget(oldest(false));
    k = oldest(true);
    if (k->data)
        forget(k);
    *k = (struct kept){.of = *vdisk_config_of(disk), .data = data, .size = size, .number = ++count};
    snprintf(k->name, sizeof k->name, "%s", name);
    all_bytes += size;
}

void profiles_end(struct vdisk_disk *disk, const char *name)
{
    vdisk_profile_end(disk);
    profiles_keep(disk, name);
}

static struct kept *oldest_unsent(void)
{
    struct kept *found = NULL;
    for (unsigned i = 0; i < PLACES; i++) {
        struct kept *k = &places[i];
        if (k->data && !k->is_sent && (!found || k->number < found->number))
            found = k;
    }
    return found;
}

size_t profiles_unsent(void *data, size_t size, const char **name)
{
    struct kept *k;
    while ((k = oldest_unsent()) != NULL) {
        k->is_sent = true;
        if (k->size > size)
            continue;
        memcpy(data, k->data, k->size);
        *name = k->name;
        return k->size;
    }
    return 0;
}
