// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/tls/random.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha512.h>
#include <string.h>

/*
 * Intel's guide to these instructions ("Digital Random Number Generator Software Implementation Guide"):
 * RDRAND succeeds within ten tries or is broken (5.2.1); RDSEED may be used up for a while (5.3.1); 512
 * samples of 128 bits from RDRAND are certain to hold a fresh seed (4.2.6).
 */
#define RDRAND_TRIES 10u
#define RDSEED_TRIES 1000u
#define RDRAND_WORDS 1024u
#define RDSEED_WORDS 64u
#define TICK_SAMPLES 256u
#define SEED_BYTES 64u

typedef bool take_word(uint64_t *word);

static struct {
    const struct tls_random_source *source;
    mbedtls_ctr_drbg_context generator;
    uint64_t seeds; /* taken so far */
    bool is_seeded;
    const char *why;
} state;

/* Some CPUs' generators have failed by giving the same number for ever, all ones most of all, with the
   carry flag set: no two neighbours of 64 bits are ever equal by chance. */
static bool take_good(take_word *take, unsigned tries, uint64_t *word)
{
    uint64_t before = *word;
    while (tries--)
        if (take(word))
            return *word != before && *word != 0 && *word != UINT64_MAX;
    return false;
}

/* Words that were mixed in. */
static unsigned mix_words(mbedtls_sha512_context *sha, take_word *take, unsigned tries,
                          unsigned count)
{
    uint64_t word = 0;
    unsigned n = 0;
    while (take && n < count && take_good(take, tries, &word)) {
        mbedtls_sha512_update_ret(sha, (const unsigned char *)&word, sizeof word);
        n++;
    }
    mbedtls_platform_zeroize(&word, sizeof word);
    return n;
}

static void mix_ticks(mbedtls_sha512_context *sha)
{
    for (unsigned i = 0; i < TICK_SAMPLES; i++) {
        uint64_t ticks = state.source->ticks();
        mbedtls_sha512_update_ret(sha, (const unsigned char *)&ticks, sizeof ticks);
    }
}

static int take_seed(void *ctx, unsigned char *to, size_t size)
{
    (void)ctx;
    const struct tls_random_source *s = state.source;
    unsigned char hash[SEED_BYTES];
    mbedtls_sha512_context sha;
    mbedtls_sha512_init(&sha);
    mbedtls_sha512_starts_ret(&sha, 0);
    state.seeds++;
    mbedtls_sha512_update_ret(&sha, (const unsigned char *)&state.seeds, sizeof state.seeds);
    unsigned seed_words = mix_words(&sha, s->rdseed, RDSEED_TRIES, RDSEED_WORDS);
    unsigned rand_words = mix_words(&sha, s->rdrand, RDRAND_TRIES, RDRAND_WORDS);
    mix_ticks(&sha);
    mbedtls_sha512_finish_ret(&sha, hash);
    mbedtls_sha512_free(&sha);
    bool is_good = (seed_words == RDSEED_WORDS || rand_words == RDRAND_WORDS) && size <= SEED_BYTES;
    if (is_good)
        memcpy(to, hash, size);
    else
        state.why = s->rdseed || s->rdrand
                        ? "the CPU's random number generator (RDRAND, RDSEED) does not work"
                        : "this CPU has no random number generator (RDRAND or RDSEED)";
    mbedtls_platform_zeroize(hash, sizeof hash);
    return is_good ? 0 : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}

const char *tls_random_begin(const struct tls_random_source *source)
{
    static const unsigned char purpose[] = "Leat vdisk TLS";
    state.source = source;
    state.why = "the random number generator cannot be set up";
    mbedtls_ctr_drbg_free(&state.generator);
    mbedtls_ctr_drbg_init(&state.generator);
    state.is_seeded =
        mbedtls_ctr_drbg_seed(&state.generator, take_seed, NULL, purpose, sizeof purpose) == 0;
    return state.is_seeded ? NULL : state.why;
}

int tls_random_take(void *ctx, unsigned char *to, size_t size)
{
    (void)ctx;
    if (!state.is_seeded) /* the generator itself would give numbers all the same */
        return MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
    while (size) {
        size_t n = size < MBEDTLS_CTR_DRBG_MAX_REQUEST ? size : MBEDTLS_CTR_DRBG_MAX_REQUEST;
        int error = mbedtls_ctr_drbg_random(&state.generator, to, n);
        if (error)
            return error;
        to += n;
        size -= n;
    }
    return 0;
}
