// SPDX-License-Identifier: BSD-2-Clause
/*
 * Files that administrators send into the image folder, piece by piece: PUT /api/v1/files/NAME (docs/server.md). What has
 * arrived stands in NAME.part, and gets its name when it is whole and synced; no version can be made of it before. The disk is
 * waited for by a thread of its own, so that the event loop never is: a piece is taken by upload_piece, written between
 * upload_begin and the call of done, and answered for by upload_answer.
 */
#ifndef LEATD_UPLOAD_H
#define LEATD_UPLOAD_H

#include "tools/leatd/request.h"

#include <stdbool.h>
#include <stdint.h>

struct upload;

#define UPLOAD_SUFFIX ".part"
#define UPLOAD_STALE                                                                               \
    86400 /* seconds that a file may rest before it is whole; then the next upload removes it */

/*
 * "bytes A-B/TOTAL" (RFC 9110, 14.4): the first byte, how many, and how many the file will have, at most 64 TiB. False for
 * anything else.
 */
bool upload_range(const char *text, int64_t *at, int64_t *count, int64_t *total);

/* Handlers, in a transaction. upload_piece checks the request and sets request->upload, or refuses. */
enum db_result upload_piece(struct request *request, const char *name);
enum db_result upload_show(struct request *request, const char *name);
enum db_result upload_drop(struct request *request, const char *name);

/*
 * Queues the piece, whose data (the request's) has to stay until `done` is called, once, by upload_finish. False: the thread
 * could not be started; nothing is queued.
 */
bool upload_begin(struct upload *upload, void (*done)(void *context), void *context);

/* Readable when something is done; -1 before the first upload_begin. */
int upload_file(void);

/* Calls `done` of what is done, in the caller's thread. */
void upload_finish(void);

/* What has come of it: 200 {"name", "received", "whole"}, or a refusal with "received". */
void upload_answer(struct request *request);

/* Waits for what is queued, calls its `done`, and ends the thread. */
void upload_stop(void);

#endif
