// SPDX-License-Identifier: BSD-2-Clause
/* leatd.conf: docs/server.md, "Start". */
#ifndef LEATD_CONFIG_H
#define LEATD_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define CONFIG_PATH_BYTES 256u
#define CONFIG_SERVERS 4u
#define CONFIG_ERROR_BYTES 256u
#define CONFIG_MENU_MOST 86400 /* seconds of a menu's time-out */

struct config {
    /* Absolute paths; folder has no "/" at its end. */
    char folder[CONFIG_PATH_BYTES], images[CONFIG_PATH_BYTES], differences[CONFIG_PATH_BYTES];
    char control[CONFIG_PATH_BYTES];
    char database[512]; /* as db_open wants it */
    char server[64];
    struct sockaddr_storage admin, client;
    struct sockaddr_storage boot; /* of no family: boot files are not served */
    char boot_folder[CONFIG_PATH_BYTES];
    char certificate[CONFIG_PATH_BYTES], key[CONFIG_PATH_BYTES]; /* "" both: no TLS */
    char servers[CONFIG_SERVERS][128];
    uint32_t server_count;
    char control_group[64]; /* "" none */
    int64_t menu_timeout;   /* seconds; 0: the menu waits for ever */
    int64_t session_term, lease_term, login_term, request_term;
};

/* False with a sentence in error (CONFIG_ERROR_BYTES), which names the line or the key. */
bool config_read(struct config *config, const char *file, char *error);

#endif
