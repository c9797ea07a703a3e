// SPDX-License-Identifier: BSD-2-Clause
/*
 * The streaming engine: block devices whose content comes from NBD servers, behind a RAM cache and,
 * in mode `ram`, an overlay.
 *
 * Single-threaded and event-driven: requests are submitted, vdisk_run() moves everything that can
 * move, and each request's done() is called exactly once, from vdisk_submit() itself (a cache hit)
 * or from vdisk_run(). While a server is away, requests wait.
 */
#ifndef VDISK_VDISK_H
#define VDISK_VDISK_H

#include <leat/blk.h>

#include "vdisk/content.h"
#include "vdisk/limit.h"
#include "vdisk/list.h"
#include "vdisk/meter.h"
#include "vdisk/platform.h"
#include "vdisk/verity/verity.h"

enum vdisk_mode {
    VDISK_PRIVATE = 0, /* writes go to the server's image */
    VDISK_RAM = 1,     /* writes stay in memory and are gone at detach */
    VDISK_LOCAL = 2,   /* writes go to a difference in the local store, which stays: difference.h */
    VDISK_SERVER = 3,  /* writes go to the client's own export over the shared one: composed.h */
};

struct vdisk_limits {
    uint64_t cache_bytes;   /* RAM cache of the whole engine; raised to 2 MiB */
    uint64_t overlay_bytes; /* default bound of a disk's overlay */
    uint64_t log_bytes;     /* copies of unflushed writes of one export; 0: 32 MiB */
    uint64_t fill_rate;     /* bytes a second of background fill (stream.c); 0: none */
    uint64_t quiet_ns;      /* a boot has ended when it needed nothing new for that long; 0: 15 s */
    uint64_t silence_ns;    /* a server that owes answers may be silent that long; 0: 30 s */
    uint32_t connections;   /* to one export, if its server allows several; 0: one */
    uint64_t idle_ns;       /* a connection with nothing to do is tried by a small read; 0: 15 s */
};

#define VDISK_SERVERS 4u

struct vdisk_server {
    char host[128];
    uint16_t port;
};

struct vdisk_config { /* of one disk */
    char name[64];    /* in mode local also the difference's: unique to the VM and the disk */
    char host[128];   /* the platform's connect() understands it */
    uint16_t port;
    struct vdisk_server more[VDISK_SERVERS - 1]; /* others of the same image, tried in turn */
    uint32_t more_count;
    const struct vdisk_tls *tls; /* NULL: plain text. Must outlive the engine. */
    char export_name[256];
    enum vdisk_mode mode;
    bool is_read_only;
    uint64_t give_up_ns;    /* so long a request waits for a server that is away; 0: for ever */
    bool is_profiled;       /* its boots are recorded: vdisk_profile_take, or the local store */
    uint64_t overlay_bytes; /* 0: the engine's default */
    uint8_t content[CONTENT_BYTES]; /* the name of this version of the image: content.h */
    bool has_content;               /* else no local disk keeps blocks of it */
    /* Limits (limit.h) of this disk, and of all disks of the tenant together: those that the disk of it
       that came last has said. What is over a limit waits; what the guest gets counts, cache or not. */
    struct limit_rates rates, tenant_rates;
    char tenant[64];      /* empty: the disk's name, so a tenant of its own */
    uint32_t link_weight; /* the tenant's part of a busy link (share.h); 0: 100 */
    bool has_root; /* every block must match `root`: verify.h. Not where the image is written */
    struct verity_root root;
    char hash_export[256]; /* the hash tree, on the same servers; empty: EXPORT.verity */
    /* Mode server: the client's own export, a layer over the shared one that the names above are of. It
       is used with `tls` too. */
    char client_export[256];
    struct vdisk_server client_servers[VDISK_SERVERS];
    uint32_t client_count; /* 0: those of the shared export */
    bool below_is_hole;    /* holes that are not zeros are the shared image's: layers.h */
};

