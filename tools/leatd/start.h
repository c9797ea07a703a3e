// SPDX-License-Identifier: BSD-2-Clause
/* What a start needs beside the disks: files, the menu, and what was chosen. All inside of a transaction. */
#ifndef LEATD_START_H
#define LEATD_START_H

#include "tools/leatd/request.h"
#include "tools/leatd/secret.h"

/*
 * Adds kernel, initrd, cmdline and profile to the disk as a hello shows it; version is image (or NULL), number and size. profile
 * gets the hash of the profile that was named, "" for none.
 */
enum db_result start_add_files(struct leatd *leatd, const char *disk,
                               const struct db_value version[3], cJSON *shown,
                               char profile[HASH_BYTES]);

/* Adds the menu to a hello's answer that has its disks. */
enum db_result start_add_menu(struct leatd *leatd, const char *client, cJSON *answer);

/* GET /client/v1/file/DISK/kernel and initrd. */
enum db_result start_file(struct request *request);

/* POST /client/v1/chosen. */
enum db_result start_chosen(struct request *request);

#endif
