// SPDX-License-Identifier: BSD-2-Clause
/*
 * The engine's inside, shared by engine.c (life and the outside), disk.c (one client's disk),
 * tenant.c (limits), sharing.c (whose turn it is), link.c (the way to the server), conns.c (more
 * connections), offer.c (what it offers), read.c, fetch.c (what is on its way), local_cache.c (the
 * local disk), verify.c and refute.c (are they what the root hash says?), ahead.c and stream.c
 * (what nobody asked for yet), extents.c (holes), layers.c and composed.c (mode server), identity.c
 * (is it the same image?), wlog.c and edges.c (writes to the server), and difference.c,
 * difference_ops.c and spill.c (writes to the local store).
 */
#ifndef VDISK_ENGINE_H
#define VDISK_ENGINE_H

#include "vdisk/cache.h"
#include "vdisk/composed.h"
#include "vdisk/difference.h"
#include "vdisk/edges.h"
#include "vdisk/extents.h"
#include "vdisk/identity.h"
#include "vdisk/layers.h"
#include "vdisk/local_cache.h"
#include "vdisk/local_notes.h"
#include "vdisk/nbd/session.h"
#include "vdisk/overlay.h"
#include "vdisk/profile/recorder.h"
#include "vdisk/share.h"
#include "vdisk/store/store.h"
#include "vdisk/vdisk.h"
#include "vdisk/verify.h"

#define VDISK_MAX_REQUEST (32u << 20) /* bytes of one read or write */
#define FETCH_BLOCKS 64u              /* of one fetch at most: 256 KiB */
#define EXPORT_FETCHES 128u
#define SECOND_NS 1000000000ull

/* A request that waits for some blocks of a fetch. */
struct waiter {
    struct waiter *next;
    struct vdisk_request *request; /* NULL: its disk was detached */
    uint64_t first_block, last_block;
};

/* A run of blocks on its way from the server into the cache. */
struct fetch {
    struct list
        node; /* in export's fetch_free, demand, ahead, held or refuted; alone while it flies */
    uint64_t first_block;
    uint32_t count; /* 0: free */
    bool is_queued;
    bool is_ahead;        /* nobody waits for it yet */
    bool is_local;        /* of the store's pool: made of blocks that the store holds */
    bool is_reading;      /* it is at the store */
    bool is_from_disk;    /* the store has given it */
    bool is_local_ahead;  /* export->local.ahead counts it */
    uint8_t source;       /* enum cache_source: why it was made */
    uint32_t ahead_bytes; /* that export->ahead_flying counts for it */
    struct meter_mark mark;
    struct tenant *tenant; /* for whom it is fetched */
    uint32_t counted;      /* blocks that tenant->blocks counts for it; 0: none */
    struct share_flight flight;
    struct waiter *waiters;
    /* -- of an export with a root hash: verify.c, refute.c -- */
    bool is_held;             /* all is there, but not judged yet */
    bool is_hole;             /* nothing to fetch: the server has said that these are zeros */
    uint8_t lies;             /* how often it did not match */
    uint64_t passed, refuted; /* bit i: block i matches, or does not */
    uint64_t when_ns;         /* of a refuted one: not again before */
    uint64_t stuck_ns;        /* when it was first held; 0: not yet */
    uint64_t connect;         /* it came by that connection, from that server */
    uint32_t server;
    struct nbd_command command;
    uint32_t slots[FETCH_BLOCKS]; /* of the cache; CACHE_NONE: it has the block already */
    uint8_t *pages[FETCH_BLOCKS];
    struct store_op op; /* while it is read from the store */
    uint8_t held[FETCH_BLOCKS];
};

