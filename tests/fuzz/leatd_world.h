// SPDX-License-Identifier: BSD-2-Clause
/* leatd for fuzzers: one database in memory with one of each object, in which what has been made stays; no TLS, no argon2, a
   clock that stands; files come into a folder in the one that the fuzzer runs in, which is gone at the end. */
#ifndef LEATD_WORLD_H
#define LEATD_WORLD_H

#include "tools/leatd/leatd.h"
#include "tools/leatd/request.h"
#include "tools/leatd/secret.h"

#include <stdint.h>

#define WORLD_UUID "00000000-0000-0000-0000-000000000001"

extern struct leatd world;
extern char world_admin[TOKEN_BYTES], world_session[TOKEN_BYTES], world_export[TOKEN_BYTES],
    world_tree[TOKEN_BYTES];

void require(int truth); /* aborts */

/* Makes the world at the first call; from time to time puts in order what inputs have done to it. */
void world_next(void);

/* One request behind HTTP and TLS; api is api_admin or api_client. The answer is in request, and is one. */
void world_ask(struct request *request, enum request_method method, const char *path,
               const char *body, size_t size, void (*api)(struct request *));

#endif
