// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/config.h"

#include "tools/leatd/check.h"

#include <arpa/inet.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { TEXT, NAME, ADDRESS, SERVERS, SECONDS, MENU };

struct key {
    const char *section, *name;
    enum kind kind;
    size_t at, size; // in struct config
    const char *fallback;
};

#define KEY(s, n, k, member, d)                                                                    \
    {                                                                                              \
        s, n, k, offsetof(struct config, member), sizeof(((struct config *)0)->member), d          \
    }

static const struct key keys[] = {
    KEY("state", "folder", TEXT, folder, "/var/lib/leat"),
    KEY("state", "database", TEXT, database, "sqlite:leat.db"),
    KEY("state", "images", TEXT, images, "images"),
    KEY("state", "differences", TEXT, differences, "differences"),
    KEY("state", "server", NAME, server, NULL),
    KEY("admin", "listen", ADDRESS, admin, "127.0.0.1:9470"),
    KEY("admin", "certificate", TEXT, certificate, ""),
    KEY("admin", "key", TEXT, key, ""),
    KEY("client", "listen", ADDRESS, client, "0.0.0.0:9471"),
    KEY("client", "menu", MENU, menu_timeout, "10"),
    KEY("boot", "listen", ADDRESS, boot, NULL),
    KEY("boot", "folder", TEXT, boot_folder, "boot"),
    KEY("export", "servers", SERVERS, servers, NULL),
    KEY("control", "socket", TEXT, control, "control.sock"),
    KEY("control", "group", TEXT, control_group, ""),
    KEY("times", "session", SECONDS, session_term, "90"),
    KEY("times", "lease", SECONDS, lease_term, "60"),
    KEY("times", "login", SECONDS, login_term, "43200"),
    KEY("times", "request", SECONDS, request_term, "60"),
};

struct reading {
    struct config *config;
    char *error;
};

/* HOST:PORT or [HOST]:PORT, numbers alone: leatd must not wait for a name server. */
static const char *set_address(struct sockaddr_storage *out, const char *text)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t size = colon ? (size_t)(colon - text) : 0;
    if (!size || size >= sizeof host)
        return "has to be ADDRESS:PORT";
    bool brackets = text[0] == '[' && colon[-1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(size - 2 * brackets), text + brackets);
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end || port > 65535)
        return "has a port that is none";
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
    } else if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
    } else {
        return "has an address that is none (a number, not a name)";
    }
    return NULL;
}

static const char *set_servers(struct config *config, const char *text)
{
    config->server_count = 0;
    while (*text) {
        size_t size = strcspn(text, ",");
        if (config->server_count == CONFIG_SERVERS)
            return "names more than 4 servers";
        if (!memchr(text, ':', size) || size >= sizeof config->servers[0])
            return "has to be HOST:PORT[,HOST:PORT...]";
        snprintf(config->servers[config->server_count++], sizeof config->servers[0], "%.*s",
                 (int)size, text);
        text += size + (text[size] == ',');
        text += strspn(text, " ");
    }
    return NULL;
}

static const char *set(struct config *config, const struct key *key, const char *text)
{
    void *member = (char *)config + key->at;
    char *end;
    switch (key->kind) {
    case ADDRESS:
        return set_address(member, text);
    case SERVERS:
        return set_servers(config, text);
    case SECONDS:
        *(int64_t *)member = strtol(text, &end, 10);
        return *end || *(int64_t *)member < 2 || *(int64_t *)member > 10000000
                   ? "has to be a number of seconds, 2 at least"
                   : NULL;
    case MENU:
        *(int64_t *)member = strtol(text, &end, 10);
        return *end || end == text || *(int64_t *)member < 0 ||
                       *(int64_t *)member > CONFIG_MENU_MOST
                   ? "has to be a number of seconds, 0 for a menu that waits"
                   : NULL;
    case NAME:
        if (!check_name(text))
            return "has to be a name of a-z, 0-9, dots and dashes";
        break;
    case TEXT:
        break;
    }
    return (size_t)snprintf(member, key->size, "%s", text) < key->size ? NULL : "is too long";
}

static int on_line(void *context, const char *section, const char *name, const char *value)
{
    struct reading *reading = context;
    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i].section, section) || strcmp(keys[i].name, name))
            continue;
        const char *why = set(reading->config, &keys[i], value);
        if (why)
            snprintf(reading->error, CONFIG_ERROR_BYTES, "[%.20s] %.20s %s", section, name, why);
        return !why;
    }
    snprintf(reading->error, CONFIG_ERROR_BYTES, "there is no key %.40s in [%.40s]", name, section);
    return 0;
}

static bool in_folder(const struct config *config, char *path)
{
    char joined[2 * CONFIG_PATH_BYTES + 2];
    if (path[0] == '/')
        return true;
    snprintf(joined, sizeof joined, "%s/%s", config->folder, path);
    return (size_t)snprintf(path, CONFIG_PATH_BYTES, "%s", joined) < CONFIG_PATH_BYTES;
}

static bool in_folder_database(struct config *config)
{
    char path[CONFIG_PATH_BYTES];
    if (strncmp(config->database, "sqlite:", 7) || config->database[7] == '/')
        return true;
    if ((size_t)snprintf(path, sizeof path, "%s", config->database + 7) >= sizeof path ||
        !in_folder(config, path))
        return false;
    snprintf(config->database, sizeof config->database, "sqlite:%s", path);
    return true;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* What no key can be judged by alone. */
static const char *check_together(struct config *config)
{
    if (config->folder[0] != '/')
        return "[state] folder has to be an absolute path";
    if (!in_folder(config, config->images) || !in_folder(config, config->differences) ||
        !in_folder(config, config->control) || !in_folder(config, config->boot_folder) ||
        !in_folder_database(config))
        return "a path is too long";
    if (!config->server[0] && config->database[0] == 'p')
        return "[state] server has to be given: the host's name is not one, and servers of one "
               "database need their own";
    if (!config->server[0])
        strcpy(config->server, "server");
    if (!config->certificate[0] != !config->key[0])
        return "[admin] certificate and key go together";
    if (!config->certificate[0] && !is_loopback(&config->admin))
        return "[admin] listen: without certificate and key only a loopback address is allowed";
    return NULL;
}

static void set_defaults(struct config *config)
{
    char host[64];
    memset(config, 0, sizeof *config);
    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].fallback)
            set(config, &keys[i], keys[i].fallback);
    if (!gethostname(host, sizeof host) && memchr(host, 0, sizeof host) && check_name(host))
        memcpy(config->server, host, strlen(host) + 1);
}

bool config_read(struct config *config, const char *file, char *error)
{
    struct reading reading = {config, error};
    error[0] = 0;
    set_defaults(config);
    int line = ini_parse(file, on_line, &reading);
    const char *why = line ? NULL : check_together(config);
    char sentence[CONFIG_ERROR_BYTES];
    if (!line && !why)
        return true;
    if (line < 0)
        snprintf(sentence, sizeof sentence, "cannot be read");
    else if (line > 0)
        snprintf(sentence, sizeof sentence, "line %d: %.180s", line,
                 error[0] ? error : "is neither [section], key = value nor comment");
    else
        snprintf(sentence, sizeof sentence, "%s", why);
    snprintf(error, CONFIG_ERROR_BYTES, "%.60s: %.190s", file, sentence);
    return false;
}
