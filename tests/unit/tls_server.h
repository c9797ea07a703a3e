// SPDX-License-Identifier: BSD-2-Clause
/* A TLS server in the same process, by mbedTLS, for tests and measurements of vdisk/tls. */
#ifndef TESTS_UNIT_TLS_SERVER_H
#define TESTS_UNIT_TLS_SERVER_H

#include "vdisk/tls/random.h"
#include "vdisk/tls/tls.h"

/* Numbers that look random and are the same each time. */
const struct tls_random_source *tls_server_source(void);

/* psk: bytes of the key of the name "leat"; or else, with psk NULL, certificate and key in PEM. The random
   numbers are tls_random_take's. */
struct tls_server_keys {
    const unsigned char *psk;
    size_t psk_size;
    const char *certificate, *key;
};

struct tls_server;
struct tls_server *tls_server_open(const struct tls_server_keys *keys, const struct tls_wire *wire);
void tls_server_close(struct tls_server *s);
/* Goes on with the handshake. 1: done; 0: not yet; below: mbedTLS's error. */
int tls_server_handshake(struct tls_server *s);
/* Bytes moved, 0: none now; below 0: mbedTLS's error. */
long tls_server_send(struct tls_server *s, const void *data, size_t size);
long tls_server_receive(struct tls_server *s, void *data, size_t size);
const char *tls_server_suite(struct tls_server *s);

#endif
