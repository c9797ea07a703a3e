// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/password.h"

#include "tools/leatd/secret.h"

#include <argon2.h>
#include <string.h>

// argon2id: 2 passes over 19 MiB, one lane (OWASP's password storage cheat sheet, 2023); a salt of 16, 32 bytes out.
#define PASSES 2
#define MEMORY_KIB (19u << 10)
#define LANES 1
#define SALT_BYTES 16u
#define OUT_BYTES 32u

bool password_hash(char hash[PASSWORD_HASH_BYTES], const char *password)
{
    uint8_t salt[SALT_BYTES];
    secret_random(salt, sizeof salt);
    return argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password, strlen(password), salt,
                                 sizeof salt, OUT_BYTES, hash, PASSWORD_HASH_BYTES) == ARGON2_OK;
}

bool password_is(const char *hash, const char *password)
{
    char other[PASSWORD_HASH_BYTES];
    if (!hash) {
        password_hash(other, password);
        return false;
    }
    return argon2id_verify(hash, password, strlen(password)) == ARGON2_OK;
}
