// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the vdisk service answers when the supervisor asks about its disks: as lines for people, as
 * JSON, or as the table of table.h. Long answers go out some lines at a time, so that no queue on
 * their way to the console fills up. A new question ends the answer that is under way. Portable.
 */
#ifndef VDISK_SERVICE_ANSWER_H
#define VDISK_SERVICE_ANSWER_H

#include <leat/start.h>

#include "vdisk/service/table.h"

#define ANSWER_LINES 16u            /* at a time */
#define ANSWER_PAUSE_NS 20000000ull /* until the next ones */

struct answer_disk {
    const char *name;
    const struct vdisk_disk *disk; /* NULL: it is not attached, */
    const char *why;               /* and why, for people */
    /* -- answer.c's, kept from one table to the next -- */
    uint64_t sampled_ns, sampled_bytes, rate;
};

struct answer {
    /* The i-th disk; NULL: there are no more. */
    struct answer_disk *(*disk)(void *ctx, unsigned i);
    void (*send)(void *ctx, const char *line, uint64_t number, bool is_last);
    void *ctx;
    /* -- answer.c's -- */
    bool is_on;
    uint64_t number;
    uint32_t what; /* enum leat_query */
    struct table table;
    unsigned next, line; /* disk; line of it */
    size_t sent;         /* of the JSON text */
    char text[VDISK_JSON_BYTES + 8];
};

/* number: repeated in each line; what: arg[1] of LEAT_CTL_QUERY. Sends the first lines. */
void answer_begin(struct answer *a, uint64_t number, uint64_t what, uint64_t now_ns);
/* The next lines. False: all has been said. */
bool answer_go_on(struct answer *a, uint64_t now_ns);

#endif
