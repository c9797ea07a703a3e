// SPDX-License-Identifier: BSD-2-Clause
/* The clients' keys: for TLS of the clients' API, and for nbdkit's file. */
#ifndef LEATD_TLS_H
#define LEATD_TLS_H

#include "tools/leatd/request.h"
#include "tools/leatd/secret.h"

struct leatd;

#define TLS_ENROL_IDENTITY "enrol"
#define TLS_ENROL_WORDS "leat enrolment" /* its key is their SHA-256 */

/* TLS 1.2 and 1.3, with a pre-shared key and forward secrecy, AEAD alone (GnuTLS' priority strings). */
#define TLS_PRIORITIES                                                                             \
    "NORMAL:-KX-ALL:+ECDHE-PSK:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:"                   \
    "+CHACHA20-POLY1305:+AES-256-GCM:+AES-128-GCM"

/* The key of an identity. False: there is none, or the database cannot be asked; key is then random. */
bool tls_find_key(struct leatd *leatd, const char *identity, uint8_t key[KEY_BYTES]);

/* Is the client's key, as the database has it now, the one that its TLS connection was let in with? It may have changed. */
bool tls_is_key(const struct request *request, const char *key);

/* Writes nbd.psk anew if what it has to have has changed; then it rests for nine times as long as that took, if it took long. */
void tls_write_keys(struct leatd *leatd);

/* Milliseconds until keys that have changed are to be written, at most so many. */
int tls_keys_wait(const struct leatd *leatd, int most);

#endif
