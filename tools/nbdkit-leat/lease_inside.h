// SPDX-License-Identifier: BSD-2-Clause
/* What lease.c, lease_table.c, lease_ask.c, lease_disk.c, lease_pause.c and lease_renew.c share. */
#ifndef NBDKIT_LEAT_LEASE_INSIDE_H
#define NBDKIT_LEAT_LEASE_INSIDE_H

#include <pthread.h>
#include <time.h>

#include "tools/nbdkit-leat/lease.h"

/* The lock is held for moments: neither leatd is asked with it, nor a disk opened or closed. A lease without users
   that is neither open nor changing is the renewing thread's to forget; all others stay where they are. */
struct lease_table {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* some lease's is_open, is_changing, is_gone or until */
    pthread_cond_t due;     /* something for the renewing thread */
    struct lease *first,
        *ended; /* ended: all without users are in there, and some that have some again */
    unsigned count, most;
    bool is_away, is_stopping;
    struct lease_hooks hooks;
    uint64_t limit; /* bytes of a difference's file */
};
extern struct lease_table lease_table;

#define LEASE_FOR_EVER INT64_MAX /* of until, and of renew_at: not at all */

/* lease_table.c, with the lock. What a lease is looked for by does not change while it is in the table. */
enum lease_key { LEASE_BY_TOKEN, LEASE_BY_NAME, LEASE_BY_DIFFERENCE };
bool lease_table_add(struct lease *lease); /* false: there are as many as may be */
void lease_table_remove(struct lease *lease);
/* One of these, and the next; NULL: none. Nothing has no text. */
struct lease *lease_table_find(enum lease_key key, const char *text);
struct lease *lease_table_next(enum lease_key key, const struct lease *lease);
void lease_due_at(struct lease *lease, int64_t when);
void lease_all_due(void);
struct lease *lease_due(int64_t now); /* the first that is due; NULL: none */

__attribute__((format(printf, 1, 2))) void lease_say(const char *format, ...);
int64_t lease_seconds(clockid_t clock);
int64_t lease_milliseconds(clockid_t clock);

/* Asked without the table's lock. */
/* 1: given, and until when; 0: refused, and said; -1: no answer. */
int lease_ask_open(const char *token, const char *peer, bool read_only, struct grant *grant,
                   int64_t *until);
/* Says that the file of its new difference is there. */
bool lease_ask_confirm(struct lease *lease);
/* Asks for more time for a lease by its name; false: no answer. One that is gone is marked so, and its connections
   are cut. */
bool lease_ask_renew(const char *name, uint64_t read, uint64_t written);
bool lease_ask_close(const char *name);

/* lease_disk.c. With the table's lock, which is let go meanwhile. */
bool lease_open_disk(struct lease *lease);
void lease_close_disk(struct lease *lease);
/* It is gone, or its time is over. */
bool lease_shall_close(struct lease *lease);
void lease_close_if_unused(struct lease *lease); /* one that shall be, with nobody inside */
/* Those of this name, or all. Without the table's lock; all: by the renewing thread alone. */
void lease_close_named(const char *name);
void lease_close_unused(void);

/* lease_pause.c: the time of a lease. */
bool lease_is_over(struct lease *lease);
bool lease_has_time(const struct lease *lease);
/* Marks those whose time is over. */
void lease_pause(void);
/* Waits until the lease has time, and its disk is open. False: it is gone, or its connections have been cut. */
bool lease_await(struct lease *lease);
/* With the table's lock, which is let go meanwhile. Resume: also when the disk is open; it serves from then on. */
bool lease_resume(struct lease *lease);

#endif
