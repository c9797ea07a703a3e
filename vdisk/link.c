// SPDX-License-Identifier: BSD-2-Clause
/*
 * The way to the server: connect, judge what answers, replay, keep going, and when it is lost do it
 * all again, for ever, with growing pauses. Only another image, of another size or with other
 * content, ends this: two images must never be mixed.
 */
#include <stdio.h>
#include <string.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"
#include "vdisk/store/crc32c.h"

#define BACKOFF_FIRST_NS 250000000ull
#define BACKOFF_MOST_NS 5000000000ull
#define DEFAULT_SILENCE_NS 30000000000ull
#define DEFAULT_IDLE_NS 15000000000ull
#define CONNECT_ALONE_NS 10000000000ull
#define OFFLINE_NS 1000000000ull /* then the local store's word is taken for what a server offers */
#define CONNECT_NS 4000000000ull /* where there are other servers to try */

static void use_server(struct vdisk_export *e, uint32_t i)
{
    e->server_at = i;
    e->host = e->servers[i].host;
    e->port = e->servers[i].port;
}

void link_init(struct vdisk_export *e)
{
    const struct vdisk_limits *limits = &e->engine->limits;
    const struct nbd_patience patience = {
        .connect_ns = e->server_count > 1 ? CONNECT_NS : CONNECT_ALONE_NS,
        .silence_ns = limits->silence_ns ? limits->silence_ns : DEFAULT_SILENCE_NS,
        .idle_ns = limits->idle_ns ? limits->idle_ns : DEFAULT_IDLE_NS};
    nbd_session_init(&e->session, e->engine->platform, &patience);
    use_server(e, 0);
    e->link = LINK_WAITING;
    e->backoff_ns = BACKOFF_FIRST_NS;
    e->next_try_ns = 0;
    e->away_since_ns = e->engine->platform->now_ns(e->engine->platform->ctx);
    e->tick_ns = UINT64_MAX;
    e->offline_ns = e->away_since_ns + OFFLINE_NS;
}

bool link_is_connected(const struct vdisk_export *e)
{
    return e->link == LINK_UP || e->link == LINK_REPLAY;
}

void link_say(struct vdisk_export *e, const char *what, const char *why)
{
    char line[400];
    snprintf(line, sizeof line, "%s%s%s", what, why[0] ? ": " : "", why);
    export_log(e, line);
}

void link_retry_now(struct vdisk_export *e)
{
    e->next_try_ns = 0;
    e->backoff_ns = BACKOFF_FIRST_NS;
}

/* The next server; when all have been tried, a pause. Pauses double; each is stretched by up to a
 * quarter so that many clients do not come back together. */
static void schedule_retry(struct vdisk_export *e)
{
    uint64_t now_ns = e->engine->now_ns;
    uint64_t jitter = e->engine->platform->random(e->engine->platform->ctx) % (e->backoff_ns / 4);
    e->link = LINK_WAITING;
    use_server(e, (e->server_at + 1) % e->server_count);
    if (++e->turn < e->server_count) { /* the others are tried without a pause */
        e->next_try_ns = now_ns;
    } else {
        e->turn = 0;
        e->next_try_ns = now_ns + e->backoff_ns + jitter;
        e->backoff_ns = e->backoff_ns * 2 < BACKOFF_MOST_NS ? e->backoff_ns * 2 : BACKOFF_MOST_NS;
    }
    e->tick_ns = now_ns + SECOND_NS;
}

static void take_back_all(struct vdisk_export *e)
{
    struct nbd_command *c;
    conns_close(e);
    while ((c = nbd_session_take_back(&e->session)))
        if (c->lost)
            c->lost(c);
    wlog_rewind(e);
    identity_end(e);
}

static void fail_for_good(struct vdisk_export *e, const char *why)
{
    snprintf(e->why, sizeof e->why, "%s", why);
    nbd_session_close(&e->session);
    take_back_all(e);
    e->link = LINK_FAILED;
    e->has_changed = true;
    e->tick_ns = UINT64_MAX;
    link_say(e, "failed", e->why);
    fetch_fail_all(e);
    wlog_fail_all(e);
    layers_fail_all(e);
    for (struct list *n = e->disks.next; n != &e->disks; n = n->next)
        disk_wake(LIST_ENTRY(n, struct vdisk_disk, node));
}

