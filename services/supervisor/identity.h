// SPDX-License-Identifier: BSD-2-Clause
/* Who this machine is to its server: the UUID of its SMBIOS, and the client's key. */
#ifndef SUPERVISOR_IDENTITY_H
#define SUPERVISOR_IDENTITY_H

#include "lib/config/config.h"

struct identity {
    char uuid[LEAT_CONFIG_GUID]; /* empty: nobody knows */
    char key[LEAT_CONFIG_PSK];   /* secret: "UUID:HEX"; empty: there is none */
    bool may_enrol;              /* the key is the firmware's, and the next start has it too */
};

/* Reads it from leat.conf, the file that it names, or what boot has of the firmware. NULL, or for people why there is no
   key. */
const char *identity_read(const struct leat_config *config, struct identity *identity);

#endif