/* A write, discard or write of zeroes, from its submission until it is known to be durable. */
struct write_record {
    struct list log_node;   /* in export->log, in the order of submission */
    struct list open_node;  /* in export->open until the server has acknowledged it */
    struct list ready_node; /* in export->ready while it may be sent */
    uint16_t type;          /* enum nbd_command_type */
    bool wants_fua;
    bool is_known;    /* the cache and the client know of it: a replay changes nothing for them */
    bool is_replayed; /* export->replay_left counts it */
    bool is_acked;
    uint32_t blockers;             /* earlier open records that overlap */
    uint64_t offset, length, done; /* in whole units of the server's; done: acknowledged so far */
    uint64_t client_length;        /* of what the client gave, `lead` bytes into it */
    uint32_t lead;
    uint8_t edges; /* of a write: what is still to be read around the client's part: edges.h */
    uint64_t ack_number;
    struct vdisk_request *request; /* NULL: completed, or its disk was detached */
    struct tenant *tenant;
    struct share_flight flight; /* of the part that is at the server */
    struct vdisk_export *export;
    struct nbd_command command;
    uint8_t data[]; /* of a write */
};

/* What is fetched although nobody asked for it: stream.c. */
struct stream {
    bool is_begun;           /* for the disks that are attached now */
    bool is_profiled;        /* a disk wants its boots recorded */
    bool has_news;           /* `known` has changed since vdisk_profile_take */
    bool is_suggested;       /* `known` makes room for that of the local store */
    struct vdisk_disk *disk; /* whose boot it is; NULL: the first one's */
    struct profile known;    /* as given, or as merged after a boot */
    struct profile plan;     /* what is streamed */
    struct stream_place {    /* in the plan: run, block in it */
        uint32_t run, in_run;
    } server, local; /* the next to ask for, there and at the local store */
    struct recorder recorder;
    uint64_t demand_ns;    /* when somebody last had to wait */
    uint64_t fill_block;   /* background fill: the next block */
    uint64_t fill_when_ns; /* not before */
};

/* How much of what was fetched around misses has been of use: ahead.c. */
struct around {
    uint32_t fetched, used, skipped;
};

enum link_state {
    LINK_WAITING, /* until next_try_ns */
    LINK_TRYING,  /* connecting, negotiating */
    LINK_REPLAY,  /* connected: unflushed and unanswered writes go first */
    LINK_UP,
    LINK_FAILED, /* for good */
};

struct conn {
    struct nbd_session session;
    bool is_good; /* negotiated, and found to be the same export */
};

/* One export of one server: its connection, its unflushed writes, its place in the cache. */
struct vdisk_export {
    struct list node; /* in engine->exports */
    struct vdisk *engine;
    uint32_t id;
    struct vdisk_server servers[VDISK_SERVERS]; /* tried in turn */
    uint32_t server_count, server_at;
    uint32_t turn;    /* tries since the last pause */
    const char *host; /* of servers[server_at] */
    uint16_t port;
    char name[256];
    char shown[64]; /* the name as messages have it: a token is a secret */
    const struct vdisk_tls *tls;
    struct list disks;
    bool has_changed; /* disks must be told */

    enum link_state link;
    bool was_up;    /* identity below is known */
    bool has_begun; /* was LINK_UP, or started without a server: requests are served */
    struct nbd_export identity;
    uint32_t block_size; /* of requests: 512 or 4096 */
    uint64_t next_try_ns, backoff_ns, away_since_ns, tick_ns;
    uint64_t offline_ns; /* from then on it may start without a server */
    uint32_t tries;      /* since it was last up */
    uint64_t connects;
    char why[160];                /* of the last trouble */
    uint32_t said[VDISK_SERVERS]; /* of each server: a sum of what was told of it last */
    struct nbd_session session;
    struct conn *conns; /* further ones: conns.c */
    uint32_t conn_count;
    bool is_busy;           /* there is much to do for the first one */
    uint64_t conns_when_ns; /* not before: more connections */
    struct extents extents;
    struct layers layers;
    struct identity content;
    uint8_t content_id[CONTENT_BYTES];
    bool has_content;
    struct local_cache local;
    struct local_notes notes;

