// SPDX-License-Identifier: BSD-2-Clause
/*
 * The way to the server: connect, judge what answers, replay, keep going, and when it is lost do it
 * all again, for ever, with growing pauses. Only an image that has changed its size ends this: two
 * images must never be mixed.
 */
#include <stdio.h>
#include <string.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

#define BACKOFF_FIRST_NS 250000000ull
#define BACKOFF_MOST_NS 5000000000ull
#define DEFAULT_SILENCE_NS 30000000000ull
#define SECTOR_BYTES 512u

/* What a server must go on offering once it has. */
#define FLAGS_KEPT                                                                                 \
    (NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES)

void link_init(struct vdisk_export *e)
{
    uint64_t silence = e->engine->limits.silence_ns;
    nbd_session_init(&e->session, e->engine->platform, silence ? silence : DEFAULT_SILENCE_NS);
    e->link = LINK_WAITING;
    e->backoff_ns = BACKOFF_FIRST_NS;
    e->next_try_ns = 0;
    e->away_since_ns = e->engine->platform->now_ns(e->engine->platform->ctx);
    e->tick_ns = UINT64_MAX;
}

bool link_is_connected(const struct vdisk_export *e)
{
    return e->link == LINK_UP || e->link == LINK_REPLAY;
}

struct nbd_session *link_room(struct vdisk_export *e, uint32_t bytes, bool is_ahead)
{
    (void)is_ahead;
    return nbd_session_has_room(&e->session, bytes) ? &e->session : NULL;
}

static void say(struct vdisk_export *e, const char *what, const char *why)
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

/* Pauses double; each is stretched by up to a quarter so that many clients do not come back
 * together. */
static void schedule_retry(struct vdisk_export *e)
{
    uint64_t now_ns = e->engine->now_ns;
    uint64_t jitter = e->engine->platform->random(e->engine->platform->ctx) % (e->backoff_ns / 4);
    e->next_try_ns = now_ns + e->backoff_ns + jitter;
    e->backoff_ns = e->backoff_ns * 2 < BACKOFF_MOST_NS ? e->backoff_ns * 2 : BACKOFF_MOST_NS;
    e->link = LINK_WAITING;
    e->tick_ns = now_ns + SECOND_NS;
}

static void take_back_all(struct vdisk_export *e)
{
    struct nbd_command *c;
    while ((c = nbd_session_take_back(&e->session)))
        if (c->type == NBD_CMD_READ)
            fetch_taken_back(c);
        else if (c->type == NBD_CMD_BLOCK_STATUS)
            extents_taken_back(c);
    wlog_rewind(e);
}

static void fail_for_good(struct vdisk_export *e, const char *why)
{
    snprintf(e->why, sizeof e->why, "%s", why);
    nbd_session_close(&e->session);
    take_back_all(e);
    e->link = LINK_FAILED;
    e->has_changed = true;
    e->tick_ns = UINT64_MAX;
    say(e, "failed", e->why);
    fetch_fail_all(e);
    wlog_fail_all(e);
    for (struct list *n = e->disks.next; n != &e->disks; n = n->next)
        disk_wake(LIST_ENTRY(n, struct vdisk_disk, node));
}

/* The connection is gone or not good enough. */
static void lost(struct vdisk_export *e, const char *why)
{
    /* The same reason again is told at the 2nd, 4th, 8th ... try only: the tries never end. */
    bool is_news = strcmp(why, e->why) != 0 || (e->tries & (e->tries - 1)) == 0;
    snprintf(e->why, sizeof e->why, "%s", why);
    nbd_session_close(&e->session);
    take_back_all(e);
    if (e->link == LINK_UP)
        e->away_since_ns = e->engine->now_ns;
    if (link_is_connected(e)) {
        say(e, "server away", why);
    } else if (is_news) {
        char what[256];
        snprintf(what, sizeof what, "connecting to %.127s:%u export '%.63s', try %u", e->host,
                 e->port, e->name, (unsigned)e->tries);
        say(e, what, why);
    }
    e->has_changed = true;
    schedule_retry(e);
}

static void connect_now(struct vdisk_export *e)
{
    e->tries++;
    e->has_changed = true;
    if (nbd_session_start(&e->session, e->host, e->port, e->name, e->engine->now_ns)) {
        e->link = LINK_TRYING;
        return;
    }
    lost(e, "no network connection is free");
}

/* Whole blocks, and whole requests of the server's. */
static uint64_t usable_bytes(const struct vdisk_export *e, uint64_t size_bytes)
{
    uint32_t unit = e->identity.min_block > e->block_size ? e->identity.min_block : e->block_size;
    return size_bytes - size_bytes % unit;
}

