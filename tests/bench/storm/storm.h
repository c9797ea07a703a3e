// SPDX-License-Identifier: BSD-2-Clause
/* leat-storm: many machines that begin to boot at the same moment. What its files share. */
#ifndef BENCH_STORM_H
#define BENCH_STORM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define STORM_IN_FLIGHT 32u
#define STORM_MAX_CLIENTS 1024u

struct storm_read {
    uint64_t offset;
    uint32_t length; /* bytes, a multiple of 512 */
};

struct storm_client {
    uint32_t number;
    char address[16];                             /* its own, of 127.0.0.0/8 */
    char uuid[37], key[65];                       /* mode leatd */
    char host[64], port[8];                       /* leatd's */
    char disk_host[64], disk_port[8], token[128]; /* of the disk: from leatd's answer */
    void *connection;                             /* stays open until storm_*_close */
    uint8_t *buffers[STORM_IN_FLIGHT];
};

struct storm {
    const struct storm_read *reads;
    uint32_t count;
    const char *uri;        /* nbd://..., nbds:// or iscsi://...; NULL: by leatd */
    const char *psk_file;   /* the clients' keys, by leatd */
    const char *plain_disk; /* HOST:PORT: the disk there, without TLS; NULL: as leatd says */
};

/* All end the program with one line when something fails: a client that is not served makes the figure worthless. */
_Noreturn void storm_die(const struct storm_client *client, const char *what, const char *why);

/* A TCP connection from the client's own address. */
int storm_connect(const struct storm_client *client, const char *host, const char *port);

/* Hello over TLS with the client's key, and the boot profile's download; fills disk_host, disk_port, token. The connection
   is closed: Leat makes a new one for each renewal. */
void storm_hello(struct storm_client *client);

void storm_nbd_boot(const struct storm *storm, struct storm_client *client);
void storm_nbd_close(struct storm_client *client);

void storm_iscsi_boot(const struct storm *storm, struct storm_client *client);
void storm_iscsi_close(struct storm_client *client);

#endif
