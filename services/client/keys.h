// SPDX-License-Identifier: BSD-2-Clause
/* The client's two keys: its own, which the supervisor gives (include/leat/keys.h), and the one that everybody knows. */
#ifndef SERVICES_CLIENT_KEYS_H
#define SERVICES_CLIENT_KEYS_H

#include "vdisk/net/secure_conn.h"
#include "vdisk/tls/random.h"

struct keys {
    struct secure_tls own, enrol;
    char psk[200]; /* the own one, "UUID:HEX" */
};

/* Takes the first LEAT_KEY_PSK of block, whatever is in it, and overwrites all of it with zeros. enrol_psk: "enrol:HEX".
   source must stay. NULL: both are ready; else why not, for people. */
const char *keys_begin(struct keys *keys, void *block, uint64_t size, const char *enrol_psk,
                       const struct tls_random_source *source);

#endif
