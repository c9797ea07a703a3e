// SPDX-License-Identifier: BSD-2-Clause
/*
 * How often libmicrohttpd is run. It asks to be run again at once while a TLS handshake waits for its client (0.9.75: the
 * connection stays in its list of ready ones), so three bytes of somebody would keep leatd busy for as long as he may wait. Turns
 * of that kind, in which nothing arrived and nothing was done, are made rarer: a fifth of the time at most goes into them.
 */
#ifndef LEATD_PACE_H
#define LEATD_PACE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

/* Turns without a rest: what is sent in pieces out of memory is not seen as progress. */
#define PACE_TURNS 64u

struct pace {
    unsigned turns; /* in which nothing was to be seen, in a row */
    int rest_ms;    /* before the next of them */
};

/* progress: of this daemon's callbacks; counts up. */
void pace_run(struct pace *pace, struct MHD_Daemon *daemon, const uint64_t *progress);

/* Milliseconds until it has to be run, unless something arrives; at most the given. */
int pace_timeout(const struct pace *pace, struct MHD_Daemon *daemon, int most);

/* Has anything arrived for it? */
bool pace_has_news(struct MHD_Daemon *daemon);

/* The descriptor that can be read then; -1: it has none. */
int pace_file(struct MHD_Daemon *daemon);

#endif
