// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/tls/keys.h"

#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>

#define PSK_BYTES 64u /* 16 at least: 128 bits */
#define PSK_LEAST_BYTES 16u
#define DHM_LEAST_BITS 2048u

/* In the order of what they cost with this library: ChaCha20 comes before AES even where the CPU has
   instructions for AES (docs/benchmarks.md). */
static const int psk_suites[] = {MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256,
                                 MBEDTLS_TLS_DHE_PSK_WITH_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_DHE_PSK_WITH_AES_256_GCM_SHA384, 0};
static const int certificate_suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                         MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                                         MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                         MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                         MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                         MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                         0};

/* The first is the cheapest by far: its keys are as good as P-256's. */
static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                              MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_SECP521R1,
                                              MBEDTLS_ECP_DP_NONE};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of the hexadecimal text's first line; 0: it is none, or too long. */
static size_t take_hex(const char *text, unsigned char *to, size_t room)
{
    size_t n = 0;
    for (; *text && *text != '\n' && *text != '\r'; text += 2) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0 || n == room)
            return 0;
        to[n++] = (unsigned char)(high << 4 | low);
    }
    return n;
}

static const char *take_psk(struct tls_keys *k, const char *text)
{
    unsigned char psk[PSK_BYTES];
    const char *colon = strchr(text, ':');
    size_t name = colon ? (size_t)(colon - text) : 0;
    if (!name || memchr(text, '\n', name))
        return "the pre-shared key is not of the form NAME:HEX";
    size_t size = take_hex(colon + 1, psk, sizeof psk);
    const char *why = NULL;
    if (size < PSK_LEAST_BYTES)
        why = "the pre-shared key is not 16 to 64 bytes in hexadecimal";
    else if (mbedtls_ssl_conf_psk(&k->config, psk, size, (const unsigned char *)text, name))
        why = "the pre-shared key cannot be used";
    mbedtls_platform_zeroize(psk, sizeof psk);
    mbedtls_ssl_conf_ciphersuites(&k->config, psk_suites);
    k->is_psk = true;
    return why;
}

static int parse_certificate(mbedtls_x509_crt *to, const char *pem)
{
    return mbedtls_x509_crt_parse(to, (const unsigned char *)pem, strlen(pem) + 1);
}

static const char *take_certificates(struct tls_keys *k, const struct tls_keys_text *text)
{
    if (!text->ca)
        return "neither a pre-shared key nor a certificate authority is given";
    if (parse_certificate(&k->ca, text->ca))
        return "the certificates of the authorities cannot be read";
    mbedtls_ssl_conf_ca_chain(&k->config, &k->ca, NULL);
    mbedtls_ssl_conf_authmode(&k->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ciphersuites(&k->config, certificate_suites);
    if (!text->certificate && !text->key)
        return NULL;
    if (!text->certificate || !text->key)
        return "a certificate of one's own needs its key, and the key its certificate";
    if (parse_certificate(&k->certificate, text->certificate))
        return "the certificate cannot be read";
    if (mbedtls_pk_parse_key(&k->key, (const unsigned char *)text->key, strlen(text->key) + 1, NULL,
                             0) ||
        mbedtls_pk_check_pair(&k->certificate.pk, &k->key))
        return "the certificate's key cannot be read, or is another one's";
    if (mbedtls_ssl_conf_own_cert(&k->config, &k->certificate, &k->key))
        return "the certificate cannot be used";
    return NULL;
}

struct tls_keys *tls_keys_make(const struct tls_keys_text *text, tls_random *random, void *ctx,
                               const char **why)
{
    struct tls_keys *k = calloc(1, sizeof *k);
    *why = "no memory";
    if (!k)
        return NULL;
    mbedtls_ssl_config_init(&k->config);
    mbedtls_x509_crt_init(&k->ca);
    mbedtls_x509_crt_init(&k->certificate);
    mbedtls_pk_init(&k->key);
    if (!mbedtls_ssl_config_defaults(&k->config, MBEDTLS_SSL_IS_CLIENT,
                                     MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT)) {
        mbedtls_ssl_conf_min_version(&k->config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                     MBEDTLS_SSL_MINOR_VERSION_3);
        mbedtls_ssl_conf_curves(&k->config, curves);
        mbedtls_ssl_conf_dhm_min_bitlen(&k->config, DHM_LEAST_BITS);
        mbedtls_ssl_conf_rng(&k->config, random, ctx);
#ifdef MBEDTLS_SSL_RENEGOTIATION /* in Debian's build; in ring 3 there is no such code */
        mbedtls_ssl_conf_renegotiation(&k->config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
        if (text->server_name)
            strncpy(k->server_name, text->server_name, sizeof k->server_name - 1);
        *why = text->psk ? take_psk(k, text->psk) : take_certificates(k, text);
    }
    if (*why) {
        tls_keys_free(k);
        return NULL;
    }
    return k;
}

void tls_keys_free(struct tls_keys *k)
{
    mbedtls_ssl_config_free(&k->config);
    mbedtls_x509_crt_free(&k->ca);
    mbedtls_x509_crt_free(&k->certificate);
    mbedtls_pk_free(&k->key);
    free(k);
}