    struct verify *verify;      /* NULL: it has no root hash, and is no hash tree */
    struct list held, refuted;  /* fetches: not judged yet; to be asked for again */
    bool is_dirty;              /* some that are held can perhaps be judged now */
    bool is_starved;            /* there was no room for a tree block that it needs */
    bool is_distrusted;         /* the next server is to be taken */
    bool was_troubled;          /* what verify_trouble said last */
    uint32_t distrusts;         /* changes of server of the last while */
    uint64_t distrust_ns, lies; /* the last change; what did not match in all */
    const char *refusal;        /* of a tree: what its superblock lacks, or NULL */

    struct list demand, ahead;          /* fetches to send */
    struct list fetch_free, local_free; /* fetches of the server's, of the store's */
    uint32_t fetch_count;               /* of the server's: not free */
    uint32_t local_count;               /* of the store's */
    uint64_t demand_made;               /* fetches for somebody who waits, so far */
    uint32_t flying;                    /* fetches at the server */
    uint64_t ahead_flying;              /* bytes of those that were sent while nobody waited */
    struct meter meter;
    struct stream stream;
    struct around around;
    uint64_t source_requests[CACHE_SOURCES], source_bytes[CACHE_SOURCES]; /* sent */
    uint64_t used_bytes[CACHE_SOURCES]; /* that came before they were needed, and were */
    struct list starved;                /* reads that could not get a fetch */
    struct fetch fetches[EXPORT_FETCHES + LOCAL_FETCHES];

    struct list log, open, ready;
    struct list write_wait; /* requests for which the log has no room */
    uint64_t log_bytes, log_count, acked_count, ack_counter, replay_left;
    struct list flush_wait, flush_now; /* requests; flush_now: covered by the flush under way */
    struct nbd_command flush;
    bool is_flushing, wants_drain, is_replay_refused;
    uint64_t flush_mark; /* the flush under way covers acknowledgements up to here */
    uint64_t flush_retry_ns;
};

enum share_way { SHARE_DOWN, SHARE_UP, SHARE_WAYS }; /* reads, writes */

/* Whose disks share a limit and a part of the link. */
struct tenant {
    struct list node; /* in engine->tenants */
    struct vdisk *engine;
    char name[64];
    uint32_t refs;            /* disks, fetches and writes; it ends with the last one */
    uint32_t fetches, blocks; /* that somebody waits for, of all exports; and their blocks */
    struct share_user share[SHARE_WAYS];
    struct limit limit;
    struct list holding; /* disks that hold requests back */
};

struct vdisk_disk {
    struct list node; /* in export->disks */
    struct vdisk_export *export;
    struct vdisk_config config;
    void (*changed)(void *owner);
    void *owner;
    const char *refusal; /* not NULL: it can never work; why */
    /* Mode server: the disk on the shared export; of that one: whose it is. Else NULL. */
    struct vdisk_disk *below, *above;
    bool is_joined;       /* the two exports have been compared */
    char why[320];        /* of a refusal that has to be put together */
    struct list requests; /* all under way */
    struct list early;    /* that came before the size was known */
    struct tenant *tenant;
    struct limit limit;
    struct list held;         /* requests over a limit, of the disk or of its tenant */
    struct list holding_node; /* in tenant->holding */
    struct overlay overlay;
    struct difference *diff; /* mode local; mode ram, if there is or will be a store */
    bool has_overlay, said_full, has_given_up;
    uint64_t ahead_next, ahead_end, ahead_window; /* sequential read-ahead: bytes */
    uint64_t blocked_since_ns;                    /* while requests wait */
    struct vdisk_counters counters;
};

struct vdisk {
    const struct vdisk_platform *platform;
    struct vdisk_limits limits;
    uint64_t now_ns;
    uint32_t next_export_id;
    bool is_stirred; /* an export has got work from another */
    struct list exports, tenants;
    struct share share[SHARE_WAYS];
    uint32_t tenant_count;
    bool is_ahead_time;  /* nobody waits for the link: what nobody waits for may go */
    struct store *store; /* NULL: none */
    struct local_queue unsaved;
    struct local_note note;
    struct store_op flush;      /* when everything is to become durable */
    uint32_t flushes;           /* still to be done of them; one may be under way */
    bool is_flushing, has_kept; /* has_kept: since the last one */
    bool has_read;              /* the store has ended reads: exports must be looked at again */
    uint64_t temporaries;       /* differences that have been made */
    struct list differences;    /* that are open, or still have something to do */
    struct waiter *waiter_free;
    struct list waiter_chunks;
    struct cache cache;
};

