// SPDX-License-Identifier: BSD-2-Clause
/*
 * Files that administrators send into the image folder, piece by piece: PUT /api/v1/files/NAME (docs/server.md). What has
 * arrived stands in NAME.part, and gets its name when it is whole and synced; no version can be made of it before. The disk is
 * waited for by threads (work.h).
 */
#ifndef LEATD_UPLOAD_H
#define LEATD_UPLOAD_H

#include "tools/leatd/request.h"

#include <stdbool.h>
#include <stdint.h>

#define UPLOAD_SUFFIX ".part"

/*
 * "bytes A-B/TOTAL" (RFC 9110, 14.4): the first byte, how many, and how many the file will have, at most 64 TiB. False for
 * anything else.
 */
bool upload_range(const char *text, int64_t *at, int64_t *count, int64_t *total);

/* Handlers, in a transaction. */
enum db_result
upload_claim(struct request *request); /* POST /api/v1/files: the name is an import's */
enum db_result upload_piece(struct request *request, const char *name);
enum db_result upload_show(struct request *request, const char *name);
enum db_result upload_drop(struct request *request, const char *name);

#endif
