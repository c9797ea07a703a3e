// SPDX-License-Identifier: BSD-2-Clause
/* Life of the engine, its exports and its disks. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/engine.h"

#define WAITERS_A_CHUNK 128u

struct waiter_chunk {
    struct list node;
    struct waiter waiters[WAITERS_A_CHUNK];
};

struct vdisk *vdisk_create(const struct vdisk_platform *platform, const struct vdisk_limits *limits)
{
    struct vdisk *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->platform = platform;
    v->limits = *limits;
    list_init(&v->exports);
    list_init(&v->tenants);
    list_init(&v->differences);
    for (unsigned way = 0; way < SHARE_WAYS; way++)
        share_init(&v->share[way]);
    list_init(&v->waiter_chunks);
    if (!cache_init(&v->cache, limits->cache_bytes) || !local_queue_init(v)) {
        cache_free(&v->cache);
        free(v);
        return NULL;
    }
    v->now_ns = platform->now_ns(platform->ctx);
    return v;
}

static void free_export(struct vdisk_export *e)
{
    local_end(e, local_is_busy(&e->local)); /* busy: at vdisk_destroy, the store runs no more */
    link_close(e);
    fetch_fail_all(e);
    verify_detach(e);
    wlog_fail_all(e);
    cache_drop_export(&e->engine->cache, e->id);
    extents_free(e);
    layers_free(e);
    notes_free(e);
    identity_end(e);
    free(e->conns);
    list_remove(&e->node);
    stream_free(e);
    free(e);
}

void vdisk_destroy(struct vdisk *v)
{
    diff_end(v);
    notes_forget(v);
    while (!list_is_empty(&v->exports))
        free_export(LIST_ENTRY(v->exports.next, struct vdisk_export, node));
    struct list *node;
    while ((node = list_pop(&v->waiter_chunks)))
        free(LIST_ENTRY(node, struct waiter_chunk, node));
    local_queue_free(v);
    cache_free(&v->cache);
    free(v);
}

void vdisk_log(struct vdisk *v, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    v->platform->log(v->platform->ctx, line);
}

void export_log(struct vdisk_export *e, const char *line)
{
    if (list_is_empty(&e->disks))
        vdisk_log(e->engine, "%s:%u export '%s': %s", e->host, e->port, e->shown, line);
    for (struct list *n = e->disks.next; n != &e->disks; n = n->next)
        vdisk_log(e->engine, "disk '%s': %s", LIST_ENTRY(n, struct vdisk_disk, node)->config.name,
                  line);
}

bool export_is_written(const struct vdisk_export *e)
{
    for (const struct list *n = e->disks.next; n != &e->disks; n = n->next)
        if (disk_is_writer(LIST_ENTRY(n, struct vdisk_disk, node)))
            return true;
    return e->ack_counter || !wlog_is_drained(e);
}

struct waiter *waiter_get(struct vdisk *v)
{
    if (!v->waiter_free) {
        struct waiter_chunk *chunk = malloc(sizeof *chunk);
        if (!chunk)
            return NULL;
        list_push_back(&v->waiter_chunks, &chunk->node);
        for (uint32_t i = 0; i < WAITERS_A_CHUNK; i++)
            waiter_put(v, &chunk->waiters[i]);
    }
    struct waiter *w = v->waiter_free;
    v->waiter_free = w->next;
    return w;
}

void waiter_put(struct vdisk *v, struct waiter *w)
{
    w->request = NULL;
    w->next = v->waiter_free;
    v->waiter_free = w;
}

static struct vdisk_server server_of(const struct vdisk_config *config, uint32_t i)
{
    struct vdisk_server server = {.port = config->port};
    if (i > 0)
        return config->more[i - 1];
    snprintf(server.host, sizeof server.host, "%s", config->host);
    return server;
}

static bool has_servers(const struct vdisk_export *e, const struct vdisk_config *config)
{
    if (e->tls != config->tls || e->server_count != config->more_count + 1)
        return false;
    for (uint32_t i = 0; i < e->server_count; i++) {
        struct vdisk_server server = server_of(config, i);
        if (e->servers[i].port != server.port || strcmp(e->servers[i].host, server.host))
            return false;
    }
    return true;
}

/* The disk names the same version of the image, or one of the two names none. */
static bool has_content(const struct vdisk_export *e, const struct vdisk_config *config)
{
    return !e->has_content || !config->has_content ||
           !memcmp(e->content_id, config->content, CONTENT_BYTES);
}

/* Both take it for a client's layer, told in the same way, or neither does. */
static bool has_layers(const struct vdisk_export *e, const struct vdisk_config *config)
{
    bool is_wanted = config->mode == VDISK_SERVER;
    return e->layers.is_wanted == is_wanted &&
           (!is_wanted || e->layers.by_holes == config->below_is_hole);
}

/* Some disk works with it, or has. */
static bool is_used(const struct vdisk_export *e)
{
    for (const struct list *n = e->disks.next; n != &e->disks; n = n->next)
        if (!LIST_ENTRY(n, const struct vdisk_disk, node)->refusal)
            return true;
    return !wlog_is_drained(e);
}

