// SPDX-License-Identifier: BSD-2-Clause
/* The whole state of the process, handed to everything; nothing else is global. */
#ifndef LEATD_LEATD_H
#define LEATD_LEATD_H

#include "tools/leatd/config.h"
#include "tools/leatd/db.h"
#include "tools/leatd/limit.h"

#include <stdbool.h>
#include <stdint.h>

#define LEATD_VERSION "0.1.0"

struct MHD_Daemon;
struct control;
struct peer;

struct leatd {
    struct config config;
    struct db *db;
    struct limit limit;
    struct control *control;
    struct MHD_Daemon *admin_daemon, *client_daemon;
    struct MHD_Daemon *boot_daemon; /* NULL: [boot] is not there */
    int boot_folder;                /* open while boot_daemon is there */
    struct peer *peers;             /* who is connected to them */
    uint8_t enrol_key[32];
    bool has_others;          /* servers on the same database (servers.c) */
    bool has_warned_of_clock; /* of one of them */
    bool keys_changed;        /* nbd.psk may have to be written anew */
    char keys_hash[65];       /* SHA-256 of what nbd.psk has; "" before the first time */
    int64_t next_tick;        /* monotonic seconds */
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
