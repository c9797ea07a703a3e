// SPDX-License-Identifier: BSD-2-Clause
/*
 * The leases that leatd has given, and the disks that are open under them: one for each lease, for all
 * connections of it. A thread renews them. While leatd is away they go on, and an export that is open, or was
 * while leatd was away, can be opened again until its lease's expiry; nothing new is opened.
 *
 * A lease that is taken away closes its disk as soon as no request is inside, however long its clients stay connected.
 * So does one whose time is over, where another server may have the disk then (grant.pauses): its requests wait for a
 * renewal, LEASE_PAUSE_SECONDS at most; then its connections are cut, so that its client looks for another server.
 */
#ifndef NBDKIT_LEAT_LEASE_H
#define NBDKIT_LEAT_LEASE_H

#include "tools/nbdkit-leat/disk.h"

#define LEASE_PEER 64u
#define LEASE_KEYS 3u

struct lease {
    struct grant grant;
    struct disk disk;
    char token[GRANT_TOKEN], peer[LEASE_PEER];
    atomic_uint_fast64_t read, written; /* bytes */
    struct connection *connections;     /* the caller's */
    /* its own, as the rest: */
    atomic_bool is_gone;       /* taken away by leatd: no request is served any more */
    atomic_bool is_paused;     /* its time is over: the disk is closed until it has more */
    atomic_int_fast64_t until; /* milliseconds of the monotonic clock: nothing is done after that */
    atomic_uint inside;        /* requests that use the disk */
    unsigned users;
    bool is_open;       /* the disk */
    bool is_changing;   /* somebody opens or closes it, without the table's lock */
    bool is_close_owed; /* leatd has not been told of its end */
    bool is_listed;     /* as ended */
    int64_t renew_at;   /* seconds of the monotonic clock */
    unsigned place;     /* by that */
    struct lease *next, **at, *same[LEASE_KEYS], *next_ended;
};

struct lease_hooks {
    void (*log)(const char *sentence);       /* one line, without its line feed */
    void (*gone)(const struct lease *lease); /* its connections are to be cut */
};

/* Once, before threads; limit: bytes of a difference's file, 0: none. */
void lease_init(const struct lease_hooks *hooks, uint64_t limit);
/* most: that are held at the same time, ended ones too until leatd knows. */
bool lease_start_renewing(unsigned most);
void lease_stop_renewing(void);

/* NULL: refused; why is in the log. peer: the client's address without port, or "". Blocks while leatd is asked, while
   the disk is opened, and up to LEASE_WAIT_SECONDS for the end of another lease of the same difference. */
#define LEASE_WAIT_SECONDS 10
#define LEASE_PAUSE_SECONDS                                                                        \
    3 /* less than the 4 s that a client gives each of several servers (docs/vdisk.md) */
struct lease *lease_open(const char *token, const char *peer, bool read_only);
void lease_close(struct lease *lease);

/* Around each use of the disk but its size and is_writable. False: the lease is gone, or its time is over, and the disk
   not to be used. May wait. */
bool lease_enter(struct lease *lease);
void lease_leave(struct lease *lease);

/* Between the two: nothing more is to come of a request, its lease is gone or its time over. */
bool lease_is_vain(const struct lease *lease);
/* Between the two, for a request that was in vain: its client is told to look for another server. */
void lease_give_up(const struct lease *lease);

#endif
