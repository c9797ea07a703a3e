// SPDX-License-Identifier: BSD-2-Clause
/* The same reads by iSCSI (libiscsi): READ(10), so many at a time. */
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdlib.h>

#include "tests/bench/storm/storm.h"

#define SECTOR_BYTES 512u

struct boot {
    struct storm_client *client;
    uint32_t in_flight;
};

static void on_done(struct iscsi_context *iscsi, int status, void *data, void *user)
{
    struct boot *boot = user;
    if (status != SCSI_STATUS_GOOD)
        storm_die(boot->client, "read", iscsi_get_error(iscsi));
    scsi_free_scsi_task(data);
    boot->in_flight--;
}

static void serve(struct iscsi_context *iscsi, const struct storm_client *client)
{
    struct pollfd fd = {.fd = iscsi_get_fd(iscsi), .events = (short)iscsi_which_events(iscsi)};
    if (poll(&fd, 1, -1) < 0 || iscsi_service(iscsi, fd.revents) < 0)
        storm_die(client, "the server", iscsi_get_error(iscsi));
}

void storm_iscsi_open(const struct storm *storm, struct storm_client *client)
{
    char name[64];
    snprintf(name, sizeof name, "iqn.2026-11.org.leat:storm%u", client->number);
    struct iscsi_context *iscsi = iscsi_create_context(name);
    struct iscsi_url *url = iscsi ? iscsi_parse_full_url(iscsi, storm->iscsi) : NULL;
    if (!url)
        storm_die(client, storm->iscsi, "not an iSCSI URL");
    iscsi_set_targetname(iscsi, url->target);
    iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
    iscsi_set_header_digest(iscsi, ISCSI_HEADER_DIGEST_NONE);
    if (iscsi_full_connect_sync(iscsi, url->portal, url->lun))
        storm_die(client, storm->iscsi, iscsi_get_error(iscsi));
    client->lun = url->lun;
    iscsi_destroy_url(url);
    client->connection = iscsi;
}

void storm_iscsi_boot(const struct storm *storm, struct storm_client *client)
{
    struct boot boot = {.client = client};
    struct iscsi_context *iscsi = client->connection;
    for (uint32_t i = 0; i < storm->count; i++) {
        const struct storm_read *r = &storm->reads[i];
        while (boot.in_flight >= STORM_IN_FLIGHT)
            serve(iscsi, client);
        boot.in_flight++;
        if (!iscsi_read10_task(iscsi, client->lun, (uint32_t)(r->offset / SECTOR_BYTES), r->length,
                               SECTOR_BYTES, 0, 0, 0, 0, 0, on_done, &boot))
            storm_die(client, "read", iscsi_get_error(iscsi));
    }
    while (boot.in_flight)
        serve(iscsi, client);
}

void storm_iscsi_close(struct storm_client *client)
{
    iscsi_logout_sync(client->connection);
    iscsi_destroy_context(client->connection);
}
