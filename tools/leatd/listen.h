// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where clients connect. Of many machines that are switched on together the first is to have its disks while the last still
 * waits: who has come goes before who is coming, so leatd takes a new connection when nothing that is older has anything to do.
 * libmicrohttpd, left to itself, takes all of them and makes their handshakes in step.
 */
#ifndef LEATD_LISTEN_H
#define LEATD_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

struct leatd;

struct listen {
    int file;        /* -1: not open */
    unsigned passed; /* turns since the last one was taken */
    int64_t rests;   /* no new connection before: monotonic seconds */
};

/* At the address of the configuration; client_daemon is there. False with a sentence in error (CONFIG_ERROR_BYTES). */
bool listen_open(struct leatd *leatd, char *error);
void listen_close(struct leatd *leatd);

/* To be waited for until it can be read; -1: as many are connected as may be, or no descriptor was to be had a moment ago. */
int listen_file(const struct leatd *leatd);

/* Takes the next one, if its turn has come: nothing older waits, or so many turns have passed that it would starve. */
void listen_take(struct leatd *leatd);

#endif
