// SPDX-License-Identifier: BSD-2-Clause
#include "services/client/keys.h"

#include <leat/keys.h>
#include <string.h>

static bool find_psk(const uint8_t *block, uint64_t size, char *psk, size_t room)
{
    struct leat_key key;
    for (uint64_t at = 0; at <= size && size - at >= sizeof key; at += leat_key_stride(key.size)) {
        memcpy(&key, block + at, sizeof key);
        const char *text = (const char *)block + at + sizeof key;
        if (key.kind == LEAT_KEY_END || !key.size || key.size > size - at - sizeof key ||
            leat_key_stride(key.size) > size - at)
            return false;
        if (key.kind != LEAT_KEY_PSK)
            continue;
        size_t line = text[key.size - 1] ? room : strcspn(text, "\r\n");
        if (line >= room)
            return false;
        memcpy(psk, text, line);
        psk[line] = 0;
        return true;
    }
    return false;
}

static const char *make(struct secure_tls *tls, const char *psk)
{
    const char *why = NULL;
    tls->keys = tls_keys_make(&(struct tls_keys_text){.psk = psk}, tls_random_take, NULL, &why);
    tls->base.start = secure_conn_start;
    return why;
}

const char *keys_begin(struct keys *keys, void *block, uint64_t size, const char *enrol_psk,
                       const struct tls_random_source *source)
{
    bool is_there = block && find_psk(block, size, keys->psk, sizeof keys->psk);
    const char *why = tls_random_begin(source);
    if (block)
        explicit_bzero(block, size);
    if (!is_there)
        return "this machine was given no key for the server";
    if (!why)
        why = make(&keys->own, keys->psk);
    return why ? why : make(&keys->enrol, enrol_psk);
}
