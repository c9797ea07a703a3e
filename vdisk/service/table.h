// SPDX-License-Identifier: BSD-2-Clause
/*
 * The disks as a table for people, in plain ASCII: a line of titles, then for each disk what it has
 * streamed of its boot profile (with a bar, the rate and the time left), what it has read from where,
 * how long its guest has waited, how long requests took, and the link. What does not fit in the
 * width goes to a second line for each disk if there are enough rows for all, else it is left out.
 * Portable; no line is ever longer than the width.
 */
#ifndef VDISK_SERVICE_TABLE_H
#define VDISK_SERVICE_TABLE_H

#include "vdisk/vdisk.h"

#define TABLE_MOST_COLUMNS 200u
#define TABLE_MOST_ROWS 100u

struct table {
    unsigned columns; /* 16 ... TABLE_MOST_COLUMNS */
    unsigned each;    /* lines for each disk: 1 or 2 */
    unsigned shown;   /* disks; the others are only counted */
    unsigned disks;
};

struct table_row {
    const char *name; /* control characters in it are shown as '?' */
    struct vdisk_figures figures;
    struct vdisk_counters counters;
    uint64_t rate; /* bytes a second now; 0: none */
};

/* Any numbers: they are put into their bounds. */
void table_plan(struct table *t, unsigned columns, unsigned rows, unsigned disks);
/* The titles. Returns the length; line has room for TABLE_MOST_COLUMNS + 1. */
size_t table_head(const struct table *t, char *line);
/* Line number `which` (0 ... each - 1) of a disk. */
size_t table_line(const struct table *t, const struct table_row *row, unsigned which, char *line);
/* "... and 7 more"; empty when all are shown. */
size_t table_end(const struct table *t, char *line);

#endif
