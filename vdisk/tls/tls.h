// SPDX-License-Identifier: BSD-2-Clause
/*
 * TLS 1.2 as a client, by mbedTLS, for the platforms of the engine: keys, and the encryption of one
 * connection whose raw bytes the platform moves. Nothing here blocks. Only suites with forward
 * secrecy and authenticated encryption are offered; a certificate is always verified.
 */
#ifndef VDISK_TLS_TLS_H
#define VDISK_TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* -- keys (keys.c) -- */

struct tls_keys;

/* Random bytes good enough for keys: 0, or not 0: there are none. */
typedef int tls_random(void *ctx, unsigned char *to, size_t size);

/* With mbedtls_config.h, whoever links vdisk_tls defines this: time(), for the validity of certificates. */
time_t tls_wall_clock(time_t *now);

/* Texts as in the files: ended by a NUL. Each may be NULL. `psk`: the first line "NAME:HEX", as
   psktool writes it; or else `ca`: certificates in PEM of those who may vouch for the server, and
   with them perhaps `certificate` and `key` of the client's own, in PEM. server_name: what the server's
   certificate must be for; NULL: the host that is connected to, which must then be a name. The texts may
   be wiped after it. NULL: `why` says what is wrong, without any part of a key. */
struct tls_keys_text {
    const char *psk, *ca, *certificate, *key, *server_name;
};
struct tls_keys *tls_keys_make(const struct tls_keys_text *text, tls_random *random, void *ctx,
                               const char **why);
void tls_keys_free(struct tls_keys *keys); /* wiped; no connection may use them any more */

/* -- one connection (tls.c) -- */

struct tls;

/* The raw bytes. Bytes moved; 0: none now; -1: the connection has ended. */
struct tls_wire {
    long (*send)(void *ctx, const void *data, size_t size);
    long (*receive)(void *ctx, void *data, size_t size);
    void *ctx;
};

/* NULL: no memory. keys must stay. */
struct tls *tls_open(const struct tls_keys *keys, const char *host, const struct tls_wire *wire);
void tls_close(struct tls *t); /* says goodbye if it can; the wire stays open */

/* The wire can move again: goes on with what is still to be sent, or with one step of the handshake. Some of its
 * steps take milliseconds: whoever has other work does it in between. */
void tls_pump(struct tls *t);
/* tls_pump has another step to do, without anything from the wire. */
bool tls_has_more(const struct tls *t);
/* Bytes taken or given, 0: none now. `data` of a send may change after it. */
size_t tls_send(struct tls *t, const void *data, size_t size);
size_t tls_receive(struct tls *t, void *data, size_t size);
/* True if tls_pump has something to send as soon as the wire takes it. */
bool tls_is_sending(const struct tls *t);
/* NULL: all is well; else why it has ended, for people. */
const char *tls_end_reason(const struct tls *t);
/* It has ended, by the server, when that had the proof of our pre-shared key and had not given its own: as it is where the
 * server has another key, with or without an alert (RFC 4279, section 2), and rarely where it died just then. */
bool tls_is_refused(const struct tls *t);

#endif