/* -- engine.c -- */
__attribute__((format(printf, 2, 3))) void vdisk_log(struct vdisk *v, const char *fmt, ...);
/* The line once for each disk of the export, with "disk 'NAME': " before it. */
void export_log(struct vdisk_export *e, const char *line);
struct waiter *waiter_get(struct vdisk *v); /* NULL: no memory */
void waiter_put(struct vdisk *v, struct waiter *w);
/* By a disk that is there, or by one that has gone and left writes behind. */
bool export_is_written(const struct vdisk_export *e);

/* -- tenant.c -- */
bool tenant_join(struct vdisk *v, struct vdisk_disk *d); /* false: no memory */
void tenant_leave(struct vdisk_disk *d);
/* True: the request is over a limit; it is held back until disk_go() is called with it. */
bool tenant_holds(struct vdisk_disk *d, struct vdisk_request *r);
/* What is held goes at once: the disk has failed. */
void tenant_let_all_go(struct vdisk_disk *d);
void tenants_run(struct vdisk *v); /* lets go what may go now */
uint64_t tenants_deadline(const struct vdisk *v);
/* Whoever keeps a tenant for longer than its disk lives. */
struct tenant *tenant_get(struct tenant *t);
void tenant_put(struct tenant *t);

/* -- sharing.c -- */
/* The link is shared: there are several tenants. Else each may send what it wants. */
static inline bool is_shared(const struct vdisk *v)
{
    return v->tenant_count > 1;
}
/* Runs all exports, in the order that the tenants' shares want. When the first wants to run again. */
uint64_t sharing_run(struct vdisk *v);
/* False: it is not this tenant's turn, or too much is under way. */
bool sharing_may_send(struct vdisk_export *e, struct tenant *t, enum share_way way, uint32_t bytes);
/* Bytes of one piece, of at most `most`. */
uint32_t sharing_piece(const struct vdisk *v, enum share_way way, uint32_t most);
/* One more fetch of so many blocks would leave the other tenants too little to fetch with. */
bool sharing_is_greedy(const struct vdisk_export *e, const struct tenant *t, uint32_t blocks);
/* There is room for what nobody waits for: on the link and among the fetches; for a boot's profile among the
 * fetches only (is_boot), since it has its turns. */
bool sharing_may_go_ahead(const struct vdisk_export *e, bool is_boot);
/* The same as sharing_may_send for a piece of a boot's profile: behind all that t waits for. */
bool sharing_may_boot(struct vdisk_export *e, struct tenant *t);
void sharing_sent(struct tenant *t, enum share_way way, struct share_flight *f, uint32_t bytes);
void sharing_landed(struct tenant *t, enum share_way way, struct share_flight *f, bool is_lost);

/* -- disk.c -- */
/* A request that no limit holds back goes its way. */
void disk_go(struct vdisk_request *r);
/* Ends a request that the disk accepted. */
void disk_complete(struct vdisk_request *r, int status);
/* The export's size has become known, or it failed: requests that waited for that go on. */
void disk_wake(struct vdisk_disk *d);
bool disk_is_writer(const struct vdisk_disk *d);
/* It will never work (again). */
bool disk_has_failed(const struct vdisk_disk *d);
/* A new request is counted; no limit holds it back. */
void disk_take(struct vdisk_disk *d, struct vdisk_request *r);
/* Mode local: the difference is still to be opened; mode server: one of the exports is not known yet.
   Requests wait unless the disk has failed. */
bool disk_is_opening(const struct vdisk_disk *d);
/* The server (or `what`) has been away for longer than the disk's configuration allows: what waits
   for it fails. */
void disk_give_up(struct vdisk_disk *d, const char *what);
/* Mode ram: goes on with a write or zeroes, and ends it, or it waits for room. */
void disk_write_overlay(struct vdisk_disk *d, struct vdisk_request *r);
/* A read goes on below what the disk itself holds: caches and server. */
void disk_read_below(struct vdisk_disk *d, struct vdisk_request *r);
/* Requests that have waited for longer than the disk's configuration allows fail. Returns when the next
 * one will have. */
