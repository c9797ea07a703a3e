// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/profiles.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "lib/map.h"
#include "lib/sys.h"
#include "services/supervisor/client.h"

static struct {
    struct process *vdisk;
    const uint8_t *shared; /* what it lays there */
    uint64_t bytes;        /* of the one that is on its way; 0: none is */
    char disk[sizeof(((struct leat_client_area *)0)->profile_disk)];
    bool is_given; /* to the client that runs now */
} profiles;

void profiles_join(struct process *vdisk)
{
    struct leat_start_entry *entry = process_entry(vdisk, "profile", "");
    int64_t mem = leat_mem_create(LEAT_CLIENT_PROFILE_BYTES, 0);

    if (mem > 0 && entry != NULL) {
        profiles.shared =
            leat_map((leat_handle_t)mem, 0, LEAT_CLIENT_PROFILE_BYTES, LEAT_PROT_READ);
        entry->va = process_map(vdisk, (leat_handle_t)mem, LEAT_CLIENT_PROFILE_BYTES,
                                LEAT_PROT_READ | LEAT_PROT_WRITE);
        entry->size = LEAT_CLIENT_PROFILE_BYTES;
    }
    if (mem > 0) {
        leat_handle_close((leat_handle_t)mem); /* the mappings keep it */
    }
    if (entry == NULL || entry->va == 0 || profiles.shared == NULL) {
        leat_log("no memory for boot profiles on their way to the server: none is sent");
        return;
    }
    profiles.vdisk = vdisk;
}

void profiles_forget_vdisk(void)
{
    profiles.vdisk = NULL;
    profiles.bytes = 0;
}

static void give(void)
{
    struct process *client = client_process();

    if (client == NULL || profiles.bytes == 0 || profiles.is_given) {
        return;
    }
    memcpy(client_area()->profile, profiles.shared, profiles.bytes);
    memcpy(client_area()->profile_disk, profiles.disk, sizeof(profiles.disk));
    process_send_text(client, LEAT_CTL_PROFILE, "", profiles.bytes, 0);
    profiles.is_given = true;
}

void profiles_offered(struct process *vdisk, const struct leat_ctl *message)
{
    const char *slash = strchr(message->text, '/');

    if (vdisk != profiles.vdisk || profiles.bytes != 0 || slash == NULL || message->arg[0] == 0 ||
        message->arg[0] > LEAT_CLIENT_PROFILE_BYTES) {
        return;
    }
    profiles.bytes = message->arg[0];
    profiles.is_given = false;
    snprintf(profiles.disk, sizeof(profiles.disk), "%.31s", slash + 1);
    give();
}

void profiles_taken(void)
{
    if (!profiles.is_given) {
        return;
    }
    profiles.is_given = false;
    profiles.bytes = 0;
    if (profiles.vdisk != NULL) {
        process_send_text(profiles.vdisk, LEAT_CTL_PROFILE, "", 0, 0);
    }
}

void profiles_client_died(void)
{
    profiles.is_given = false;
}

void profiles_client_came(void)
{
    give();
}
