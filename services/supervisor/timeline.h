// SPDX-License-Identifier: BSD-2-Clause
/* When the stages of a start were reached, for the server's picture of it. */
#ifndef SUPERVISOR_TIMELINE_H
#define SUPERVISOR_TIMELINE_H

#include <leat/types.h>

#define TIMELINE_MARKS 32u
#define TIMELINE_TEXT 48u

struct timeline_mark {
    uint64_t ms; /* since leat.efi was entered */
    char what[TIMELINE_TEXT];
};

/* Marks what was before the supervisor: to be called once. */
void timeline_init(void);

/* Now, unless it has been marked before, or there are TIMELINE_MARKS; cut to fit. */
void timeline_mark(const char *what);

const struct timeline_mark *timeline_marks(unsigned *count);

#endif
