// SPDX-License-Identifier: BSD-2-Clause
/* Administrators' passwords. */
#ifndef LEATD_PASSWORD_H
#define LEATD_PASSWORD_H

#include <stdbool.h>

#define PASSWORD_HASH_BYTES 128u
#define PASSWORD_LEAST 10u /* bytes of a password */
#define PASSWORD_MOST 200u

/* argon2id with a fresh salt, in its usual text form. False: no memory. */
bool password_hash(char hash[PASSWORD_HASH_BYTES], const char *password);

/* hash NULL stands for an account that does not exist: false, after the same time. */
bool password_is(const char *hash, const char *password);

#endif
