// SPDX-License-Identifier: BSD-2-Clause
/*
 * Between the supervisor and the process `client`, which speaks with leatd (docs/client.md): events as control
 * messages LEAT_CTL_CLIENT, and an area that both have mapped (start entry of role "offer").
 *
 * The client's process is not trusted with more than what it is there for: the supervisor copies what it uses, once, and
 * checks it.
 */
#ifndef LEAT_CLIENT_H
#define LEAT_CLIENT_H

#include <leat/types.h>

/* client -> supervisor: arg[0] of LEAT_CTL_CLIENT. */
enum leat_client_event {
    LEAT_CLIENT_NOTICE = 1, /* arg[1]: 0 or the seconds until it asks again; text: one sentence for the screen;
                               empty: the notice is over */
    LEAT_CLIENT_OFFER = 2,  /* area.offer is filled: answered by LEAT_CTL_CHOOSE */
    LEAT_CLIENT_MEMORY = 3, /* text: the file's name (LEAT_CLIENT_FILE); arg[1]: its bytes, arg[2]: a number. Answered
                               by ATTACH with that cookie: role "file", name, va, size; or by DETACH: no memory */
    LEAT_CLIENT_CONFIG = 4, /* area.config has arg[1] bytes: the start may go on. Once */
    LEAT_CLIENT_ENDED = 5,  /* leatd has ended the session; text: why */
    LEAT_CLIENT_PROFILE = 6, /* arg[1]: bytes taken from area.profile; it may be filled again */
    LEAT_CLIENT_REPORT = 7,  /* it wants a new report: answered by LEAT_CTL_REPORT */
    LEAT_CLIENT_BUSY = 8,    /* text: "disk 'VM/DISK': ", and why that VM waits for it */
};

#define LEAT_CLIENT_ENTRIES 64u
#define LEAT_CLIENT_LABEL 96u
#define LEAT_CLIENT_FILE 64u                   /* of a file's name, with its NUL: as in leat.conf */
#define LEAT_CLIENT_FILE_BYTES (512ull << 20)  /* of a file at most */
#define LEAT_CLIENT_CONFIG_BYTES (192u << 10)
#define LEAT_CLIENT_REPORT_BYTES (16u << 10)
#define LEAT_CLIENT_PROFILE_BYTES (1u << 20)
#define LEAT_CLIENT_STATE_BYTES 4096u

struct leat_client_entry {
    char name[32];                 /* of the disk, as in leat.conf */
    char label[LEAT_CLIENT_LABEL]; /* UTF-8 without control characters */
    uint32_t always;               /* it is no choice: it runs */
    uint32_t reserved;
};

struct leat_client_offer {
    uint32_t count;
    uint32_t chosen_first; /* index of the default */
    uint32_t timeout_s;    /* of the menu; 0: it waits for ever */
    uint32_t reserved;
    struct leat_client_entry entries[LEAT_CLIENT_ENTRIES];
};

struct leat_client_area {
    struct leat_client_offer offer;          /* client -> supervisor */
    char config[LEAT_CLIENT_CONFIG_BYTES];   /* client -> supervisor; secret */
    char report[LEAT_CLIENT_REPORT_BYTES];   /* supervisor -> client: JSON, one object */
    char profile_disk[32];                   /* supervisor -> client: whose profile follows */
    uint8_t profile[LEAT_CLIENT_PROFILE_BYTES];
    uint8_t state[LEAT_CLIENT_STATE_BYTES]; /* the client's own: what one that was started again goes on with
                                               (docs/client.md); zeros at first; secret */
};

#endif
