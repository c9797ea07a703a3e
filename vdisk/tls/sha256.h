// SPDX-License-Identifier: BSD-2-Clause
/* SHA-256 by mbedTLS, for the engine's platforms. */
#ifndef VDISK_TLS_SHA256_H
#define VDISK_TLS_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* Of the salt and the data behind each other. */
void tls_sha256(const void *salt, size_t salt_size, const void *data, size_t size, uint8_t out[32]);

#endif