uint64_t disk_fail_old(struct vdisk_disk *d);
uint32_t disk_features(const struct vdisk_disk *d); /* enum leat_blk_feature */

/* -- link.c -- */
void link_init(struct vdisk_export *e);
/* Everything that can move on this export. Returns when it wants to run again. */
uint64_t link_run(struct vdisk_export *e);
void link_close(struct vdisk_export *e);
void link_retry_now(struct vdisk_export *e);          /* ends a pause between two tries */
bool link_is_connected(const struct vdisk_export *e); /* writes may be sent */

void link_say(struct vdisk_export *e, const char *what, const char *why); /* in the log */

/* -- conns.c -- */
/* The connection with the least to do on which a command with that many payload bytes may be sent
   now; NULL: none. */
struct nbd_session *link_room(struct vdisk_export *e, uint32_t bytes);
/* Makes and runs the further connections. Not NULL: the link is lost, and why. */
const char *conns_run(struct vdisk_export *e);
uint64_t conns_deadline(const struct vdisk_export *e);
void conns_close(struct vdisk_export *e); /* what they owed is taken back */

/* -- offer.c -- */
/* What of an export's size can be used: whole blocks, and whole requests of the server's. */
uint64_t offer_size(const struct vdisk_export *e, uint64_t size_bytes);
/* NULL: the export can be used; else why not, for people. */
const char *offer_judge_first(struct vdisk_export *e, const struct nbd_export *x);
#define OFFER_TEXT 160u /* of an objection: it may be made there */
const char *offer_judge_again(struct vdisk_export *e, const struct nbd_export *x,
                              char text[OFFER_TEXT]);

/* -- read.c -- */
/* Serves a read from the cache and the server; calls disk_complete, perhaps at once. True: a part of
 * it had to be asked for. */
bool read_begin(struct vdisk_export *e, struct vdisk_request *r);
void read_retry_starved(struct vdisk_export *e);
/* Copies what block i of it and the request have in common. */
void read_copy(struct vdisk_export *e, const struct fetch *f, uint32_t i, struct vdisk_request *r);
/* A waiter ends; has_failed: without what it wanted. is_alone: it wanted all of its fetch, else its blocks are
 * tried once more by themselves. */
void read_served(struct vdisk_export *e, struct waiter *w, bool has_failed, bool is_alone);
void read_forget(struct vdisk_export *e, struct vdisk_request *r);
/* All that the read waits for is at the local store, or can be asked for there. */
bool read_waits_locally(const struct vdisk_export *e, const struct vdisk_request *r);

/* -- fetch.c -- */
void fetch_init(struct vdisk_export *e);
/* Neither in the cache, or on its way there, nor known to be zeros. */
bool fetch_is_missing(const struct vdisk_export *e, uint64_t block);
/* Asks for the missing blocks that begin at `first` and end before `end`, or at the first that is
 * there. How many; 0: no room for what nobody waits for. */
uint32_t fetch_ahead(struct vdisk_export *e, uint64_t first, uint64_t end,
                     enum cache_source source);
/* Sends what it can; true: something that must be on its way now. */
bool fetch_pump(struct vdisk_export *e);
/* Of several tenants: streams the profile of a boot that is under way, in its tenant's turn. True: it has
 * sent something. */
bool fetch_boot(struct vdisk_export *e);
/* A fetch of the run of missing blocks that starts at `first` and ends before `end`, stretched to
 * whole units, on behalf of t. NULL: none to be had now. */
struct fetch *fetch_make(struct vdisk_export *e, struct tenant *t, uint64_t first, uint64_t end,
                         enum cache_source source);
/* The same for a run of holes, which have to be judged before anybody may believe in them. */
struct fetch *fetch_make_hole(struct vdisk_export *e, struct tenant *t, uint64_t first,
                              uint64_t end);
