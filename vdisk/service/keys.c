// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/keys.h"

#include <leat/keys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct key_set {
    struct secure_tls tls;
    struct tls_keys_text text; /* only while they are read: in the block */
    char why[160];             /* not empty: it cannot be used */
};

static struct key_set *sets[LEAT_KEY_SETS];

static struct key_set *set_of(uint32_t number)
{
    if (number >= LEAT_KEY_SETS)
        return NULL;
    if (!sets[number])
        sets[number] = calloc(1, sizeof *sets[number]);
    return sets[number];
}

static void take_record(struct key_set *set, uint32_t kind, const char *text)
{
    switch (kind) {
    case LEAT_KEY_PSK:
        set->text.psk = text;
        break;
    case LEAT_KEY_CA:
        set->text.ca = text;
        break;
    case LEAT_KEY_CERTIFICATE:
        set->text.certificate = text;
        break;
    case LEAT_KEY_PRIVATE:
        set->text.key = text;
        break;
    case LEAT_KEY_SERVER_NAME:
        set->text.server_name = text;
        break;
    default:
        snprintf(set->why, sizeof set->why, "TLS: its key file %.64s could not be loaded", text);
    }
}

static void read_records(const uint8_t *block, uint64_t size)
{
    struct leat_key key;
    for (uint64_t at = 0; size - at >= sizeof key; at += leat_key_stride(key.size)) {
        memcpy(&key, block + at, sizeof key);
        const char *text = (const char *)block + at + sizeof key;
        if (key.kind == LEAT_KEY_END || key.size == 0 || key.size > size - at - sizeof key ||
            leat_key_stride(key.size) > size - at || text[key.size - 1])
            return;
        struct key_set *set = set_of(key.set);
        if (set)
            take_record(set, key.kind, text);
    }
}

static void judge_clock(struct key_set *set, const struct keys_world *world)
{
    char now[16] = "nothing", built[16];
    struct tm tm;
    time_t now_s = (time_t)world->now_s, built_s = (time_t)world->built_s;
    if (!set->text.ca || world->now_s >= world->built_s)
        return;
    if (now_s)
        strftime(now, sizeof now, "%Y-%m-%d", gmtime_r(&now_s, &tm));
    strftime(built, sizeof built, "%Y-%m-%d", gmtime_r(&built_s, &tm));
    snprintf(
        set->why, sizeof set->why,
        "TLS: this machine's clock says %s, and Leat was built on %s: set it in the firmware's "
        "setup, else no certificate can be checked",
        now, built);
}

static void make_ready(struct key_set *set, const char *no_random)
{
    const char *why = no_random;
    if (!why)
        set->tls.keys = tls_keys_make(&set->text, tls_random_take, NULL, &why);
    if (!set->tls.keys)
        snprintf(set->why, sizeof set->why, "TLS: %s", why);
    set->tls.base.start = secure_conn_start;
}

void keys_take(void *block, uint64_t size, const struct keys_world *world)
{
    const char *no_random = tls_random_begin(world->source);
    read_records(block, size);
    for (unsigned i = 0; i < LEAT_KEY_SETS; i++) {
        struct key_set *set = sets[i];
        if (!set || set->tls.keys)
            continue;
        if (!set->why[0])
            judge_clock(set, world);
        if (!set->why[0])
            make_ready(set, no_random);
        memset(&set->text, 0, sizeof set->text);
    }
    explicit_bzero(block, size);
}

const struct vdisk_tls *keys_find(uint64_t number, const char **why)
{
    struct key_set *set = number < LEAT_KEY_SETS ? sets[number] : NULL;
    *why = set ? set->why : "TLS: its keys could not be loaded";
    return set && !set->why[0] ? &set->tls.base : NULL;
}
