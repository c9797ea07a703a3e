// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/tls_server.h"

#include <mbedtls/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/tls/random.h"

struct tls_server {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
    struct tls_wire wire;
};

static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                              MBEDTLS_ECP_DP_NONE};

static uint64_t counter;

static bool next_word(uint64_t *word)
{
    *word = ++counter * 0x9e3779b97f4a7c15ull;
    return true;
}

static uint64_t next_tick(void)
{
    return ++counter;
}

const struct tls_random_source *tls_server_source(void)
{
    static const struct tls_random_source source = {next_word, next_word, next_tick};
    return &source;
}

static int wire_send(void *ctx, const unsigned char *data, size_t size)
{
    struct tls_server *s = ctx;
    long n = s->wire.send(s->wire.ctx, data, size);
    return n > 0 ? (int)n : n == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int wire_receive(void *ctx, unsigned char *data, size_t size)
{
    struct tls_server *s = ctx;
    long n = s->wire.receive(s->wire.ctx, data, size);
    return n > 0 ? (int)n : n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int take_keys(struct tls_server *s, const struct tls_server_keys *keys)
{
    if (keys->psk)
        return mbedtls_ssl_conf_psk(&s->config, keys->psk, keys->psk_size,
                                    (const unsigned char *)"leat", 4);
    int error = mbedtls_x509_crt_parse(&s->certificate, (const unsigned char *)keys->certificate,
                                       strlen(keys->certificate) + 1);
    if (!error)
        error = mbedtls_pk_parse_key(&s->key, (const unsigned char *)keys->key,
                                     strlen(keys->key) + 1, NULL, 0);
    return error ? error : mbedtls_ssl_conf_own_cert(&s->config, &s->certificate, &s->key);
}

struct tls_server *tls_server_open(const struct tls_server_keys *keys, const struct tls_wire *wire)
{
    struct tls_server *s = calloc(1, sizeof *s);
    s->wire = *wire;
    mbedtls_ssl_init(&s->ssl);
    mbedtls_ssl_config_init(&s->config);
    mbedtls_x509_crt_init(&s->certificate);
    mbedtls_pk_init(&s->key);
    mbedtls_ssl_config_defaults(&s->config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_curves(&s->config,
                            curves); /* GnuTLS goes by the client's order, mbedTLS not */
    mbedtls_ssl_conf_rng(&s->config, tls_random_take, NULL);
    if (take_keys(s, keys) || mbedtls_ssl_setup(&s->ssl, &s->config))
        abort();
    mbedtls_ssl_set_bio(&s->ssl, s, wire_send, wire_receive, NULL);
    return s;
}

void tls_server_close(struct tls_server *s)
{
    mbedtls_ssl_free(&s->ssl);
    mbedtls_ssl_config_free(&s->config);
    mbedtls_x509_crt_free(&s->certificate);
    mbedtls_pk_free(&s->key);
    free(s);
}

static long judge(int result)
{
    return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE ? 0 : result;
}

int tls_server_handshake(struct tls_server *s)
{
    int result = mbedtls_ssl_handshake(&s->ssl);
    return result == 0 ? 1 : (int)judge(result);
}

long tls_server_send(struct tls_server *s, const void *data, size_t size)
{
    return judge(mbedtls_ssl_write(&s->ssl, data, size < 16384 ? size : 16384));
}

long tls_server_receive(struct tls_server *s, void *data, size_t size)
{
    return judge(mbedtls_ssl_read(&s->ssl, data, size));
}

const char *tls_server_suite(struct tls_server *s)
{
    return mbedtls_ssl_get_ciphersuite(&s->ssl);
}
