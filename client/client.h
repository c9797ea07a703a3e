// SPDX-License-Identifier: BSD-2-Clause
/*
 * A machine's side of leatd (docs/client.md): says hello until it is let in, offers the disks, downloads what was chosen,
 * gives the sections of leat.conf for it, and renews the session until the machine stops. Portable; the world around it is
 * its platform, what it gives goes to its output. One thread makes all calls.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "client/answer.h"

#define CLIENT_PORT 9471u
#define CLIENT_PSK_BYTES 200u /* as in leat.conf */
#define CLIENT_UUID_BYTES 37u

struct client_config {
    struct client_server servers[CLIENT_SERVERS]; /* of leatd */
    unsigned server_count;
    char psk[CLIENT_PSK_BYTES]; /* "UUID:HEX" */
    bool may_enrol;             /* the key is one that leatd may learn: the firmware keeps it */
    char version[32], product[64];
};

/* What the client gives. Texts are one sentence for people. None of these calls back into the client. */
struct client_output {
    void *ctx;
    /* wait_s: 0, or when it asks again. Empty: what the last one said is over. */
    void (*notice)(void *ctx, const char *text, uint64_t wait_s);
    void (*offer)(void *ctx, const struct leat_client_offer *offer); /* client_choose answers */
    /* Memory for a file; client_memory with that number answers. */
    void (*memory)(void *ctx, const char *name, uint64_t size, uint64_t number);
    /* Once. From here on the client touches no memory of a file any more. */
    void (*config)(void *ctx, const char *text, size_t size);
    void (*ended)(void *ctx, const char *why); /* leatd has ended the session; once */
    /* It cannot go on, and has to be made anew: the session was ended between memory() and config(). */
    void (*start_again)(void *ctx, const char *why);
    void (*profile_taken)(void *ctx, size_t size);
    void (*want_report)(void *ctx); /* client_report answers */
    /* A notice too, each second anew, and no line of the log. */
    void (*progress)(void *ctx, const char *text);
    /* What a VM of that disk's name waits for, as vdisk says it: "disk 'NAME/NAME': ..." */
    void (*busy)(void *ctx, const char *text);
};

/* What a client that is made anew goes on with, after config(). Secret. */
struct client_saved {
    char magic[8];
    uint32_t renew_s, server;
    char session[CLIENT_TOKEN];
};

struct client;

/* NULL: *why says why not. platform and output stay. */
struct client *client_create(const struct client_config *config,
                             const struct client_platform *platform,
                             const struct client_output *output, const char **why);
void client_free(struct client *c);

/* The key that everybody knows, "enrol:HEX" (docs/server.md, "Trust"). */
void client_enrol_psk(const struct client_platform *platform, char psk[CLIENT_PSK_BYTES]);

/* "HOST[:PORT], ..." as leat.conf has it. False: it names none, or what is no server. */
bool client_take_servers(struct client_config *config, const char *text);

/* The network card's address: nothing is said before it is known. */
void client_set_mac(struct client *c, const uint8_t mac[6]);
/* Why there is none yet, for people: one short phrase. */
void client_network_waits(struct client *c, const char *why);
/* The network has come up: what waits for a time-out tries at once. */
void client_network_up(struct client *c);
/* Bit n: entry n of the offer will run. Without an offer that is out it does nothing. */
void client_choose(struct client *c, uint64_t chosen);
/* memory: of the size that was asked for, the client's until config(). NULL: there is none. */
void client_memory(struct client *c, uint64_t number, void *memory);
/* One JSON object; what is none, or too long, is not sent. */
void client_report(struct client *c, const char *text, size_t size);
/* A boot profile for leatd; data stays until profile_taken(). */
void client_profile(struct client *c, const char *disk, const void *data, size_t size);
/* Says bye, in three seconds at most. */
void client_stop(struct client *c);
bool client_is_over(const struct client *c); /* after client_stop */

/* What it does now, for people. */
const char *client_describe(const struct client *c);

void client_save(const struct client *c, struct client_saved *to);
/* Instead of a hello. False: the bytes make no sense. */
bool client_go_on(struct client *c, const struct client_saved *from);

/* Goes on as far as it can now. Returns the time of platform.now_ns at which it must be called again at the latest;
   UINT64_MAX: none. */
uint64_t client_run(struct client *c);

#endif
