// SPDX-License-Identifier: BSD-2-Clause
/*
 * [leatd]: where the server is that says what the machine runs. Nothing of a key's value is ever part of a message, nor
 * of what stands under a name that may have been meant for one.
 */
#include "lib/config/parser.h"
#include "lib/config/value.h"

#include <string.h>

#define UUID_CHARACTERS 36u /* RFC 4122, 3 */

static const char *take_servers(struct leat_config_leatd *leatd, const char *value)
{
    const char *reason = config_take_servers(value, LEAT_CONFIG_LEATD_SERVERS,
                                             "names more than four servers", leatd->servers);
    return reason == NULL && strspn(value, ", ") == strlen(value) ? "names no server" : reason;
}

static const char *take_psk(struct leat_config_leatd *leatd, const char *value)
{
    char name[UUID_CHARACTERS + 1] = "", uuid[LEAT_CONFIG_GUID];
    const char *colon = strchr(value, ':');
    if (colon == value + UUID_CHARACTERS)
        memcpy(name, value, UUID_CHARACTERS);
    if (value_guid(name, uuid) != NULL)
        return "must be UUID:HEX: the client's UUID and the key that leatd has made";
    return config_take_psk(value, leatd->psk, sizeof(leatd->psk));
}

static const char *take(struct leat_config_leatd *leatd, const char *key, const char *value)
{
    const char *there;
    if (strcmp(key, "servers") == 0)
        there = leatd->servers;
    else if (strcmp(key, "psk_file") == 0)
        there = leatd->psk_file;
    else if (strcmp(key, "psk") == 0)
        there = leatd->psk;
    else
        return "unknown key in this section";
    if (there[0] != '\0')
        return "given twice in this section";
    if (value[0] == '\0')
        return "is empty";
    if (there == leatd->servers)
        return take_servers(leatd, value);
    if (there == leatd->psk_file)
        return value_file(value, leatd->psk_file, sizeof(leatd->psk_file));
    return take_psk(leatd, value);
}

int config_take_leatd(struct config_parser *parser, const char *section, const char *key,
                      const char *value)
{
    const char *reason = take(&parser->config->leatd, key, value);
    bool may_show = strcmp(key, "servers") == 0 || strcmp(key, "psk_file") == 0;
    return reason == NULL ||
           config_fail(parser, parser->line, section, key, may_show ? value : NULL, reason);
}

bool config_check_leatd(struct config_parser *parser)
{
    const struct leat_config_leatd *leatd = &parser->config->leatd;
    const char *reason = NULL;
    if (leatd->line == 0)
        return true;
    if (parser->own_line != 0) {
        config_fail(parser, parser->own_line, NULL, NULL, NULL,
                    "is a section that the server of [leatd] gives: take it or [leatd] out");
        return false;
    }
    if (leatd->servers[0] == '\0')
        reason = "servers is missing; write for example servers = 192.168.1.10";
    else if (leatd->psk[0] != '\0' && leatd->psk_file[0] != '\0')
        reason = "psk and psk_file are the same thing: give one of them";
    if (reason != NULL)
        config_fail(parser, leatd->line, "leatd", NULL, NULL, reason);
    return reason == NULL;
}
