// SPDX-License-Identifier: BSD-2-Clause
/* What a disk says about itself: for its client, and for people. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vdisk/engine.h"

static size_t written(int n, size_t size)
{
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

/* "2.0 GiB"; no floating point in ring 3's printf. */
static void size_text(uint64_t bytes, char *to, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    unsigned unit = 0;
    uint64_t tenths = bytes * 10;
    if (bytes > UINT64_MAX / 10)
        tenths = UINT64_MAX;
    while (tenths >= 10240 && unit < 5) {
        tenths /= 1024;
        unit++;
    }
    snprintf(to, size, "%u.%u %s", (unsigned)(tenths / 10), (unsigned)(tenths % 10), units[unit]);
}

/* In mode server: of the client's export. */
static uint32_t own_state(const struct vdisk_disk *d)
{
    const struct vdisk_export *e = d->export;
    if (d->refusal || e->link == LINK_FAILED)
        return LEAT_BLK_FAILED;
    if (!e->was_up || (!d->below && disk_is_opening(d)))
        return LEAT_BLK_CONNECTING;
    return e->link == LINK_UP && !verify_trouble(e) ? LEAT_BLK_READY : LEAT_BLK_STALLED;
}

/* The disk is as well off as the worse of its two exports. */
static bool is_trouble_below(const struct vdisk_disk *d)
{
    static const unsigned ranks[] = {[LEAT_BLK_READY] = 0,
                                     [LEAT_BLK_STALLED] = 1,
                                     [LEAT_BLK_CONNECTING] = 2,
                                     [LEAT_BLK_FAILED] = 3};
    return d->below && ranks[own_state(d->below)] > ranks[own_state(d)];
}

static uint32_t state_of(const struct vdisk_disk *d)
{
    if (is_trouble_below(d))
        return own_state(d->below);
    uint32_t state = own_state(d);
    return state == LEAT_BLK_READY && disk_is_opening(d) ? LEAT_BLK_CONNECTING : state;
}

/* The line without the disk's name. */
static size_t state_text(const struct vdisk_disk *d, char *to, size_t size)
{
    const struct vdisk_export *e = d->export;
    char number[24];
    size_t n;
    if (is_trouble_below(d)) {
        n = written(snprintf(to, size, "shared image: "), size);
        return n + state_text(d->below, to + n, size - n);
    }
    switch (state_of(d)) {
    case LEAT_BLK_FAILED:
        return written(snprintf(to, size, "failed: %s", d->refusal ? d->refusal : e->why), size);
    case LEAT_BLK_CONNECTING:
        if (e->was_up && d->diff && d->diff->waits_for)
            return written(snprintf(to, size, "waits for %s", d->diff->waits_for), size);
        return written(snprintf(to, size, "connecting to %s:%u export '%s', try %u%s%s", e->host,
                                e->port, e->shown, (unsigned)e->tries, e->why[0] ? ": " : "",
                                e->why),
                       size);
    case LEAT_BLK_STALLED:
        if (e->link == LINK_UP)
            return written(snprintf(to, size, "%s; %u requests wait", verify_trouble(e),
                                    (unsigned)d->counters.waiting),
                           size);
        return written(
            snprintf(to, size, "server away for %llu s, %u requests wait; try %u%s%s",
                     (unsigned long long)((e->engine->now_ns - e->away_since_ns) / SECOND_NS),
                     (unsigned)d->counters.waiting, (unsigned)e->tries, e->why[0] ? ": " : "",
                     e->why),
            size);
    default:
        size_text(e->identity.size_bytes, number, sizeof number);
        n = written(snprintf(to, size, "ready, %s", number), size);
        if (!d->diff || !d->diff->object)
            return n;
        size_text(store_object_bytes(d->diff->object), number, sizeof number);
        return n + written(snprintf(to + n, size - n, ", %s of it in the local store%s", number,
                                    diff_trouble(d->diff)),
                           size - n);
    }
}

size_t vdisk_status_line(const struct vdisk_disk *d, char *line, size_t size)
{
    size_t n = written(snprintf(line, size, "disk '%s': ", d->config.name), size);
    return n + state_text(d, line + n, size - n);
}

void vdisk_info(const struct vdisk_disk *d, struct leat_blk_info *info)
{
    const struct vdisk_export *e = d->export;
    memset(info, 0, sizeof *info);
    info->state = state_of(d);
    if (info->state != LEAT_BLK_READY)
        state_text(d, info->why, sizeof info->why);
    if (!e->was_up || disk_is_opening(d))
        return;
    info->size_bytes = e->identity.size_bytes;
    info->block_size = e->block_size;
    info->optimal_size = e->identity.preferred_block > CACHE_BLOCK_BYTES
                             ? e->identity.preferred_block
                             : CACHE_BLOCK_BYTES;
    info->features = disk_features(d);
}

