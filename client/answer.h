// SPDX-License-Identifier: BSD-2-Clause
/*
 * What leatd's answers say (docs/server.md, "The client's API"), read from JSON and checked: everything in these
 * structures may be used as it is. A disk that cannot be used is left out with a line of the log; an answer that makes no
 * sense as a whole is refused.
 */
#ifndef CLIENT_ANSWER_H
#define CLIENT_ANSWER_H

#include <leat/client.h>

#include "client/exchange.h"

#define ANSWER_BYTES (256u << 10) /* of a hello's answer at most */
#define CLIENT_SERVERS 4u
#define CLIENT_TOKEN 80u
#define CLIENT_EXPORT 128u
#define CLIENT_PATH 128u
#define CLIENT_CMDLINE 2048u /* as in leat.conf */
#define CLIENT_SENTENCE 200u
#define CLIENT_BUSY 8u

enum client_mode {
    CLIENT_READ_ONLY,
    CLIENT_RAM,
    CLIENT_LOCAL,
    CLIENT_PRIVATE,
    CLIENT_LAYER, /* "server" */
};

struct client_file { /* size 0: there is none */
    char path[CLIENT_PATH];
    uint64_t size; /* at most LEAT_CLIENT_FILE_BYTES */
    uint8_t sha256[32];
};

struct client_disk {
    char name[32], label[LEAT_CLIENT_LABEL];
    bool is_default, always;
    enum client_mode mode;
    char export_name[CLIENT_EXPORT];
    char base[CLIENT_EXPORT]; /* mode server: the image's own export; else empty */
    char content[65];         /* empty: none */
    char tree[CLIENT_EXPORT]; /* the export of its image's hash tree; empty: nothing is verified */
    char root_hash[65];       /* with a tree: 64 hexadecimal digits, */
    uint64_t root_blocks;     /* blocks of 4096 bytes of the image, */
    uint64_t blocks;          /* and of the disk: not fewer. The rest is zeros */
    uint64_t iops, bandwidth; /* 0: no limit */
    unsigned memory_mib, cpus;
    struct client_file kernel, initrd, profile;
    char cmdline[CLIENT_CMDLINE];
};

struct client_hello { /* of a hello that was let in */
    char session[CLIENT_TOKEN];
    uint64_t renew_s;
    unsigned server_count; /* of NBD, in leatd's order; 1 at least */
    struct client_server servers[CLIENT_SERVERS];
    uint64_t menu_s;
    unsigned first; /* index of the default */
    unsigned disk_count;
    struct client_disk disks[LEAT_CLIENT_ENTRIES];
};

struct client_busy { /* a disk of the session that another client writes now */
    char disk[32], holder[64];
};

struct client_reply { /* of any answer; what is not there or makes no sense is empty or 0 */
    char state[16];
    char error[CLIENT_SENTENCE]; /* fit for the screen */
    uint64_t wait_s, renew_s;
    unsigned busy_count;
    struct client_busy busy[CLIENT_BUSY];
};

/* Called for each disk that is left out, and why. */
typedef void answer_note(void *ctx, const char *disk, const char *why);

/* text: of size bytes, anything. NULL: *out is filled; else why not, for people. */
const char *answer_hello(const char *text, size_t size, struct client_hello *out, answer_note *note,
                         void *ctx);
/* False: it is no JSON object. */
bool answer_reply(const char *text, size_t size, struct client_reply *out);
/* The text is one JSON object. */
bool answer_is_object(const char *text, size_t size);

#endif