/* The one place in which its blocks become good (after an error: free): served to who waits, cached, kept
 * on the local disk. */
void fetch_end(struct vdisk_export *e, struct fetch *f, uint32_t error);
/* A block that came for that reason is of use now. */
void fetch_count_used(struct vdisk_export *e, enum cache_source source);
/* t waits for it now. */
void fetch_hurry(struct vdisk_export *e, struct fetch *f, struct tenant *t);
uint32_t fetch_unit(const struct vdisk_export *e); /* blocks of the server's smallest request */
void fetch_aim(struct vdisk_export *e, struct fetch *f); /* its command, from its blocks */
/* Its block i is good: into the cache and the local store. */
void fetch_keep(struct vdisk_export *e, struct fetch *f, uint32_t i, enum cache_source source);
void fetch_fail_all(struct vdisk_export *e);

/* The blocks of a fetch have come, from the server or the local store; or error is not 0. It ends, or is
 * held until verify.c has judged it. */
void fetch_arrived(struct vdisk_export *e, struct fetch *f, uint32_t error);
/* The server's unit has grown, and nothing is at the server: what is queued is given up, and asked for once
 * more, in whole units, by the reads that wait. */
void fetch_anew(struct vdisk_export *e);
/* The store could not give it. */
void fetch_from_server(struct vdisk_export *e, struct fetch *f);
/* -- refute.c -- */
/* A fetch that is held has been judged and has bad blocks (or has failed: is_lie false, all bits of `refuted`
 * set): what is good of it is served, the rest will be asked for again. */
void refute(struct vdisk_export *e, struct fetch *f, bool is_lie);
/* Asks again where it is time; true: something has moved. */
bool refute_retry(struct vdisk_export *e);
uint64_t refute_deadline(const struct vdisk_export *e);

/* -- ahead.c -- */
/* After a read: what follows it in sequence, and what lies around a miss. */
void ahead_after_read(struct vdisk_disk *d, uint64_t offset, uint64_t length, bool is_miss);

/* -- stream.c -- */
/* The link is up and its size known: plans, records, ends the recording in time. */
void stream_run(struct vdisk_export *e);
/* Reads what of the profile the local store holds. */
void stream_local(struct vdisk_export *e);
/* Queues one more fetch of the profile or of the background fill. False: there is none to be queued. */
bool stream_next(struct vdisk_export *e);
/* The same, of the profile only. */
bool stream_next_of_profile(struct vdisk_export *e);
/* A boot is under way whose profile has not all been asked for. */
bool stream_is_booting(const struct vdisk_export *e);
/* A profile that was kept with the image, if there is none yet. Takes its content. */
void stream_adopt(struct vdisk_export *e, struct profile *p);
uint64_t stream_deadline(const struct vdisk_export *e); /* when stream_run has to look again */
void stream_restart(struct vdisk_export *e, struct vdisk_disk *d); /* a boot begins */
bool stream_is_done(const struct vdisk_export *e); /* all of the profile has been asked for */
void stream_free(struct vdisk_export *e);
/* Somebody reads these blocks. */
static inline void stream_note(struct vdisk_export *e, uint64_t first, uint64_t last)
{
    if (e->stream.recorder.is_on)
        recorder_note(&e->stream.recorder, first, last, e->engine->now_ns);
}

/* -- wlog.c -- */
void wlog_init(struct vdisk_export *e);
void wlog_submit(struct vdisk_export *e, struct vdisk_request *r); /* write, discard, zeroes */
void wlog_flush(struct vdisk_export *e, struct vdisk_request *r);
bool wlog_pump(struct vdisk_export *e);
void wlog_part_failed(struct write_record *w, uint32_t error); /* it cannot be written */
/* The session was lost: every record of the log is to be sent again. */
void wlog_rewind(struct vdisk_export *e);
void wlog_fail_all(struct vdisk_export *e);
void wlog_forget(struct vdisk_export *e, struct vdisk_request *r);
bool wlog_is_drained(const struct vdisk_export *e);
uint64_t wlog_deadline(const struct vdisk_export *e);

#endif
