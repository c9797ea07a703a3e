// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/tls/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/tls/keys.h"

#define CHUNK_BYTES 16384u /* the most that one TLS record holds */

struct tls {
    mbedtls_ssl_context ssl;
    const struct tls_keys *keys;
    struct tls_wire wire;
    bool is_open, has_ended;
    bool is_blocked; /* the wire took nothing */
    bool has_more;   /* the handshake can go on at once */
    bool is_refused;
    char why[192];
    size_t sending; /* of `chunk`, given to mbedTLS and not all on the wire yet */
    unsigned char chunk[CHUNK_BYTES];
};

static int wire_send(void *ctx, const unsigned char *data, size_t size)
{
    struct tls *t = ctx;
    long n = t->wire.send(t->wire.ctx, data, size);
    t->is_blocked = n == 0;
    return n > 0 ? (int)n : n == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int wire_receive(void *ctx, unsigned char *data, size_t size)
{
    struct tls *t = ctx;
    long n = t->wire.receive(t->wire.ctx, data, size);
    return n > 0 ? (int)n : n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

struct tls *tls_open(const struct tls_keys *keys, const char *host, const struct tls_wire *wire)
{
    struct tls *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->keys = keys;
    t->wire = *wire;
    mbedtls_ssl_init(&t->ssl);
    const char *name = keys->server_name[0] ? keys->server_name : host;
    if (mbedtls_ssl_setup(&t->ssl, &keys->config) ||
        (!keys->is_psk && mbedtls_ssl_set_hostname(&t->ssl, name))) {
        mbedtls_ssl_free(&t->ssl);
        free(t);
        return NULL;
    }
    mbedtls_ssl_set_bio(&t->ssl, t, wire_send, wire_receive, NULL);
    return t;
}

void tls_close(struct tls *t)
{
    if (t->is_open && !t->has_ended && !t->sending)
        mbedtls_ssl_close_notify(&t->ssl);
    mbedtls_ssl_free(&t->ssl);
    free(t);
}

/* Our Finished is gone, which the server cannot read with another key, and its own has not come. */
static bool has_proven(const struct tls *t)
{
    return t->keys->is_psk && !t->is_open &&
           t->ssl.state >= MBEDTLS_SSL_SERVER_CHANGE_CIPHER_SPEC && !t->ssl.out_left;
}

static const char *reason_of(const struct tls *t, int error)
{
    bool has_hung_up = error == MBEDTLS_ERR_SSL_CONN_EOF;
    switch (error) {
    case MBEDTLS_ERR_SSL_CONN_EOF: /* a server may hang up without an alert, or before it is read */
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        if (t->is_open || (has_hung_up && t->keys->is_psk && !has_proven(t)))
            return "TLS: the server ended the connection";
        return t->keys->is_psk ? "TLS: the server refuses: is the pre-shared key the right one?"
                               : "TLS: the server refuses: does it want a certificate, or a "
                                 "pre-shared key?";
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return "the server closed the connection";
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
        return "TLS: the server's certificate is not to be trusted";
    case MBEDTLS_ERR_SSL_INVALID_MAC:
        return "TLS: what came from the server is damaged, or its key is another one";
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
        return "TLS: no memory";
    default:
        return NULL;
    }
}

static void end(struct tls *t, int error)
{
    const char *reason = reason_of(t, error);
    t->has_ended = true;
    t->is_refused = has_proven(t) && (error == MBEDTLS_ERR_SSL_CONN_EOF ||
                                      error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    if (error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
        char text[112] = "";
        mbedtls_x509_crt_verify_info(text, sizeof text, "", mbedtls_ssl_get_verify_result(&t->ssl));
        text[strcspn(text, "\n")] = 0;
        snprintf(t->why, sizeof t->why, "%s: %s", reason, text);
    } else if (reason) {
        snprintf(t->why, sizeof t->why, "%s", reason);
    } else {
        snprintf(t->why, sizeof t->why, "TLS: error 0x%x", (unsigned)-error);
    }
}

/* True: the call succeeded; false: not now, or never again. */
static bool judge(struct tls *t, int result)
{
    if (result >= 0)
        return true;
    if (result != MBEDTLS_ERR_SSL_WANT_READ && result != MBEDTLS_ERR_SSL_WANT_WRITE)
        end(t, result);
    return false;
}

/* mbedTLS wants the same bytes again until they are gone, hence the copy. */
static void push(struct tls *t)
{
    while (t->sending && !t->has_ended) {
        int n = mbedtls_ssl_write(&t->ssl, t->chunk, t->sending);
        if (!judge(t, n))
            return;
        t->sending -= (size_t)n;
        memmove(t->chunk, t->chunk + n, t->sending);
    }
}

/* One step of the handshake: a message is judged, or made. */
static void shake_hands(struct tls *t)
{
    t->has_more = judge(t, mbedtls_ssl_handshake_step(&t->ssl));
    if (t->has_more && t->ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER) {
        t->is_open = true;
        t->has_more = false;
    }
}

void tls_pump(struct tls *t)
{
    if (!t->is_open && !t->has_ended)
        shake_hands(t);
    if (t->is_open)
        push(t);
}

bool tls_has_more(const struct tls *t)
{
    return t->has_more && !t->has_ended;
}

size_t tls_send(struct tls *t, const void *data, size_t size)
{
    size_t done = 0;
    while (t->is_open && !t->has_ended && done < size) {
        push(t);
        if (t->sending)
            break;
        size_t n = size - done < CHUNK_BYTES ? size - done : CHUNK_BYTES;
        memcpy(t->chunk, (const char *)data + done, n);
        t->sending = n;
        done += n;
        push(t);
    }
    return done;
}

size_t tls_receive(struct tls *t, void *data, size_t size)
{
    size_t done = 0;
    while (t->is_open && !t->has_ended && done < size) {
        int n = mbedtls_ssl_read(&t->ssl, (unsigned char *)data + done, size - done);
        if (n == 0)
            n = MBEDTLS_ERR_SSL_CONN_EOF;
        if (!judge(t, n))
            break;
        done += (size_t)n;
    }
    return done;
}

bool tls_is_sending(const struct tls *t)
{
    return !t->has_ended && t->is_blocked;
}

const char *tls_end_reason(const struct tls *t)
{
    return t->has_ended ? t->why : NULL;
}

bool tls_is_refused(const struct tls *t)
{
    return t->is_refused;
}
