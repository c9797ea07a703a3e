// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/composed.h"

#include <stdio.h>
#include <string.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

static void below_changed(void *owner)
{
    struct vdisk_disk *d = owner;
    d->changed(d->owner);
}

/* The shared image as a disk: it counts for the same tenant, but no limit does, since each of its reads is
 * one of the disk's. */
static void configure_below(struct vdisk_config *c)
{
    if (!c->tenant[0])
        memcpy(c->tenant, c->name, sizeof c->tenant);
    snprintf(c->name + strnlen(c->name, sizeof c->name - 16), 16, " (shared image)");
    c->mode = VDISK_PRIVATE;
    c->is_read_only = true;
    c->rates = (struct limit_rates){0, 0};
}

/* The client's export: nobody keeps blocks of it, or a profile. */
static void configure_above(struct vdisk_config *c)
{
    memcpy(c->export_name, c->client_export, sizeof c->export_name);
    if (c->client_count) {
        memcpy(c->host, c->client_servers[0].host, sizeof c->host);
        c->port = c->client_servers[0].port;
        memcpy(c->more, c->client_servers + 1, sizeof c->more);
        c->more_count = c->client_count - 1;
    }
    c->has_content = c->is_profiled = false;
}

bool composed_attach(struct vdisk *v, struct vdisk_disk *d)
{
    struct vdisk_config below = d->config;
    if (d->config.is_read_only)
        d->refusal = "mode=server is for disks that are written: take read_only out, or use "
                     "mode=private";
    d->config.has_root =
        false; /* of the shared image alone: what the client has written has no hashes */
    configure_below(&below);
    configure_above(&d->config);
    d->below = vdisk_attach(v, &below, below_changed, d);
    if (!d->below)
        return false;
    d->below->above = d;
    if (!d->refusal)
        d->refusal = d->below->refusal;
    return true;
}

void composed_detach(struct vdisk_disk *d)
{
    vdisk_detach(d->below);
}

static void refuse(struct vdisk_disk *d, const char *why)
{
    snprintf(d->why, sizeof d->why, "%s", why);
    d->refusal = d->why;
    d->export->has_changed = true;
    vdisk_log(d->export->engine, "disk '%s': failed: %s", d->config.name, d->why);
}

/* False: a sample that lies below the client's layer is not what the shared image has there. */
static bool is_equal(struct vdisk_export *above, const struct vdisk_export *below, uint32_t i,
                     uint64_t *offset)
{
    uint64_t its_offset, sum, its_sum;
    if (!identity_sample(above, i, offset, &sum) ||
        !identity_sample(below, i, &its_offset, &its_sum) || *offset != its_offset)
        return true;
    uint64_t left = above->identity.size_bytes - *offset;
    uint64_t length = left < CACHE_BLOCK_BYTES ? left : CACHE_BLOCK_BYTES;
    return layers_where(above, *offset, length) != LAYERS_BELOW || sum == its_sum;
}

void composed_compare(struct vdisk_disk *d)
{
    struct vdisk_export *above = d->export, *below = d->below->export;
    char why[sizeof d->why];
    uint64_t offset;
    for (uint32_t i = 0; i < IDENTITY_SAMPLES && !d->refusal; i++) {
        if (is_equal(above, below, i, &offset))
            continue;
        snprintf(why, sizeof why,
                 "the client's export '%.63s' is no layer over the shared export '%.63s': at byte "
                 "%llu, which is not in the layer, they differ; share the image that it lies on",
                 above->shown, below->shown, (unsigned long long)offset);
        refuse(d, why);
    }
}

/* Or its server, which is there, could not give them. */
static bool has_samples(const struct vdisk_export *e)
{
    uint8_t content[CONTENT_BYTES];
    return !e->content.wanted && (e->link == LINK_UP || identity_content(e, content));
}

void composed_join(struct vdisk_disk *d)
{
    struct vdisk_export *above = d->export, *below = d->below->export;
    char why[sizeof d->why];
    if (d->is_joined || d->refusal || !above->has_begun || !below->has_begun ||
        above->link != LINK_UP || above->content.wanted || !has_samples(below))
        return;
    if (above->identity.size_bytes != below->identity.size_bytes) {
        snprintf(why, sizeof why,
                 "the client's export '%.63s' has %llu bytes and the shared export '%.63s' has "
                 "%llu: make the client's layer as large as the image",
                 above->shown, (unsigned long long)above->identity.size_bytes, below->shown,
                 (unsigned long long)below->identity.size_bytes);
        refuse(d, why);
    } else if (above->identity.flags & NBD_FLAG_READ_ONLY) {
        snprintf(why, sizeof why,
                 "the client's export '%.63s' over the shared export '%.63s' is read-only: let the "
                 "server export it writable, or use mode=ram",
                 above->shown, below->shown);
        refuse(d, why);
    } else if (d->below->config.has_root && below->block_size > above->block_size) {
        snprintf(why, sizeof why,
                 "the shared export '%.63s' is read in blocks of %u bytes, the client's '%.63s' of "
                 "%u, so that smaller reads could not be verified: let the client's server have "
                 "blocks as large",
                 below->shown, below->block_size, above->shown, above->block_size);
        refuse(d, why);
    } else {
        composed_compare(d);
    }
    d->is_joined = !d->refusal;
    above->has_changed = true;
    const struct nbd_export *x = &above->session.handshake.result;
    if (d->is_joined && !(above->layers.by_holes ? x->has_block_status : x->has_depth))
        vdisk_log(above->engine,
                  "disk '%s': the server does not say what of export '%.63s' is of the shared "
                  "image (%s): all is read from it, and nothing is shared",
                  d->config.name, above->shown,
                  above->layers.by_holes ? NBD_BASE_ALLOCATION : NBD_ALLOCATION_DEPTH);
}

void composed_counters(const struct vdisk_disk *d, struct vdisk_counters *counters)
{
    *counters = d->counters;
    if (!d->below)
        return;
    counters->ram_bytes += d->below->counters.ram_bytes;
    counters->disk_bytes += d->below->counters.disk_bytes;
    counters->network_bytes += d->below->counters.network_bytes;
    counters->hole_bytes += d->below->counters.hole_bytes;
}
