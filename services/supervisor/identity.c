// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/identity.h"

#include <stdio.h>
#include <string.h>

#include "services/supervisor/machine.h"

/* SMBIOS 3.6, 7.2.1: the first three fields are little-endian; all ones and all zeros are no UUID. */
static void read_uuid(char *text, size_t size)
{
    const uint8_t *u = machine_boot_info()->smbios_uuid;
    unsigned zeros = 0, ones = 0;

    for (unsigned i = 0; i < 16; i++) {
        zeros += u[i] == 0;
        ones += u[i] == 0xff;
    }
    text[0] = 0;
    if (zeros != 16 && ones != 16) {
        snprintf(text, size, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                 u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6], u[8], u[9], u[10], u[11], u[12],
                 u[13], u[14], u[15]);
    }
}

static bool take_line(struct identity *identity, const char *text, size_t size)
{
    size_t length = 0;

    while (length < size && text[length] > ' ' && text[length] <= '~') {
        length++;
    }
    if (length == 0 || length >= sizeof(identity->key)) {
        return false;
    }
    memcpy(identity->key, text, length);
    identity->key[length] = 0;
    return true;
}

static const char *read_file(const char *file, struct identity *identity)
{
    bool is_good;
    const struct leat_boot_module *module = machine_module(LEAT_MODULE_KEY, file);
    const uint8_t *text = module != NULL ? machine_module_map(module) : NULL;

    if (text == NULL) {
        return "the file that psk_file in leat.conf names is not there";
    }
    is_good = take_line(identity, (const char *)text, module->size);
    machine_module_unmap(module, text);
    return is_good ? NULL
                   : "the file that psk_file in leat.conf names must hold one line, UUID:HEX";
}

static const char *read_firmware(struct identity *identity)
{
    const struct leat_boot_module *module = machine_module(LEAT_MODULE_KEY, LEAT_BOOT_CLIENT_KEY);
    const struct leat_boot_client_key *kept = NULL;
    size_t used;

    if (identity->uuid[0] == 0) {
        return "its firmware gives it no UUID (SMBIOS): give leat.conf a psk_file";
    }
    if (module != NULL && module->size >= sizeof(*kept)) {
        kept = (const void *)machine_module_map(module);
    }
    if (kept == NULL) {
        return "its firmware keeps no key: give leat.conf a psk_file";
    }
    used = (size_t)snprintf(identity->key, sizeof(identity->key), "%s:", identity->uuid);
    for (unsigned i = 0; i < sizeof(kept->key); i++) {
        used += (size_t)snprintf(identity->key + used, sizeof(identity->key) - used, "%02x",
                                 kept->key[i]);
    }
    identity->may_enrol = kept->is_kept != 0;
    machine_module_unmap(module, (const uint8_t *)kept);
    return NULL;
}

const char *identity_read(const struct leat_config *config, struct identity *identity)
{
    const struct leat_config_leatd *leatd = &config->leatd;
    const char *why = NULL;

    memset(identity, 0, sizeof(*identity));
    read_uuid(identity->uuid, sizeof(identity->uuid));
    if (leatd->psk[0] != 0) {
        take_line(identity, leatd->psk, strlen(leatd->psk));
    } else if (leatd->psk_file[0] != 0) {
        why = read_file(leatd->psk_file, identity);
    } else {
        why = read_firmware(identity);
    }
    if (identity->uuid[0] == 0 && identity->key[0] != 0) { /* the key names a client, then */
        snprintf(identity->uuid, sizeof(identity->uuid), "%.36s", identity->key);
    }
    return why;
}
