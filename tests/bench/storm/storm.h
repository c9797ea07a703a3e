// SPDX-License-Identifier: BSD-2-Clause
/* leat-storm: many machines that begin to boot at the same moment. What its files share. */
#ifndef BENCH_STORM_H
#define BENCH_STORM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#define STORM_IN_FLIGHT 32u
#define STORM_MAX_CLIENTS 1024u

struct storm_read {
    uint64_t offset;
    uint32_t length; /* bytes, a multiple of 512 */
};

struct storm_client {
    uint32_t number;
    char address[16];       /* its own, of 127.0.0.0/8 */
    char uuid[37], key[65]; /* with a key file */
    char disk_host[64], disk_port[8],
        token[128];           /* of the disk: from the command line, or leatd's answer */
    void *leatd, *connection; /* stay open until storm_*_close; NULL: none */
    int lun;                  /* of iSCSI */
    double let_in_s, open_s,
        done_s; /* from the start of all: leatd has said all; the disk is open; all is read */
};

struct storm {
    const struct storm_read *reads;
    uint32_t count;
    const char *leatd;    /* HOST:PORT, or NULL */
    const char *disk;     /* HOST:PORT of an NBD server; NULL: as leatd says */
    const char *iscsi;    /* iscsi://..., or NULL */
    const char *psk_file; /* the clients' keys, lines UUID:HEX */
    bool is_secure;       /* the disk is read over TLS */
};

/* All end the program with one line when something fails: a client that is not served makes the figure worthless. */
_Noreturn void storm_die(const struct storm_client *client, const char *what, const char *why);

/* HOST:PORT as its parts; ends the program if it is none. */
void storm_split(const char *address, char host[64], char port[8]);

/* A TCP connection to a numeric address, from the client's own. */
int storm_connect(const struct storm_client *client, const char *host, const char *port);

/* TLS on a socket that waits, with the client's key. send and receive: as send(2) and recv(2). close takes NULL too, and leaves
   the socket. */
struct storm_tls;
struct storm_tls *storm_tls_open(const struct storm_client *client, int fd);
ssize_t storm_tls_send(struct storm_tls *tls, const void *data, size_t size);
ssize_t storm_tls_receive(struct storm_tls *tls, void *data, size_t size);
void storm_tls_close(struct storm_tls *tls);

/* What a machine says to leatd at its start (client/), over one TLS connection with its key: hello, what it has chosen, the boot
   profile's download. Fills disk_host, disk_port and token. */
void storm_hello(const struct storm *storm, struct storm_client *client);
void storm_leatd_close(struct storm_client *client);

/* Opens the disk. */
void storm_nbd_open(const struct storm *storm, struct storm_client *client);
void storm_iscsi_open(const struct storm *storm, struct storm_client *client);
/* All reads of the boot. */
void storm_nbd_boot(const struct storm *storm, struct storm_client *client);
void storm_iscsi_boot(const struct storm *storm, struct storm_client *client);
void storm_nbd_close(struct storm_client *client);
void storm_iscsi_close(struct storm_client *client);

#endif
