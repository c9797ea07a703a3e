// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/tls/sha256.h"

#include <mbedtls/sha256.h>
#include <stdlib.h>

void tls_sha256(const void *salt, size_t salt_size, const void *data, size_t size, uint8_t out[32])
{
    mbedtls_sha256_context context;
    mbedtls_sha256_init(&context);
    /* They fail with an accelerator in hardware only. No digest that could be foreseen may come of it. */
    if (mbedtls_sha256_starts_ret(&context, 0) ||
        mbedtls_sha256_update_ret(&context, salt, salt_size) ||
        mbedtls_sha256_update_ret(&context, data, size) || mbedtls_sha256_finish_ret(&context, out))
        abort();
    mbedtls_sha256_free(&context);
}
