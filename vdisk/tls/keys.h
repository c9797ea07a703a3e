// SPDX-License-Identifier: BSD-2-Clause
/* What keys.c and tls.c share. */
#ifndef VDISK_TLS_KEYS_H
#define VDISK_TLS_KEYS_H

#include <mbedtls/ssl.h>

#include "vdisk/tls/tls.h"

struct tls_keys {
    mbedtls_ssl_config config;
    mbedtls_x509_crt ca, certificate;
    mbedtls_pk_context key;
    bool is_psk;
    char server_name[256];
    tls_random *random;
    void *random_ctx;
};

#endif
