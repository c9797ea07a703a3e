// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/secret.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define TOKEN_RANDOM 32u
#define TOKEN_DIGITS 43u // of base64url for 32 bytes

static const char hex[] = "0123456789abcdef";
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void secret_random(void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = getrandom((char *)data + done, size - done, 0);
        if (got < 0)
            abort();
        done += (size_t)got;
    }
}

void secret_id(char id[ID_BYTES])
{
    struct timespec now;
    uint32_t random;
    clock_gettime(CLOCK_REALTIME, &now);
    secret_random(&random, sizeof random);
    uint64_t micro = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
    snprintf(id, ID_BYTES, "%016llx%08x", (unsigned long long)micro, random);
}

void secret_token(char token[TOKEN_BYTES], char kind)
{
    uint8_t data[TOKEN_RANDOM + 1];
    secret_random(data, TOKEN_RANDOM);
    data[TOKEN_RANDOM] = 0;
    token[0] = kind;
    token[1] = '.';
    for (unsigned i = 0; i < TOKEN_DIGITS; i++) {
        unsigned bit = 6 * i;
        unsigned pair = (unsigned)data[bit / 8] << 8 | data[bit / 8 + (bit / 8 < TOKEN_RANDOM)];
        token[2 + i] = base64url[pair >> (10 - bit % 8) & 63];
    }
    token[2 + TOKEN_DIGITS] = 0;
    secret_wipe(data, sizeof data);
}

bool secret_is_token(const char *text, char kind)
{
    return text[0] == kind && text[1] == '.' && strlen(text + 2) == TOKEN_DIGITS &&
           strspn(text + 2, base64url) == TOKEN_DIGITS;
}

void secret_hash_data(char hash[HASH_BYTES], const void *data, size_t size)
{
    uint8_t digest[32];
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, data, size, digest) < 0)
        abort();
    secret_hex(hash, digest, sizeof digest);
}

void secret_hash(char hash[HASH_BYTES], const char *text)
{
    secret_hash_data(hash, text, strlen(text));
}

void secret_key(char text[KEY_TEXT_BYTES])
{
    uint8_t key[KEY_BYTES];
    secret_random(key, sizeof key);
    secret_hex(text, key, sizeof key);
    secret_wipe(key, sizeof key);
}

void secret_hex(char *text, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = hex[bytes[i] >> 4];
        text[2 * i + 1] = hex[bytes[i] & 15];
    }
    text[2 * size] = 0;
}

static int digit(char c)
{
    const char *at = c ? strchr(hex, c) : NULL;
    return at ? (int)(at - hex) : -1;
}

bool secret_unhex(void *data, size_t size, const char *text)
{
    if (strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ((uint8_t *)data)[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void secret_wipe(void *data, size_t size)
{
    explicit_bzero(data, size);
}