static struct vdisk_export *find_export(struct vdisk *v, const struct vdisk_config *config)
{
    for (struct list *n = v->exports.next; n != &v->exports; n = n->next) {
        struct vdisk_export *e = LIST_ENTRY(n, struct vdisk_export, node);
        bool is_abandoned =
            list_is_empty(&e->disks) && (e->link == LINK_FAILED || !has_content(e, config));
        is_abandoned |= !has_layers(e, config) && !is_used(e);
        if (!is_abandoned && has_servers(e, config) && !strcmp(e->name, config->export_name) &&
            verify_is_same(e, config))
            return e;
    }
    return NULL;
}

/* Leat's own server has tokens for names (docs/server.md, "Tokens"). */
static void show_name(struct vdisk_export *e)
{
    enum { TOKEN_LETTERS = 43 };
    bool is_token = !strncmp(e->name, "x.", 2) && strlen(e->name) == 2 + TOKEN_LETTERS;
    snprintf(e->shown, sizeof e->shown, "%.63s", is_token ? "x..." : e->name);
}

static struct vdisk_export *make_plain(struct vdisk *v, const struct vdisk_config *config)
{
    struct vdisk_export *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->engine = v;
    e->id = ++v->next_export_id;
    e->tls = config->tls;
    e->server_count = 1 + config->more_count;
    for (uint32_t i = 0; i < e->server_count; i++)
        e->servers[i] = server_of(config, i);
    snprintf(e->name, sizeof e->name, "%s", config->export_name);
    show_name(e);
    e->has_content = config->has_content;
    memcpy(e->content_id, config->content, CONTENT_BYTES);
    list_init(&e->disks);
    fetch_init(e);
    list_init(&e->layers.waiting);
    e->layers.is_wanted = config->mode == VDISK_SERVER;
    e->layers.by_holes = config->below_is_hole;
    wlog_init(e);
    link_init(e);
    list_push_back(&v->exports, &e->node);
    return e;
}

static struct vdisk_export *make_export(struct vdisk *v, const struct vdisk_config *config)
{
    struct vdisk_export *e = make_plain(v, config);
    if (!e || !config->has_root)
        return e;
    struct vdisk_config hashes = *config;
    snprintf(hashes.export_name, sizeof hashes.export_name, "%s", config->hash_export);
    for (uint32_t i = 0; i < CONTENT_BYTES; i++) /* its own name: that of the image, inverted */
        hashes.content[i] ^= 0xff;
    struct vdisk_export *tree = make_plain(v, &hashes);
    if (tree && verify_attach(e, tree, config))
        return e;
    if (tree)
        free_export(tree);
    free_export(e);
    return NULL;
}

/* Two disks may share an export only if neither changes it under the other. */
static const char *find_conflict(const struct vdisk_export *e, const struct vdisk_disk *d)
{
    if (!has_content(e, &d->config))
        return "another disk of this export names another content: give both the same, or none";
    for (const struct list *n = e->disks.next; n != &e->disks; n = n->next) {
        const struct vdisk_disk *other = LIST_ENTRY(n, struct vdisk_disk, node);
        if (other == d || other->refusal)
            continue;
        if (disk_is_writer(other))
            return "another disk writes to this export (mode private): give it mode=ram or "
                   "read_only=yes, or this one an export of its own";
        if (disk_is_writer(d))
            return "other disks use this export, so it must not be written: mode=ram or "
                   "read_only=yes";
    }
    if (!has_layers(e, &d->config))
        return "another mode's writes to this export are still under way: start it again when they "
               "have been done";
    return NULL;
}

static bool has_difference(const struct vdisk_config *config)
{
    return config->mode == VDISK_LOCAL || (config->mode == VDISK_RAM && !config->is_read_only);
}

struct vdisk_disk *vdisk_attach(struct vdisk *v, const struct vdisk_config *config,
                                void (*changed)(void *owner), void *owner)
{
    struct vdisk_disk *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->config = *config;
    if (d->config.more_count > VDISK_SERVERS - 1)
        d->config.more_count = VDISK_SERVERS - 1;
    d->changed = changed;
    d->owner = owner;
    list_init(&d->requests);
    list_init(&d->early);
    if (config->mode == VDISK_SERVER && !composed_attach(v, d)) {
        free(d);
        return NULL;
    }
    if (!d->config.hash_export[0])
        snprintf(d->config.hash_export, sizeof d->config.hash_export, "%.248s.verity",
                 d->config.export_name);
    if (!d->refusal)
        d->refusal = verify_objection(v, &d->config);
    d->config.has_root &= !d->refusal;
    if (d->config.has_root) { /* what is kept of it is named by its root hash */
        if (d->config.root.all < d->config.root.blocks)
            d->config.root.all = d->config.root.blocks;
        memcpy(d->config.content, d->config.root.hash, sizeof d->config.content);
        d->config.has_content = true;
    }
    d->export = find_export(v, &d->config);
    if (!d->export)
        d->export = make_export(v, &d->config);
    if (!d->export || !tenant_join(v, d)) {
        if (d->below)
            composed_detach(d);
        free(d);
        return NULL;
    }
    if (has_difference(&d->config) && !(d->diff = diff_new(d))) {
        tenant_leave(d);
        free(d);
        return NULL;
    }
    if (!d->refusal)
        d->refusal = find_conflict(d->export, d);
    if (d->config.mode == VDISK_LOCAL && d->config.name[0] == DIFF_TEMPORARY[0])
        d->refusal = "a disk in mode local must not have a name that begins with ~";
    if (d->refusal)
        vdisk_log(v, "disk '%s': failed: %s", config->name, d->refusal);
    if (disk_is_writer(d))
        identity_forget(d->export);
    if (list_is_empty(&d->export->disks))
        stream_restart(d->export, d);
    d->export->stream.is_profiled |= d->config.is_profiled;
    list_push_back(&d->export->disks, &d->node);
    d->export->has_changed = true;
    disk_wake(d);
    return d;
}