struct vdisk_counters { /* since attach */
    uint64_t requests;
    uint64_t ram_bytes;     /* read from the cache */
    uint64_t disk_bytes;    /* read, after waiting for the local disk */
    uint64_t network_bytes; /* read, after waiting for the server */
    uint64_t overlay_bytes; /* read from the overlay or the difference */
    uint64_t hole_bytes;    /* read where the server has said that there are only zeros */
    uint64_t written_bytes;
    uint64_t errors;     /* requests that ended with an error */
    uint64_t stall_ns;   /* sum over requests of the time that they waited for the server */
    uint64_t blocked_ns; /* time in which at least one request waited */
    uint64_t latency[METER_BUCKETS]; /* of requests: meter.h */
    uint32_t waiting;                /* requests now under way */
    uint64_t held, held_ns;          /* requests that a limit held back; for how long, summed up */
};

struct vdisk;
struct vdisk_disk;
struct store; /* store/store.h */

/*
 * One request; memory of the caller, untouched by it between submit and done. `data` of a write is
 * copied during vdisk_submit or later, and of a read is written until done; it may be memory that
 * an untrusted process shares: the engine never decides anything from it. A read without data (NULL)
 * goes to nowhere: it only brings its blocks into the cache.
 */
struct vdisk_request {
    uint32_t op, flags; /* enum leat_blk_op, enum leat_blk_flag */
    uint64_t offset, length;
    uint8_t *data;
    void (*done)(struct vdisk_request *request, int status); /* enum leat_error */
    void *owner;
    /* -- the engine's -- */
    struct list node;      /* in the queue it waits in */
    struct list disk_node; /* in its disk's list of requests under way */
    struct vdisk_disk *disk;
    uint64_t submitted_ns;
    uint64_t next_block;            /* of a read: blocks before it are copied or waited for */
    uint64_t counted_block;         /* of a read: blocks before it do not count in these any more */
    uint64_t hole_bytes;            /* of a read: what needed nobody, being a hole */
    uint64_t ram_bytes, disk_bytes; /* what was in the cache; what the local disk has given */
    /* Of a read: the sectors of each 4 KiB block that are there already (NULL: none), in all. */
    const uint8_t *held;
    uint64_t held_bytes;
    struct diff_op *diff;        /* in mode local: its operation at the store */
    struct vdisk_request *below; /* in mode server: its reads of the shared export */
    uint64_t taken;              /* of a write to the overlay: bytes that it has */
    uint32_t pieces;             /* waiters of it in fetches */
    int status;
};

/* NULL: no memory. The platform must outlive the engine. */
struct vdisk *vdisk_create(const struct vdisk_platform *platform,
                           const struct vdisk_limits *limits);
/* Every disk must have been detached. Closes connections; unflushed writes that were not drained
 * are dropped. */
void vdisk_destroy(struct vdisk *v);

/* Moves everything that can move. Returns the time at which it wants to be called again even if
   nothing happens (UINT64_MAX: never). */
uint64_t vdisk_run(struct vdisk *v);

/*
 * The local store, where blocks of images with a content id are kept over a reboot, and boot profiles.
 * store_open() has said OK. The engine calls store_run() from vdisk_run(), which the platform calls also
 * when the store's device has done something, and the time that it returns is the store's too. NULL: it
 * is not used any more, and must not be run any more, but be destroyed. It may be destroyed only after
 * that, or after vdisk_destroy(). Disks in mode `local` wait for a store, and fail for good when it is taken
 * away: vdisk_drain() and vdisk_is_drained() first.
 */
void vdisk_use_store(struct vdisk *v, struct store *s);

/* The network has come up: servers that are waited for are tried at once. */
void vdisk_network_up(struct vdisk *v);

/* True when no write of any disk, attached or detached, waits to be made durable, and nothing of what
 * the local store was to keep when vdisk_drain was called, or of boot profiles. */
