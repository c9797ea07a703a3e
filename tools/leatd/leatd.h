// SPDX-License-Identifier: BSD-2-Clause
/* The whole state of the process, handed to everything; nothing else is global. */
#ifndef LEATD_LEATD_H
#define LEATD_LEATD_H

#include "tools/leatd/clean.h"
#include "tools/leatd/config.h"
#include "tools/leatd/db.h"
#include "tools/leatd/limit.h"
#include "tools/leatd/listen.h"
#include "tools/leatd/pace.h"
#include "tools/leatd/secret.h"

#include <stdbool.h>
#include <stdint.h>

#define LEATD_VERSION "0.1.0"

struct MHD_Daemon;
struct cleaning;
struct control;
struct peer;

struct leatd {
    struct config config;
    struct db *db;
    struct limit limit;
    struct control *control;
    struct MHD_Daemon *admin_daemon, *client_daemon;
    struct pace admin_pace, client_pace;
    uint64_t progress;    /* requests that have begun, gone on or ended, and connections */
    struct listen listen; /* client_daemon's connections come from here */
    struct MHD_Daemon *boot_daemon; /* NULL: [boot] is not there */
    int boot_folder;                /* open while boot_daemon is there */
    struct peer *peers;             /* who is connected to them */
    unsigned connections;           /* that each API has at most; 0: not bounded */
    struct cleaning *cleaning;      /* NULL: none is under way */
    struct clean_state clean;       /* clean.c's */
    unsigned drops;                 /* requests that remove a file themselves (brought.h) */
    uint8_t enrol_key[32];
    char instance[ID_BYTES];  /* this process, in its server's row (identity.h) */
    char place[80];           /* where it runs; "": not to be known */
    int64_t beat;             /* its notes of being alive */
    bool is_ousted;           /* another process has the server's name: this one has to end */
    bool has_others;          /* servers on the same database (servers.c) */
    bool has_warned_of_clock; /* of one of them */
    bool keys_changed;        /* nbd.psk may have to be written anew */
    int64_t keys_rest;        /* not before: ms of tls.c's clock */
    char keys_hash[65];       /* SHA-256 of what nbd.psk has; "" before the first time */
    int64_t next_tick;        /* monotonic seconds */
    int64_t lags_since;       /* likewise; 0: the database does not lag (lag.h) */
    int64_t cared_wall,
        cared_monotonic; /* when sessions and leases were last looked after; 0: never */
};

/* Seconds since 1970. */
int64_t leatd_now(void);

/* Seconds of a clock that never goes back. */
int64_t leatd_monotonic(void);

/* One line on standard error, with a name of the part in front. */
void leatd_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
