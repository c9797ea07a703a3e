// SPDX-License-Identifier: BSD-2-Clause
/* What a machine says to leatd before it has a disk (docs/server.md, "The client's API"), as client/ says it: on one connection,
   which it keeps. */
#include <cjson/cJSON.h>
#include <gnutls/crypto.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/storm/storm.h"

#define ANSWER_BYTES (2u << 20)
#define SUM_BYTES 32u
struct leatd {
    const struct storm_client *client;
    int fd;
    struct storm_tls *tls;
    char *answer; /* ANSWER_BYTES; used as far as the last answer came, and a NUL */
    size_t used;
};

static struct leatd *connect_tls(const struct storm *storm, struct storm_client *client)
{
    char host[64], port[8];
    struct leatd *l = client->leatd = calloc(1, sizeof *l);
    if (!l || !(l->answer = malloc(ANSWER_BYTES)))
        storm_die(client, "leatd", "no memory");
    storm_split(storm->leatd, host, port);
    l->client = client;
    l->fd = storm_connect(client, host, port);
    l->tls = storm_tls_open(client, l->fd);
    return l;
}

/* The body, and its size, once it is there as a whole. */
static char *whole_body(struct leatd *l, size_t *size)
{
    char *end = strstr(l->answer, "\r\n\r\n"),
         *field = strcasestr(l->answer, "\r\nContent-Length: ");
    if (!end || !field || field > end)
        return NULL;
    *size = strtoul(field + 18, NULL, 10);
    return l->used >= (size_t)(end + 4 - l->answer) + *size ? end + 4 : NULL;
}

/* One request; the body of its answer, which has to be a 200, until the next one. */
__attribute__((format(printf, 3, 4))) static char *ask(struct leatd *l, size_t *size,
                                                       const char *format, ...)
{
    char request[1024], *body;
    va_list list;
    va_start(list, format);
    int length = vsnprintf(request, sizeof request, format, list);
    va_end(list);
    if (storm_tls_send(l->tls, request, (size_t)length) != length)
        storm_die(l->client, "leatd", "cannot be asked");
    l->used = 0;
    do {
        ssize_t got = storm_tls_receive(l->tls, l->answer + l->used, ANSWER_BYTES - 1 - l->used);
        if (got <= 0)
            storm_die(l->client, "leatd", "has closed the connection");
        l->used += (size_t)got;
        l->answer[l->used] = 0;
    } while (!(body = whole_body(l, size)));
    if (strncmp(l->answer, "HTTP/1.1 200", 12) != 0)
        storm_die(l->client, "leatd", l->answer);
    return body;
}

static const char *text_of(const struct storm_client *client, const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsString(item))
        storm_die(client, "leatd's answer lacks", name);
    return item->valuestring;
}

static cJSON *say_hello(struct leatd *l)
{
    const struct storm_client *client = l->client;
    char body[256];
    size_t size;
    int length =
        snprintf(body, sizeof body,
                 "{\"uuid\":\"%s\",\"macs\":[\"52:54:00:00:%02x:%02x\"],\"version\":\"0.1.0\"}",
                 client->uuid, client->number >> 8, client->number & 255);
    const char *answer = ask(l, &size,
                             "POST /client/v1/hello HTTP/1.1\r\nHost: leatd\r\n"
                             "Content-Length: %d\r\n\r\n%s",
                             length, body);
    return cJSON_ParseWithLength(answer, size);
}

static void say_chosen(struct leatd *l, const char *session, const char *disk)
{
    char body[128];
    size_t size;
    int length = snprintf(body, sizeof body, "{\"disks\":[\"%s\"]}", disk);
    ask(l, &size,
        "POST /client/v1/chosen HTTP/1.1\r\nHost: leatd\r\nAuthorization: Bearer %s\r\n"
        "Content-Length: %d\r\n\r\n%s",
        session, length, body);
}

static void download(struct leatd *l, const char *session, const cJSON *file)
{
    uint8_t sum[SUM_BYTES];
    char text[2 * SUM_BYTES + 1];
    size_t size;
    const char *data =
        ask(l, &size, "GET %s HTTP/1.1\r\nHost: leatd\r\nAuthorization: Bearer %s\r\n\r\n",
            text_of(l->client, file, "path"), session);
    gnutls_hash_fast(GNUTLS_DIG_SHA256, data, size, sum);
    for (unsigned i = 0; i < SUM_BYTES; i++)
        snprintf(text + 2 * (size_t)i, 3, "%02x", sum[i]);
    if (strcmp(text, text_of(l->client, file, "sha256")) != 0)
        storm_die(l->client, "the boot profile", "has another SHA-256 than leatd says");
}

void storm_hello(const struct storm *storm, struct storm_client *client)
{
    struct leatd *l = connect_tls(storm, client);
    cJSON *answer = say_hello(l);
    const cJSON *disk = cJSON_GetArrayItem(cJSON_GetObjectItem(answer, "disks"), 0);
    const cJSON *server = cJSON_GetArrayItem(cJSON_GetObjectItem(answer, "servers"), 0);
    const char *session = text_of(client, answer, "session");
    if (!cJSON_IsString(server))
        storm_die(client, "leatd's answer lacks", "servers");
    snprintf(client->token, sizeof client->token, "%s", text_of(client, disk, "export"));
    if (!storm->disk)
        storm_split(server->valuestring, client->disk_host, client->disk_port);
    say_chosen(l, session, text_of(client, disk, "name"));
    download(l, session, cJSON_GetObjectItem(disk, "profile"));
    cJSON_Delete(answer);
    free(l->answer);
    l->answer = NULL;
}

void storm_leatd_close(struct storm_client *client)
{
    struct leatd *l = client->leatd;
    storm_tls_close(l->tls);
    close(l->fd);
    free(l);
}
