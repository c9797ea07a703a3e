// SPDX-License-Identifier: BSD-2-Clause
#include <libnbd.h>
#include <string.h>

#include "tests/bench/storm/storm.h"

struct slot {
    bool is_busy;
    struct storm_client *client;
};

static int on_done(void *user, int *error)
{
    struct slot *slot = user;
    if (*error)
        storm_die(slot->client, "read", strerror(*error));
    slot->is_busy = false;
    return 1; /* the command is retired */
}

void storm_nbd_open(const struct storm *storm, struct storm_client *client)
{
    struct nbd_handle *nbd = client->connection = nbd_create();
    if (!nbd)
        storm_die(client, "libnbd", nbd_get_error());
    if (storm->is_secure &&
        (nbd_set_tls(nbd, LIBNBD_TLS_REQUIRE) < 0 || nbd_set_tls_username(nbd, client->uuid) < 0 ||
         nbd_set_tls_psk_file(nbd, storm->psk_file) < 0))
        storm_die(client, "TLS", nbd_get_error());
    if (nbd_set_export_name(nbd, client->token) < 0 ||
        nbd_connect_socket(nbd, storm_connect(client, client->disk_host, client->disk_port)) < 0)
        storm_die(client, "its disk", nbd_get_error());
}

static struct slot *free_slot(struct slot *slots)
{
    for (uint32_t i = 0; i < STORM_IN_FLIGHT; i++)
        if (!slots[i].is_busy)
            return &slots[i];
    return NULL;
}

static void wait_for_some(struct nbd_handle *nbd, const struct storm_client *client)
{
    if (nbd_poll(nbd, -1) < 0)
        storm_die(client, "the server", nbd_get_error());
}

void storm_nbd_boot(const struct storm *storm, struct storm_client *client)
{
    struct slot slots[STORM_IN_FLIGHT] = {0}, *slot;
    struct nbd_handle *nbd = client->connection;
    for (uint32_t i = 0; i < storm->count; i++) {
        while (!(slot = free_slot(slots)))
            wait_for_some(nbd, client);
        nbd_completion_callback done = {.callback = on_done, .user_data = slot};
        *slot = (struct slot){.is_busy = true, .client = client};
        if (nbd_aio_pread(nbd, client->buffers[slot - slots], storm->reads[i].length,
                          storm->reads[i].offset, done, 0) < 0)
            storm_die(client, "read", nbd_get_error());
    }
    while (nbd_aio_in_flight(nbd) > 0)
        wait_for_some(nbd, client);
}

void storm_nbd_close(struct storm_client *client)
{
    nbd_shutdown(client->connection, 0);
    nbd_close(client->connection);
}
