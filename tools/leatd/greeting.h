// SPDX-License-Identifier: BSD-2-Clause
/* What a machine says of itself when it says hello or wants to be enrolled, and how it is refused. */
#ifndef LEATD_GREETING_H
#define LEATD_GREETING_H

#include "tools/leatd/check.h"
#include "tools/leatd/request.h"

#define GREETING_WAIT 10  /* seconds until a client that was refused may ask again */
#define GREETING_NOTES 5u /* events in a minute about one client, or one address */

struct greeting {
    char uuid[UUID_BYTES], macs[MACS_BYTES];
    const char *version; /* belongs to the request */
    char *
        hardware; /* JSON, from cJSON_PrintUnformatted; NULL if there is none; the caller frees it */
};

/* False with a refusal; nothing is to be freed then. */
bool greeting_read(struct request *request, struct greeting *greeting);

/* {"state", "error", "wait"}. */
void greeting_refuse(struct request *request, int status, const char *state, int64_t wait,
                     const char *sentence);

/* Refuses a machine that nobody has added, with an event now and then. Inside of a transaction. */
enum db_result greeting_unknown(struct request *request, int status,
                                const struct greeting *greeting);

/* {"state": "known", "wait"}. */
void greeting_known(struct request *request);

#endif