bool vdisk_is_drained(const struct vdisk *v);
/* Asks every export to flush what is unflushed, without a request of a client, and the local store. */
void vdisk_drain(struct vdisk *v);

/* Starts a disk. changed(owner) is called from vdisk_run or a later engine call when vdisk_info
   would give another answer. NULL: no memory. A disk that can never work comes as LEAT_BLK_FAILED.
 */
struct vdisk_disk *vdisk_attach(struct vdisk *v, const struct vdisk_config *config,
                                void (*changed)(void *owner), void *owner);
/* Ends a disk at once: requests under way are forgotten (their done is not called, their memory is
   not touched again); writes that the engine holds copies of still go to the server and are flushed
   there. */
void vdisk_detach(struct vdisk_disk *disk);

/*
 * Boot profiles (profile/profile.h). A profile belongs to the image: the disks of an export share it.
 * The first disk of an export that has is_profiled or was given a profile starts a recording, which
 * ends by itself (limits.quiet_ns), by vdisk_profile_end, or at the 1 GiB that a profile holds.
 */
/* Streams these blocks first. Anything may be in `data`, which is copied. NULL: taken (if it turns out
   to be for an image of another size it is dropped, with a line in the log); else why not. */
const char *vdisk_profile_put(struct vdisk_disk *disk, const void *data, size_t size);
/* The same, unless the local store has one. */
const char *vdisk_profile_suggest(struct vdisk_disk *disk, const void *data, size_t size);
void vdisk_profile_end(struct vdisk_disk *disk);
/* Once for each recording that has ended: what its boot and those before it have needed, in *data,
   which the caller frees. Returns the size; 0: nothing new. */
size_t vdisk_profile_take(struct vdisk_disk *disk, void **data);

/* Any argument may be hostile: ends with LEAT_EINVAL (ranges, alignment, op), LEAT_EROFS, LEAT_EIO,
   LEAT_ENOSPC (a write, and the local store is full). */
void vdisk_submit(struct vdisk_disk *disk, struct vdisk_request *request);

/* Fills all of *info. */
void vdisk_info(const struct vdisk_disk *disk, struct leat_blk_info *info);
/* In mode server: that of the shared image. */
const struct vdisk_config *vdisk_config_of(const struct vdisk_disk *disk);
/* One line for people: "disk 'web1/root': ready, 2.0 GiB". Returns its length. */
size_t vdisk_status_line(const struct vdisk_disk *disk, char *line, size_t size);
/* The same with mode and server; a line, indented, with every counter that is not 0; and one with the
   boot profile, times and the link. Return the length. */
size_t vdisk_query_line(const struct vdisk_disk *disk, char *line, size_t size);
size_t vdisk_traffic_line(const struct vdisk_disk *disk, char *line, size_t size);
size_t vdisk_speed_line(const struct vdisk_disk *disk, char *line, size_t size);
/* One JSON object with everything that is counted; at most VDISK_JSON_BYTES. */
#define VDISK_JSON_BYTES 6144u
size_t vdisk_json(const struct vdisk_disk *disk, char *text, size_t size);
/* What people look at, at this moment. */
struct vdisk_figures {
    uint32_t state; /* enum leat_blk_state */
    uint64_t profile_bytes,
        profile_there;                 /* of the boot profile; how much of it has been brought */
    uint64_t delivered_bytes;          /* so far, by the link, for all disks of the export */
    uint64_t link_rate, rtt_ns;        /* bytes a second; 0: unknown */
    uint64_t stall_ns;                 /* in which at least one request waited */
    uint64_t half_us, most_us, all_us; /* 50, 99 and 100 % of the requests took less; 0: none */
};
void vdisk_figures_of(const struct vdisk_disk *disk, struct vdisk_figures *figures);
void vdisk_counters_of(const struct vdisk_disk *disk, struct vdisk_counters *counters);

#endif
