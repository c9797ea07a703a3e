// SPDX-License-Identifier: BSD-2-Clause
/*
 * The keys of TLS in [server] and [disk NAME]. Nothing of a value is ever part of a message: it may be a
 * secret, and so may be what somebody wrote one line too high.
 */
#include "lib/config/parser.h"
#include "lib/text.h"
#include "lib/config/value.h"

#include <string.h>

#define PSK_LEAST_DIGITS 32u /* 128 bits */
#define PSK_MOST_DIGITS 128u
#define PSK_NAME_BYTES 63u

const char *config_take_psk(const char *value, char *out, size_t size)
{
    const char *colon = strchr(value, ':');
    if (colon == NULL || colon == value)
        return "must be NAME:HEX, as psktool writes it";
    if ((size_t)(colon - value) > PSK_NAME_BYTES)
        return "has a name of more than 63 bytes";
    size_t digits = strspn(colon + 1, "0123456789abcdefABCDEF");
    if (colon[1 + digits] != '\0' || digits % 2 != 0)
        return "has a key that is not hexadecimal";
    if (digits < PSK_LEAST_DIGITS || digits > PSK_MOST_DIGITS)
        return "has a key that is not of 16 to 64 bytes";
    return value_string(value, out, size);
}

static const struct {
    const char *key;
    size_t offset, size; /* in struct leat_config_tls */
    bool is_file;
    const char *(*take)(const char *value, char *out, size_t size);
} fields[] = {
#define FIELD(name)                                                                                \
    offsetof(struct leat_config_tls, name), sizeof(((struct leat_config_tls *)0)->name)
    {"tls_psk", FIELD(psk), false, config_take_psk},
    {"tls_psk_file", FIELD(psk_file), true, value_file},
    {"tls_ca", FIELD(ca), true, value_file},
    {"tls_cert", FIELD(certificate), true, value_file},
    {"tls_key", FIELD(key), true, value_file},
    {"tls_name", FIELD(server_name), false, value_host},
#undef FIELD
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static const char *field(const struct leat_config_tls *tls, size_t i)
{
    return (const char *)tls + fields[i].offset;
}

bool leat_config_has_keys(const struct leat_config_tls *tls)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (field(tls, i)[0] != '\0')
            return true;
    return false;
}

bool leat_config_same_keys(const struct leat_config_tls *a, const struct leat_config_tls *b)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (strcmp(field(a, i), field(b, i)) != 0)
            return false;
    return true;
}

const char *leat_config_key_file(const struct leat_config_tls *tls, unsigned n, const char **key)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (fields[i].is_file && field(tls, i)[0] != '\0' && n-- == 0) {
            *key = fields[i].key;
            return field(tls, i);
        }
    return NULL;
}

static void wipe(char *text, size_t size)
{
    volatile char *at = text; /* memset could be left out: nobody reads it any more */
    while (size-- != 0)
        *at++ = 0;
}

void leat_config_wipe_keys(struct leat_config *config)
{
    wipe(config->leatd.psk, sizeof(config->leatd.psk));
    wipe(config->tls.psk, sizeof(config->tls.psk));
    for (unsigned i = 0; i < LEAT_CONFIG_MAX_DISKS; i++)
        wipe(config->disks[i].tls.psk, sizeof(config->disks[i].tls.psk));
}

bool config_is_tls_key(const char *key)
{
    return strlen(key) >= 3 && memcmp(key, "tls", 3) == 0;
}

bool config_may_be_secret(const char *key)
{
    for (; strlen(key) >= 3; key++)
        if (memcmp(key, "psk", 3) == 0)
            return true;
    return false;
}

static const char *take_switch(struct config_parser *parser, const char *value)
{
    bool flag = false;
    if (parser->disk->wants_tls != LEAT_CONFIG_NOT_SAID)
        return "given twice in this section";
    const char *reason = value_flag(value, &flag);
    parser->disk->wants_tls = flag ? LEAT_CONFIG_YES : LEAT_CONFIG_NO;
    return reason;
}

static const char *take(struct config_parser *parser, const char *key, const char *value)
{
    bool is_disk = parser->section == CONFIG_DISK;
    struct leat_config_tls *tls = is_disk ? &parser->disk->tls : &parser->config->tls;
    tls->line = parser->line;
    if (is_disk && strcmp(key, "tls") == 0)
        return take_switch(parser, value);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(fields[i].key, key) != 0)
            continue;
        if (field(tls, i)[0] != '\0')
            return "given twice in this section";
        if (value[0] == '\0')
            return "is empty";
        return fields[i].take(value, (char *)tls + fields[i].offset, fields[i].size);
    }
    return "unknown key in this section";
}

int config_take_tls(struct config_parser *parser, const char *section, const char *key,
                    const char *value)
{
    const char *reason = take(parser, key, value);
    return reason == NULL || config_fail(parser, parser->line, section, key, NULL, reason);
}

static const char *judge(const struct leat_config_tls *tls)
{
    bool has_psk = tls->psk[0] != '\0' || tls->psk_file[0] != '\0';
    bool has_rest = tls->ca[0] != '\0' || tls->certificate[0] != '\0' || tls->key[0] != '\0' ||
                    tls->server_name[0] != '\0';
    if (tls->psk[0] != '\0' && tls->psk_file[0] != '\0')
        return "tls_psk and tls_psk_file are the same thing: give one of them";
    if (has_psk && has_rest)
        return "a pre-shared key (tls_psk) and certificates (tls_ca ...) exclude each other";
    if (has_rest && tls->ca[0] == '\0')
        return "tls_ca is missing: nobody vouches for the server";
    if ((tls->certificate[0] == '\0') != (tls->key[0] == '\0'))
        return "tls_cert and tls_key need each other";
    return NULL;
}

static const char *settle(const struct leat_config *config, struct leat_config_disk *disk)
{
    bool has_own = leat_config_has_keys(&disk->tls);
    if (disk->wants_tls == LEAT_CONFIG_NO)
        return has_own ? "tls = no, and keys for it" : NULL;
    if (!has_own && leat_config_has_keys(&config->tls))
        disk->tls = config->tls;
    else if (!has_own && disk->wants_tls == LEAT_CONFIG_YES)
        return "tls = yes needs keys: tls_psk, tls_psk_file or tls_ca, here or in [server]";
    return judge(&disk->tls);
}

bool config_check_tls(struct config_parser *parser)
{
    struct leat_config *config = parser->config;
    const char *reason = judge(&config->tls);
    if (reason != NULL)
        return config_fail(parser, config->tls.line, "server", NULL, NULL, reason);
    for (unsigned i = 0; i < config->disk_count; i++) {
        struct leat_config_disk *disk = &config->disks[i];
        char section[LEAT_CONFIG_NAME + 8];
        struct text text;
        reason = settle(config, disk);
        if (reason == NULL)
            continue;
        text_begin(&text, section, sizeof(section));
        text_put(text_put(&text, "disk "), disk->name);
        return config_fail(parser, disk->tls.line, section, NULL, NULL, reason);
    }
    return true;
}
