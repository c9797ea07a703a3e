// SPDX-License-Identifier: BSD-2-Clause
/* What a machine says to leatd before it has a disk (docs/server.md, "The client's API"). */
#include <cjson/cJSON.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/storm/storm.h"

#define ANSWER_BYTES (2u << 20)

static gnutls_session_t open_tls(const struct storm_client *client, int fd,
                                 gnutls_psk_client_credentials_t *credentials)
{
    gnutls_session_t tls;
    gnutls_datum_t key = {(unsigned char *)client->key, (unsigned)strlen(client->key)};
    gnutls_psk_allocate_client_credentials(credentials);
    gnutls_psk_set_client_credentials(*credentials, client->uuid, &key, GNUTLS_PSK_KEY_HEX);
    gnutls_init(&tls, GNUTLS_CLIENT);
    gnutls_priority_set_direct(tls, "NORMAL:-VERS-TLS1.3:-KX-ALL:+ECDHE-PSK", NULL);
    gnutls_credentials_set(tls, GNUTLS_CRD_PSK, *credentials);
    gnutls_transport_set_int(tls, fd);
    int error;
    while ((error = gnutls_handshake(tls)) < 0)
        if (gnutls_error_is_fatal(error))
            storm_die(client, "TLS with leatd", gnutls_strerror(error));
    return tls;
}

static char *body_of(char *answer)
{
    char *body = strstr(answer, "\r\n\r\n");
    return body ? body + 4 : NULL;
}

/* One request on a connection of its own. The body of a 200; NULL for 404. To be freed: *all. */
static char *ask(struct storm_client *client, const char *request, char **all)
{
    gnutls_psk_client_credentials_t credentials;
    int fd = storm_connect(client, client->host, client->port);
    gnutls_session_t tls = open_tls(client, fd, &credentials);
    char *answer = *all = malloc(ANSWER_BYTES);
    size_t used = 0;
    ssize_t got;
    if (!answer || gnutls_record_send(tls, request, strlen(request)) < 0)
        storm_die(client, "leatd", "cannot be asked");
    while (used < ANSWER_BYTES - 1 &&
           (got = gnutls_record_recv(tls, answer + used, ANSWER_BYTES - 1 - used)) > 0)
        used += (size_t)got;
    answer[used] = 0;
    gnutls_deinit(tls);
    gnutls_psk_free_client_credentials(credentials);
    close(fd);
    if (!strncmp(answer, "HTTP/1.1 404", 12))
        return NULL;
    if (strncmp(answer, "HTTP/1.1 200", 12) != 0 || !body_of(answer))
        storm_die(client, "leatd", answer);
    return body_of(answer);
}

static const char *text_of(const struct storm_client *client, const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsString(item))
        storm_die(client, "leatd's answer lacks", name);
    return item->valuestring;
}

static void take_disk(struct storm_client *client, const char *body, char session[128])
{
    cJSON *answer = cJSON_Parse(body);
    const cJSON *disk = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(answer, "disks"), 0);
    const cJSON *server =
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(answer, "servers"), 0);
    snprintf(session, 128, "%s", text_of(client, answer, "session"));
    snprintf(client->token, sizeof client->token, "%s", text_of(client, disk, "export"));
    if (!cJSON_IsString(server) ||
        sscanf(server->valuestring, "%63[^:]:%7s", client->disk_host, client->disk_port) != 2)
        storm_die(client, "leatd's answer lacks", "servers");
    cJSON_Delete(answer);
}

void storm_hello(struct storm_client *client)
{
    char body[256], request[640], session[128], *all;
    snprintf(body, sizeof body,
             "{\"uuid\": \"%s\", \"macs\": [\"52:54:00:00:%02x:%02x\"], \"version\": \"0.1.0\"}",
             client->uuid, client->number >> 8, client->number & 255);
    snprintf(request, sizeof request,
             "POST /client/v1/hello HTTP/1.1\r\nHost: leatd\r\nConnection: close\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    take_disk(client, ask(client, request, &all), session);
    free(all);
    snprintf(request, sizeof request,
             "GET /client/v1/profile/storm HTTP/1.1\r\nHost: leatd\r\nConnection: close\r\n"
             "Authorization: Bearer %s\r\n\r\n",
             session);
    ask(client, request, &all);
    free(all);
}