/* The connection is gone or not good enough. */
static void lost(struct vdisk_export *e, const char *why)
{
    /* Of a server the same reason again is told at the 2nd, 4th, 8th ... try only: the tries never end. */
    uint32_t sum = crc32c(0, why, strlen(why));
    bool is_news = sum != e->said[e->server_at] || (e->tries & (e->tries - 1)) == 0;
    e->said[e->server_at] = sum;
    snprintf(e->why, sizeof e->why, "%s", why);
    e->is_distrusted = false;
    nbd_session_close(&e->session);
    take_back_all(e);
    if (e->link == LINK_UP)
        e->away_since_ns = e->engine->now_ns;
    if (link_is_connected(e)) {
        link_say(e, "server away", why);
    } else if (is_news) {
        char what[256];
        snprintf(what, sizeof what, "connecting to %.127s:%u export '%.63s', try %u", e->host,
                 e->port, e->shown, (unsigned)e->tries);
        link_say(e, what, why);
    }
    e->has_changed = true;
    schedule_retry(e);
}

static void connect_now(struct vdisk_export *e)
{
    e->tries++;
    e->has_changed = true;
    const struct nbd_target target = {e->host, e->port, e->name, e->tls,
                                      e->layers.is_wanted && !e->layers.by_holes};
    if (nbd_session_start(&e->session, &target, e->engine->now_ns)) {
        e->link = LINK_TRYING;
        return;
    }
    lost(e, "no network connection is free");
}

static void negotiated(struct vdisk_export *e)
{
    const struct nbd_export *x = &e->session.handshake.result;
    bool is_first = !e->was_up;
    if (!is_first) {
        uint64_t size = offer_size(e, x->size_bytes);
        if (size != e->identity.size_bytes && e->verify) {
            lost(e, "the export's size is not what the root hash says");
            return;
        }
        if (size != e->identity.size_bytes) {
            char why[160];
            snprintf(why, sizeof why,
                     "the export's size was %llu bytes and is %llu: another image? detach the disk "
                     "to use it",
                     (unsigned long long)e->identity.size_bytes, (unsigned long long)size);
            fail_for_good(e, why);
            return;
        }
    }
    char text[OFFER_TEXT];
    const char *objection = is_first ? offer_judge_first(e, x) : offer_judge_again(e, x, text);
    if (objection) {
        lost(e, objection);
        return;
    }
    e->connects++;
    e->link = LINK_REPLAY;
    local_begin(e); /* before the first read */
    notes_use_image(e);
    if (is_first)
        e->notes.patience_ns = e->engine->now_ns + NOTES_PATIENCE_NS;
    identity_begin(e);
}

static void up(struct vdisk_export *e)
{
    e->link = LINK_UP;
    e->has_begun = e->has_changed = true;
    e->tick_ns = UINT64_MAX;
    e->backoff_ns = BACKOFF_FIRST_NS;
    char text[96];
    if (e->connects == 1)
        snprintf(text, sizeof text, "ready, %llu MiB",
                 (unsigned long long)(e->identity.size_bytes >> 20));
    else
        snprintf(text, sizeof text, "server back after %llu s",
                 (unsigned long long)((e->engine->now_ns - e->away_since_ns) / SECOND_NS));
    link_say(e, text, "");
    e->tries = e->turn = 0;
    e->why[0] = 0;
    memset(e->said, 0, sizeof e->said);
    meter_reset(&e->meter);
    stream_run(e); /* before the first read, which is of the boot too */
    verify_link_is_up(e);
    for (struct list *n = e->disks.next; n != &e->disks; n = n->next) {
        LIST_ENTRY(n, struct vdisk_disk, node)->has_given_up = false;
        disk_wake(LIST_ENTRY(n, struct vdisk_disk, node));
    }
}

/* Requests are served, from the local store if there is no server. */
static void begin(struct vdisk_export *e)
{
    e->has_begun = e->has_changed = true;
    for (struct list *n = e->disks.next; n != &e->disks; n = n->next)
        disk_wake(LIST_ENTRY(n, struct vdisk_disk, node));
}