static const char *mode_text(enum vdisk_mode mode)
{
    static const char *const names[] = {[VDISK_PRIVATE] = "private",
                                        [VDISK_RAM] = "ram",
                                        [VDISK_LOCAL] = "local",
                                        [VDISK_SERVER] = "server"};
    return names[mode];
}

size_t vdisk_query_line(const struct vdisk_disk *d, char *line, size_t size)
{
    const struct vdisk_export *e = d->export;
    size_t n = vdisk_status_line(d, line, size);
    if (state_of(d) == LEAT_BLK_CONNECTING) /* says already where to */
        return n;
    n += written(snprintf(line + n, size - n, "; %s, %s:%u/%s", mode_text(d->config.mode), e->host,
                          e->port, e->shown),
                 size - n);
    if (!d->below)
        return n;
    e = d->below->export;
    return n + written(snprintf(line + n, size - n, " over %s:%u/%s", e->host, e->port, e->shown),
                       size - n);
}

size_t vdisk_traffic_line(const struct vdisk_disk *d, char *line, size_t size)
{
    const struct vdisk_export *streamed = d->below ? d->below->export : d->export;
    struct vdisk_counters sum;
    const struct vdisk_counters *c = &sum;
    composed_counters(d, &sum);
    const struct {
        const char *what;
        uint64_t count;
    } counts[] = {
        {"KiB read from RAM", c->ram_bytes >> 10},
        {"KiB from the local disk", c->disk_bytes >> 10},
        {"KiB from the server", c->network_bytes >> 10},
        {"KiB of holes", c->hole_bytes >> 10},
        {d->config.mode == VDISK_LOCAL ? "KiB from the difference" : "KiB from the overlay",
         c->overlay_bytes >> 10},
        {"KiB written", c->written_bytes >> 10},
        {"KiB in the overlay", d->overlay.used_bytes >> 10},
        {"requests", c->requests},
        {"errors", c->errors},
        {"waiting", c->waiting},
        {"held back by limits", c->held},
        {"connects", d->export->connects},
        {"connects to the shared image", d->below ? streamed->connects : 0},
        {"KiB from the client's export", d->below ? d->counters.network_bytes >> 10 : 0},
        {"KiB ahead by the boot profile", streamed->source_bytes[CACHE_PROFILE] >> 10},
        {"KiB of that used", streamed->used_bytes[CACHE_PROFILE] >> 10},
    };
    size_t n = written(snprintf(line, size, "  "), size);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (counts[i].count)
            n += written(snprintf(line + n, size - n, "%s%llu %s", n > 2 ? ", " : "",
                                  (unsigned long long)counts[i].count, counts[i].what),
                         size - n);
    return n;
}

/* Adds ", TEXT", without the comma at the line's beginning. */
__attribute__((format(printf, 4, 5))) static void add(char *line, size_t size, size_t *used,
                                                      const char *fmt, ...)
{
    va_list args;
    if (*used > 2)
        *used += written(snprintf(line + *used, size - *used, ", "), size - *used);
    va_start(args, fmt);
    *used += written(vsnprintf(line + *used, size - *used, fmt, args), size - *used);
    va_end(args);
}

size_t vdisk_speed_line(const struct vdisk_disk *d, char *line, size_t size)
{
    struct vdisk_figures f;
    size_t n = written(snprintf(line, size, "  "), size);
    vdisk_figures_of(d, &f);
    if (f.profile_bytes)
        add(line, size, &n, "%llu of %llu KiB of the boot profile are there",
            (unsigned long long)f.profile_there >> 10, (unsigned long long)f.profile_bytes >> 10);
    if (f.stall_ns >= 1000000)
        add(line, size, &n, "waited for %llu ms", (unsigned long long)f.stall_ns / 1000000);
    if (f.all_us)
        add(line, size, &n, "requests below %llu us (50%%), %llu us (99%%), %llu us (all)",
            (unsigned long long)f.half_us, (unsigned long long)f.most_us,
            (unsigned long long)f.all_us);
    if (f.rtt_ns)
        add(line, size, &n, "round trip %llu us", (unsigned long long)f.rtt_ns / 1000);
    if (f.link_rate)
        add(line, size, &n, "link %llu KiB/s", (unsigned long long)f.link_rate >> 10);
    return n;
}

void vdisk_counters_of(const struct vdisk_disk *d, struct vdisk_counters *counters)
{
    composed_counters(d, counters);
}

const struct vdisk_config *vdisk_config_of(const struct vdisk_disk *d)
{
    return d->below ? &d->below->config : &d->config;
}
