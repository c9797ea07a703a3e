// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tenants: disks that share a limit, and a part of the link (sharing.c). A request over the limit of
 * its disk or tenant is held back, in its disk's queue, and goes when both allow it: the requests of
 * a disk keep their order, and the disks of a tenant take turns. What is counted is what the guest
 * asks for, from wherever it comes: requests of any kind, and the bytes of reads and writes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/engine.h"

static struct tenant *find(struct vdisk *v, const char *name)
{
    for (struct list *n = v->tenants.next; n != &v->tenants; n = n->next) {
        struct tenant *t = LIST_ENTRY(n, struct tenant, node);
        if (!strcmp(t->name, name))
            return t;
    }
    return NULL;
}

static struct tenant *make(struct vdisk *v, const char *name)
{
    struct tenant *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    snprintf(t->name, sizeof t->name, "%s", name);
    t->engine = v;
    list_init(&t->holding);
    list_push_back(&v->tenants, &t->node);
    v->tenant_count++;
    for (unsigned way = 0; way < SHARE_WAYS; way++)
        share_join(&v->share[way], &t->share[way], SHARE_WEIGHT);
    return t;
}

struct tenant *tenant_get(struct tenant *t)
{
    t->refs++;
    return t;
}

void tenant_put(struct tenant *t)
{
    if (--t->refs)
        return;
    for (unsigned way = 0; way < SHARE_WAYS; way++)
        share_leave(&t->share[way]);
    t->engine->tenant_count--;
    list_remove(&t->node);
    free(t);
}

bool tenant_join(struct vdisk *v, struct vdisk_disk *d)
{
    const char *name = d->config.tenant[0] ? d->config.tenant : d->config.name;
    struct tenant *t = find(v, name);
    if (!t)
        t = make(v, name);
    if (!t)
        return false;
    d->tenant = tenant_get(t);
    t->limit.rates = d->config.tenant_rates;
    for (unsigned way = 0; way < SHARE_WAYS; way++)
        share_weigh(&t->share[way], d->config.link_weight);
    d->limit.rates = d->config.rates;
    list_init(&d->held);
    list_init(&d->holding_node);
    return true;
}

void tenant_leave(struct vdisk_disk *d)
{
    list_remove(&d->holding_node);
    tenant_put(d->tenant);
}

static bool is_read_or_write(const struct vdisk_request *r)
{
    return r->op <= LEAT_BLK_WRITE && r->length <= VDISK_MAX_REQUEST;
}

static uint64_t when(const struct vdisk_disk *d)
{
    uint64_t tenants = limit_when(&d->tenant->limit), own = limit_when(&d->limit);
    return tenants > own ? tenants : own;
}

static void take(struct vdisk_disk *d, const struct vdisk_request *r)
{
    uint64_t bytes = is_read_or_write(r) ? r->length : 0, now_ns = d->export->engine->now_ns;
    limit_take(&d->limit, bytes, now_ns);
    limit_take(&d->tenant->limit, bytes, now_ns);
}

bool tenant_holds(struct vdisk_disk *d, struct vdisk_request *r)
{
    if (!limit_is_on(&d->limit) && !limit_is_on(&d->tenant->limit) && list_is_empty(&d->held))
        return false;
    if (list_is_empty(&d->held) && when(d) <= d->export->engine->now_ns) {
        take(d, r);
        return false;
    }
    if (list_is_empty(&d->held)) {
        list_remove(&d->holding_node); /* it is there still if what was held has been given up */
        list_push_back(&d->tenant->holding, &d->holding_node);
    }
    list_push_back(&d->held, &r->node);
    d->counters.held++;
    return true;
}

/* The first request that the disk holds. */
static void let_go(struct vdisk_disk *d)
{
    struct vdisk_request *r = LIST_ENTRY(d->held.next, struct vdisk_request, node);
    struct tenant *t = d->tenant;
    list_remove(&r->node);
    list_remove(&d->holding_node);
    if (!list_is_empty(&d->held)) /* the others' turn */
        list_push_back(&t->holding, &d->holding_node);
    take(d, r);
    d->counters.held_ns += d->export->engine->now_ns - r->submitted_ns;
    disk_go(r);
}

void tenant_let_all_go(struct vdisk_disk *d)
{
    while (!list_is_empty(&d->held))
        let_go(d);
}

/* Lets one disk's request go. False: none may. */
static bool let_one_go(struct tenant *t, uint64_t now_ns)
{
    for (struct list *n = t->holding.next, *next; n != &t->holding; n = next) {
        struct vdisk_disk *d = LIST_ENTRY(n, struct vdisk_disk, holding_node);
        next = n->next;
        if (list_is_empty(&d->held)) { /* its requests were given up */
            list_remove(&d->holding_node);
        } else if (when(d) <= now_ns) {
            let_go(d);
            return true;
        }
    }
    return false;
}

void tenants_run(struct vdisk *v)
{
    for (struct list *n = v->tenants.next; n != &v->tenants; n = n->next)
        while (let_one_go(LIST_ENTRY(n, struct tenant, node), v->now_ns))
            ;
}

uint64_t tenants_deadline(const struct vdisk *v)
{
    uint64_t first = UINT64_MAX;
    for (const struct list *n = v->tenants.next; n != &v->tenants; n = n->next) {
        const struct tenant *t = LIST_ENTRY(n, struct tenant, node);
        for (const struct list *m = t->holding.next; m != &t->holding; m = m->next) {
            uint64_t its = when(LIST_ENTRY(m, struct vdisk_disk, holding_node));
            first = its < first ? its : first;
        }
    }
    return first;
}