/* True: something moved, look again. */
static bool step(struct vdisk_export *e)
{
    if (e->link == LINK_WAITING) {
        if (e->engine->now_ns < e->next_try_ns)
            return false;
        connect_now(e);
        return true;
    }
    nbd_session_run(&e->session, e->engine->now_ns);
    if (e->session.state == NBD_LOST) {
        lost(e, e->session.why);
        return true;
    }
    const char *why = e->link == LINK_UP ? conns_run(e) : NULL;
    if (why) {
        lost(e, why);
        return true;
    }
    if (e->is_replay_refused) {
        lost(e, "the server refuses a write that it had accepted before");
        return true;
    }
    if (e->link == LINK_TRYING && e->session.state == NBD_READY) {
        negotiated(e);
        return true;
    }
    if (e->is_distrusted) {
        lost(e, "what it sent does not match the root hash");
        return true;
    }
    if (e->content.has_changed) {
        fail_for_good(e, e->content.is_not_as_noted
                             ? "the image is not what the local store keeps under this content: "
                               "give the disk another content"
                             : "the export's content is not what it was: another image? detach the "
                               "disk to use it");
        return true;
    }
    if (e->link == LINK_REPLAY && !e->has_begun && identity_is_noted(e) && notes_are_read(e)) {
        begin(e); /* it need not wait for what the server answers */
        return true;
    }
    if (e->link == LINK_REPLAY && !e->replay_left && identity_is_judged(e) && notes_are_read(e)) {
        up(e);
        return true;
    }
    bool any = link_is_connected(e) && wlog_pump(e);
    any = (link_is_connected(e) && identity_pump(e)) || any;
    if (e->link == LINK_UP) {
        any = extents_pump(e) || any;
        any = layers_pump(e) || any;
        any = fetch_pump(e) || any;
    }
    return any;
}

/* Disks that do not want to wait for ever. Returns when the next one's patience ends. */
static uint64_t give_up_waiting(struct vdisk_export *e)
{
    uint64_t when = UINT64_MAX;
    if (e->link == LINK_UP || e->link == LINK_FAILED)
        return when;
    for (struct list *n = e->disks.next; n != &e->disks; n = n->next) {
        struct vdisk_disk *d = LIST_ENTRY(n, struct vdisk_disk, node);
        uint64_t end = e->away_since_ns + d->config.give_up_ns;
        if (!d->config.give_up_ns)
            continue;
        if (end <= e->engine->now_ns)
            disk_give_up(d->above && disk_is_opening(d->above) ? d->above : d, "server");
        else if (end < when)
            when = end;
    }
    return when;
}

/* No server has been reached yet, but the image is known from an earlier start. */
static bool may_go_offline(const struct vdisk_export *e)
{
    return !e->was_up && e->notes.image && e->notes.offer.size_bytes;
}

static void go_offline(struct vdisk_export *e)
{
    if (offer_judge_first(e, &e->notes.offer)) {
        e->notes.offer.size_bytes = 0;
        return;
    }
    local_begin(e);
    notes_use_image(e);
    link_say(e, "no server yet: started from the local store", "");
    begin(e);
}

/* What goes without the server. */
static void run_local(struct vdisk_export *e)
{
    local_begin(e);
    stream_run(e);
    stream_local(e);
    read_retry_starved(e);
}

uint64_t link_run(struct vdisk_export *e)
{
    if (e->link == LINK_FAILED)
        return UINT64_MAX;
    if (may_go_offline(e) && e->engine->now_ns >= e->offline_ns)
        go_offline(e);
    if (e->was_up)
        run_local(e);
    for (bool any = true; any && e->link != LINK_FAILED;) {
        any = step(e);
        any = verify_pump(e) || any; /* behind it: it may have brought something */
    }
    uint64_t now_ns = e->engine->now_ns;
    if (e->tick_ns <= now_ns) { /* "away for N s" has changed */
        e->has_changed = true;
        e->tick_ns = now_ns + SECOND_NS;
    }
    uint64_t when = e->link == LINK_WAITING ? e->next_try_ns : nbd_session_deadline(&e->session);
    uint64_t conns = conns_deadline(e);
    if (conns < when)
        when = conns;
    uint64_t give_up = give_up_waiting(e);
    if (give_up < when)
        when = give_up;
    if (e->link == LINK_REPLAY && !notes_are_read(e) && e->notes.patience_ns < when)
        when = e->notes.patience_ns;
    if (may_go_offline(e) && e->offline_ns < when)
        when = e->offline_ns;
    uint64_t verify = verify_give_up(e);
    if (verify < when)
        when = verify;
    uint64_t flush = wlog_deadline(e);
    if (link_is_connected(e) && flush < when)
        when = flush;
    if (e->was_up && stream_deadline(e) < when)
        when = stream_deadline(e);
    return e->tick_ns < when ? e->tick_ns : when;
}

void link_close(struct vdisk_export *e)
{
    nbd_session_close(&e->session);
    take_back_all(e);
}
