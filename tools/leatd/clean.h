// SPDX-License-Identifier: BSD-2-Clause
/* Files that nobody needs any more: removed by a thread (work.h), since that takes long of large ones. */
#ifndef LEATD_CLEAN_H
#define LEATD_CLEAN_H

#define CLEAN_KINDS 2
#define CLEAN_NAMED 256 // files that are named in the log when they cannot be removed
#define CLEAN_ID_BYTES 64

struct leatd;

/* What is kept between two cleanings; all zeros at first. */
struct clean_state {
    char after[CLEAN_KINDS][CLEAN_ID_BYTES]; // the next one goes on behind this id
    char named[CLEAN_NAMED][CLEAN_ID_BYTES];
    unsigned named_count;
};

/*
 * Begins to remove the files of differences that were dropped, and those of imports that came to nothing (brought.h) and are this
 * process's to remove; then their rows go. What cannot be removed is named in the log once, and holds up no other: it has its
 * turn again when all have had theirs. Nothing, as long as the last one is under way (leatd->cleaning). Not inside of a
 * transaction.
 */
void clean_begin(struct leatd *leatd);

#endif