void vdisk_detach(struct vdisk_disk *d)
{
    struct vdisk_export *e = d->export;
    struct list *node;
    while ((node = list_pop(&d->requests))) {
        struct vdisk_request *r = LIST_ENTRY(node, struct vdisk_request, disk_node);
        wlog_forget(e, r);
        read_forget(e, r);
        diff_forget(r);
        composed_forget(r);
    }
    if (d->below)
        composed_detach(d);
    if (d->diff)
        diff_leave(d->diff);
    list_remove(&d->node);
    if (e->stream.disk == d)
        e->stream.disk = NULL;
    tenant_leave(d);
    overlay_free(&d->overlay);
    free(d);
}

static bool is_abandoned(const struct vdisk_export *e)
{
    return list_is_empty(&e->disks) && !local_is_busy(&e->local) && e->engine->note.export != e &&
           !verify_is_needed(e) && (e->link == LINK_FAILED || wlog_is_drained(e));
}

void vdisk_use_store(struct vdisk *v, struct store *s)
{
    if (v->store && v->store != s)
        diff_store_gone(v);
    v->store = s;
    if (s)
        store_delete_differences(s, DIFF_TEMPORARY); /* of disks that are no more */
    v->flushes = v->is_flushing = 0;
    if (!s)
        notes_forget(v);
    for (struct list *n = v->exports.next; n != &v->exports; n = n->next) {
        struct vdisk_export *e = LIST_ENTRY(n, struct vdisk_export, node);
        if (!s)
            local_end(e, true);
        if (!s)
            notes_free(e);
        e->local.has_tried = e->notes.has_read_profile = e->notes.has_read_image = false;
    }
}

/* Before the exports, which use what it has read, and behind them, as they have asked for more. */
static uint64_t run_store(struct vdisk *v)
{
    if (!v->store)
        return UINT64_MAX;
    notes_run(v);
    uint64_t when = local_run(v), its = store_run(v->store);
    return when < its ? when : its;
}

static void tell_changes(struct vdisk_export *e)
{
    if (!e->has_changed)
        return;
    e->has_changed = false;
    for (struct list *n = e->disks.next; n != &e->disks; n = n->next) {
        struct vdisk_disk *d = LIST_ENTRY(n, struct vdisk_disk, node);
        d->changed(d->owner);
    }
}

/* Each export, as long as one gets work from another. Returns when one wants to run again. */
static uint64_t run_exports(struct vdisk *v)
{
    uint64_t when = UINT64_MAX;
    do {
        v->is_stirred = false;
        when = sharing_run(v);
    } while (v->is_stirred);
    for (struct list *n = v->exports.next, *next; n != &v->exports; n = next) {
        next = n->next;
        struct vdisk_export *e = LIST_ENTRY(n, struct vdisk_export, node);
        if (is_abandoned(e))
            free_export(e);
        else
            tell_changes(e);
    }
    return when;
}

uint64_t vdisk_run(struct vdisk *v)
{
    v->now_ns = v->platform->now_ns(v->platform->ctx);
    run_store(v);
    v->has_read = false;
    tenants_run(v);
    diff_run(v);
    uint64_t when = run_exports(v);
    bool is_again = diff_run(v);
    uint64_t store = run_store(v), diff = diff_deadline(v);
    uint64_t held = tenants_deadline(v); /* of what is new, too */
    if (is_again || v->has_read)
        return v->now_ns;
    when = diff < when ? diff : when;
    when = held < when ? held : when;
    return store < when ? store : when;
}

void vdisk_network_up(struct vdisk *v)
{
    for (struct list *n = v->exports.next; n != &v->exports; n = n->next)
        link_retry_now(LIST_ENTRY(n, struct vdisk_export, node));
}

bool vdisk_is_drained(const struct vdisk *v)
{
    for (const struct list *n = v->exports.next; n != &v->exports; n = n->next)
        if (!wlog_is_drained(LIST_ENTRY(n, struct vdisk_export, node)))
            return false;
    return !local_is_pending(v) && !notes_are_pending(v) && diff_is_drained(v);
}

void vdisk_drain(struct vdisk *v)
{
    local_drain(v);
    diff_drain(v);
    for (struct list *n = v->exports.next; n != &v->exports; n = n->next)
        LIST_ENTRY(n, struct vdisk_export, node)->wants_drain = true;
}
