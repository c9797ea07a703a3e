// SPDX-License-Identifier: BSD-2-Clause
/* One piece of an upload on its way into the file: what upload.c queues, and what becomes of it. Blocks on the disk. */
#ifndef LEATD_UPLOAD_FILE_H
#define LEATD_UPLOAD_FILE_H

#include "tools/leatd/check.h"
#include "tools/leatd/work.h"

#include <stdbool.h>
#include <stdint.h>

enum upload_outcome {
    UPLOAD_DONE,
    UPLOAD_EXISTS,    /* a whole file has the name */
    UPLOAD_ELSEWHERE, /* the file goes on at another byte: received */
    UPLOAD_FULL,   /* the rest of the disk is kept for the database and for what machines write */
    UPLOAD_FAILED, /* error */
};

struct upload {
    struct work work;
    const char *folder;
    char name[NAME_BYTES];
    const void *data;         /* NULL: so many zeros, as a hole */
    int64_t at, count, total; /* bytes */

    enum upload_outcome outcome;
    int error;        /* errno */
    int64_t received; /* bytes that the file has, synced */
    bool whole;
};

/*
 * Writes and syncs the piece, and gives the file its name if it was the last. After a failure the file is as before. The last
 * piece may come again: to a file that has all of its bytes but not its name, whose bytes stay as they are, and while another one
 * makes the file whole.
 */
void upload_file_write(struct upload *upload);

/*
 * How much of the file is there; whole is whatever has the name, also a folder or a link, with no bytes. False: nothing. Of a
 * whole file that is still NAME.part besides, that name goes.
 */
bool upload_file_look(const char *folder, const char *name, int64_t *received, bool *whole);

/* Removes a file that is not whole, or also one that is, and syncs the folder. 0 or errno; *found: there was one. */
int upload_file_drop(const char *folder, const char *name, bool also_whole, bool *found);

#endif
