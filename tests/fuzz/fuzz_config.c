// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat.conf from anywhere: no input may crash the parser, and what it accepts keeps its promises.
 */
#define _GNU_SOURCE /* memmem */
#include "lib/config/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

/* Behind this line, if it is there, the server's configuration begins. */
static size_t server_from(const uint8_t *data, size_t size)
{
    static const char mark[] = "#server\n";
    const uint8_t *found = memmem(data, size, mark, sizeof(mark) - 1);
    return found != NULL ? (size_t)(found - data) + sizeof(mark) - 1 : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct leat_config config;
    struct leat_config_error error;
    if (leat_config_parse_joined((const char *)data, size, server_from(data, size), &config,
                                 &error) != 0) {
        require(strncmp(error.text, "leat.conf", 9) == 0 ||
                strncmp(error.text, "the configuration from the server", 33) == 0);
        require(memchr(error.text, '\0', sizeof(error.text)) != NULL);
        return 0;
    }
    require(config.leatd.line == 0 || config.leatd.servers[0] != '\0');
    for (unsigned i = 0; i < config.disk_count; i++)
        require(config.disks[i].server[0] != '\0' && config.disks[i].port != 0 &&
                config.disks[i].export_name[0] != '\0');
    for (unsigned i = 0; i < config.vm_count; i++) {
        require(config.vms[i].kernel[0] != '\0' && config.vms[i].memory_bytes != 0);
        for (unsigned d = 0; d < config.vms[i].disk_count; d++)
            require(config.vms[i].disk[d] < config.disk_count);
    }
    return 0;
}
