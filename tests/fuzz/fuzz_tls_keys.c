// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that no text of a pre-shared key or of certificates, however broken, is read beyond its end, and that a
 * key is taken only if it has a name and 16 to 64 bytes. First byte: which of the texts the rest is.
 */
#include <mbedtls/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/tls/keys.h"

static int no_random(void *ctx, unsigned char *to, size_t size)
{
    (void)ctx;
    memset(to, 0, size);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    char *text = malloc(size); /* its end is the end of memory */
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    struct tls_keys_text texts = {.psk = data[0] % 4 == 0 ? text : NULL,
                                  .ca = data[0] % 4 ? text : NULL,
                                  .certificate = data[0] % 4 == 2 ? text : NULL,
                                  .key = data[0] % 4 == 2 ? text : NULL,
                                  .server_name = data[0] % 4 == 3 ? text : NULL};
    const char *why;
    struct tls_keys *k = tls_keys_make(&texts, no_random, NULL, &why);
    if (!k == !why)
        __builtin_trap();
    if (k && k->is_psk) {
        const char *colon = strchr(text, ':');
        if (!colon || colon == text || strlen(colon) < 33)
            __builtin_trap();
    }
    if (k)
        tls_keys_free(k);
    free(text);
    return 0;
}
