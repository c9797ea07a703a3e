// SPDX-License-Identifier: BSD-2-Clause
/* Random numbers, tokens, ids, hashes. None of it fails: a machine without random numbers ends the process. */
#ifndef LEATD_SECRET_H
#define LEATD_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_BYTES 25u       /* 24 hexadecimal digits and NUL */
#define TOKEN_BYTES 48u    /* "x." and 43 of base64url, with room and NUL */
#define HASH_BYTES 65u     /* SHA-256 in hexadecimal digits and NUL */
#define KEY_BYTES 32u      /* of a client's key */
#define KEY_TEXT_BYTES 65u /* the same in hexadecimal digits and NUL */

void secret_random(void *data, size_t size);

/* A new key of a client. */
void secret_key(char text[KEY_TEXT_BYTES]);

/* An id as in docs/server.md, "Objects": microseconds since 1970 and random digits. */
void secret_id(char id[ID_BYTES]);

/* "K.": 256 random bits in base64url behind the letter of the kind. */
void secret_token(char token[TOKEN_BYTES], char kind);

/* The form of a token of that kind, nothing more. */
bool secret_is_token(const char *text, char kind);

/* SHA-256 of the text, in hexadecimal digits. */
void secret_hash(char hash[HASH_BYTES], const char *text);

/* The same of data. */
void secret_hash_data(char hash[HASH_BYTES], const void *data, size_t size);

void secret_hex(char *text, const void *data, size_t size); /* 2 * size + 1 bytes of text */
bool secret_unhex(void *data, size_t size, const char *text);

/* Overwrites, also where the compiler knows that nobody reads it again. */
void secret_wipe(void *data, size_t size);

#endif
