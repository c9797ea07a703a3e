// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random numbers for keys where no system gives them: AES-256 in counter mode (NIST SP 800-90A,
 * mbedTLS's CTR_DRBG), seeded from the CPU's random number generator, many samples of which are hashed
 * into each seed. There is one generator for each process.
 */
#ifndef VDISK_TLS_RANDOM_H
#define VDISK_TLS_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the machine has. The two instructions: false when there is no number now (carry flag clear); NULL:
   the CPU has no such instruction. ticks: a fast clock, whose jitter is mixed in and counts for nothing. */
struct tls_random_source {
    bool (*rdseed)(uint64_t *word);
    bool (*rdrand)(uint64_t *word);
    uint64_t (*ticks)(void);
};

/* NULL: seeded, tls_random_take works. Else why there are no random numbers, for people: then TLS must
   not be used. source must stay. */
const char *tls_random_begin(const struct tls_random_source *source);
/* A tls_random (tls.h); ctx is not used. Not 0: no seed could be had. */
int tls_random_take(void *ctx, unsigned char *to, size_t size);

#endif
