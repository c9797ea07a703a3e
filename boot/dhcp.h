// SPDX-License-Identifier: BSD-2-Clause
/* What a DHCP server has said about booting: RFC 2131 (packet), RFC 2132 (options). Portable, tested on the host. */
#ifndef BOOT_DHCP_H
#define BOOT_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dhcp_boot {
    uint8_t server[4]; /* that has the file */
    char file[256];    /* NUL-terminated, not empty */
};

/* packet: from its first field on, of any length. False: it names no file, or no server. */
bool dhcp_boot_of(const uint8_t *packet, size_t size, struct dhcp_boot *out);

#endif