/* Does anything of the server's offers for writing matter? */
static bool has_writer(const struct vdisk_export *e)
{
    for (const struct list *n = e->disks.next; n != &e->disks; n = n->next)
        if (disk_is_writer(LIST_ENTRY(n, struct vdisk_disk, node)))
            return true;
    return !wlog_is_drained(e);
}

/* NULL: the export can be used; else why not, for people. */
static const char *judge_first(struct vdisk_export *e, const struct nbd_export *x)
{
    e->identity = *x;
    e->block_size = x->min_block > SECTOR_BYTES ? CACHE_BLOCK_BYTES : SECTOR_BYTES;
    if (x->min_block > CACHE_BLOCK_BYTES && has_writer(e))
        return "the server's minimum block size is above 4096: only mode=ram and read_only=yes "
               "can use it";
    e->identity.size_bytes = usable_bytes(e, x->size_bytes);
    if (e->identity.size_bytes == 0)
        return "the export is empty";
    if (e->identity.size_bytes != x->size_bytes)
        say(e, "the size is no multiple of the block size: the end is cut off", "");
    e->was_up = true;
    extents_init(e);
    return NULL;
}

static const char *judge_again(struct vdisk_export *e, const struct nbd_export *x)
{
    uint32_t missing = has_writer(e) ? e->identity.flags & ~x->flags & FLAGS_KEPT : 0;
    uint32_t gained = has_writer(e) ? x->flags & ~e->identity.flags & NBD_FLAG_READ_ONLY : 0;
    if (gained)
        return "the export has become read-only";
    if (missing)
        return "the server no longer offers what it did (flush, FUA, trim or write zeroes)";
    bool is_smaller = x->max_block < e->identity.max_block;
    if (x->min_block > e->identity.min_block ||
        (is_smaller && x->max_block < FETCH_BLOCKS * CACHE_BLOCK_BYTES))
        return "the server's block sizes have changed";
    if (is_smaller) /* no read that is waiting is longer */
        e->identity.max_block = x->max_block - x->max_block % e->identity.min_block;
    return NULL;
}

static void negotiated(struct vdisk_export *e)
{
    const struct nbd_export *x = &e->session.handshake.result;
    bool is_first = !e->was_up;
    if (!is_first) {
        uint64_t size = usable_bytes(e, x->size_bytes);
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
    const char *objection = is_first ? judge_first(e, x) : judge_again(e, x);
    if (objection) {
        lost(e, objection);
        return;
    }
    e->connects++;
    e->link = LINK_REPLAY;
}

static void up(struct vdisk_export *e)
{
    e->link = LINK_UP;
    e->has_changed = true;
    e->tick_ns = UINT64_MAX;
    e->backoff_ns = BACKOFF_FIRST_NS;
    char text[96];
    if (e->connects == 1)
        snprintf(text, sizeof text, "ready, %llu MiB",
                 (unsigned long long)(e->identity.size_bytes >> 20));
    else
        snprintf(text, sizeof text, "server back after %llu s",
                 (unsigned long long)((e->engine->now_ns - e->away_since_ns) / SECOND_NS));
    say(e, text, "");
    e->tries = 0;
    e->why[0] = 0;
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
    if (e->is_replay_refused) {
        lost(e, "the server refuses a write that it had accepted before");
        return true;
    }
    if (e->link == LINK_TRYING && e->session.state == NBD_READY) {
        negotiated(e);
        return true;
    }
    if (e->link == LINK_REPLAY && !e->replay_left) {
        up(e);
        return true;
    }
    bool any = link_is_connected(e) && wlog_pump(e);
    if (e->link == LINK_UP) {
        fetch_retry_starved(e);
        any = extents_pump(e) || any;
        any = fetch_pump(e) || any;
    }
    return any;
}

uint64_t link_run(struct vdisk_export *e)
{
    if (e->link == LINK_FAILED)
        return UINT64_MAX;
    while (e->link != LINK_FAILED && step(e))
        ;
    uint64_t now_ns = e->engine->now_ns;
    if (e->tick_ns <= now_ns) { /* "away for N s" has changed */
        e->has_changed = true;
        e->tick_ns = now_ns + SECOND_NS;
    }
    uint64_t when = e->link == LINK_WAITING ? e->next_try_ns : nbd_session_deadline(&e->session);
    uint64_t flush = wlog_deadline(e);
    if (link_is_connected(e) && flush < when)
        when = flush;
    return e->tick_ns < when ? e->tick_ns : when;
}

void link_close(struct vdisk_export *e)
{
    nbd_session_close(&e->session);
    take_back_all(e);
}
