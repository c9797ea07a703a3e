// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whose turn it is on the link. All exports of an engine are taken to go over one link, the host's
 * own: the tenants share it by share.h, reads and writes each for themselves, whatever exports they
 * have. Where there is one tenant only, nobody is kept from sending.
 *
 * One pass runs each export, which asks for each piece before it sends it; passes go on, round by
 * round, until the window is full or nobody wants more. In each pass, behind what is waited for, the
 * boot profiles of disks that are booting are streamed, out of their tenants' shares. All else that
 * nobody waits for has its time after that, and only if nobody had to be refused.
 */
#include "vdisk/engine.h"

/* What one tenant may keep busy for reads that wait, when there are others. */
#define FETCHES_ALWAYS 8u
#define FETCHES_AHEAD (EXPORT_FETCHES / 4) /* of all: for what nobody waits for */
#define FETCHES_RESERVED (EXPORT_FETCHES / 4)
#define BLOCKS_ALWAYS 64u
#define SLOTS_ALWAYS 8u
#define SLOTS_FOR_ALL (NBD_SESSION_SLOTS - NBD_SESSION_SLOTS / 4)

/* Many small requests fill up a connection before they fill the window. */
static bool has_few_slots(const struct vdisk_export *e, const struct tenant *t)
{
    return e->flying >= SLOTS_FOR_ALL * (1 + e->conn_count) &&
           t->share[SHARE_DOWN].pieces >= SLOTS_ALWAYS;
}

bool sharing_may_send(struct vdisk_export *e, struct tenant *t, enum share_way way, uint32_t bytes)
{
    struct vdisk *v = e->engine;
    if (!is_shared(v))
        return true;
    if (way == SHARE_DOWN && has_few_slots(e, t))
        return false;
    return share_ask(&v->share[way], &t->share[way], bytes);
}

bool sharing_may_boot(struct vdisk_export *e, struct tenant *t)
{
    return !t->share[SHARE_DOWN].is_refused && !has_few_slots(e, t) &&
           share_ask_patient(&e->engine->share[SHARE_DOWN], &t->share[SHARE_DOWN]);
}

uint32_t sharing_piece(const struct vdisk *v, enum share_way way, uint32_t most)
{
    uint32_t piece = is_shared(v) ? share_piece(&v->share[way]) : most;
    return piece < most ? piece : most;
}

/* Its part of an export's fetches, by weight: what is queued must be there to be chosen from. */
static uint32_t fetches_of(const struct tenant *t)
{
    const struct vdisk *v = t->engine;
    uint64_t weights = 0;
    for (const struct list *n = v->tenants.next; n != &v->tenants; n = n->next)
        weights += LIST_ENTRY(n, struct tenant, node)->share[SHARE_DOWN].weight;
    uint32_t part = (uint32_t)((EXPORT_FETCHES - FETCHES_AHEAD) *
                               (uint64_t)t->share[SHARE_DOWN].weight / weights);
    return part > FETCHES_ALWAYS ? part : FETCHES_ALWAYS;
}

bool sharing_is_greedy(const struct vdisk_export *e, const struct tenant *t, uint32_t blocks)
{
    const struct vdisk *v = e->engine;
    uint32_t part = v->cache.count / (v->tenant_count + 1);
    if (!is_shared(v))
        return false;
    if (e->fetch_count + FETCHES_RESERVED >= EXPORT_FETCHES && t->fetches >= fetches_of(t))
        return true;
    return t->blocks + blocks > (part > BLOCKS_ALWAYS ? part : BLOCKS_ALWAYS);
}

bool sharing_may_go_ahead(const struct vdisk_export *e, bool is_boot)
{
    const struct vdisk *v = e->engine;
    if (is_shared(v) && is_boot && !v->is_ahead_time)
        return e->fetch_count + FETCHES_RESERVED / 2 < EXPORT_FETCHES;
    if (!is_shared(v))
        return e->fetch_count < EXPORT_FETCHES / 2; /* the rest is for who waits */
    return e->fetch_count < FETCHES_AHEAD && !share_is_short(&v->share[SHARE_DOWN]);
}

void sharing_sent(struct tenant *t, enum share_way way, struct share_flight *f, uint32_t bytes)
{
    struct vdisk *v = t->engine;
    share_sent(&v->share[way], &t->share[way], f, bytes, v->now_ns);
}

void sharing_landed(struct tenant *t, enum share_way way, struct share_flight *f, bool is_lost)
{
    struct vdisk *v = t->engine;
    share_landed(&v->share[way], &t->share[way], f, is_lost, v->now_ns);
}

/* The window is for the farthest server that has something to send. */
static void find_rtt(struct vdisk *v)
{
    uint64_t most = 0;
    for (const struct list *n = v->exports.next; n != &v->exports; n = n->next) {
        const struct vdisk_export *e = LIST_ENTRY(n, struct vdisk_export, node);
        uint64_t its = e->flying ? meter_rtt_ns(&e->meter) : 0;
        most = its > most ? its : most;
    }
    for (unsigned way = 0; way < SHARE_WAYS; way++) {
        uint64_t own = meter_rtt_ns(&v->share[way].meter);
        v->share[way].rtt_ns = own > most ? own : most;
    }
}

static uint64_t pass(struct vdisk *v)
{
    uint64_t when = UINT64_MAX;
    for (unsigned way = 0; way < SHARE_WAYS; way++)
        share_begin_pass(&v->share[way]);
    for (struct list *n = v->exports.next; n != &v->exports; n = n->next) {
        uint64_t its = link_run(LIST_ENTRY(n, struct vdisk_export, node));
        when = its < when ? its : when;
    }
    return when;
}

/* Behind all exports' demand. True: something has been sent, which leaves in another pass. */
static bool stream_boots(struct vdisk *v)
{
    bool any = false;
    for (struct list *n = v->exports.next; is_shared(v) && n != &v->exports; n = n->next)
        any = fetch_boot(LIST_ENTRY(n, struct vdisk_export, node)) || any;
    return any;
}

/* Passes as long as somebody's turn comes. */
static uint64_t take_turns(struct vdisk *v)
{
    for (;;) {
        uint64_t when = pass(v);
        bool any = stream_boots(v);
        bool down = share_next_round(&v->share[SHARE_DOWN]);
        bool up = share_next_round(&v->share[SHARE_UP]);
        if (!any && !down && !up)
            return when;
    }
}

uint64_t sharing_run(struct vdisk *v)
{
    v->is_ahead_time = !is_shared(v);
    find_rtt(v);
    uint64_t when = take_turns(v);
    if (is_shared(v) && !share_is_short(&v->share[SHARE_DOWN])) {
        v->is_ahead_time = true;
        when = take_turns(v);
    }
    return when;
}
