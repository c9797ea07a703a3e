// SPDX-License-Identifier: BSD-2-Clause
/*
 * Writes to a server whose smallest request is larger than a disk's block: the record is as large as
 * the whole units that it touches, and what the client did not give of the first and the last one is
 * read from the server before the write is sent. Nothing else that overlaps those units is under way
 * then, since records that overlap wait for each other; so a replay, too, may send what was read the
 * first time.
 */
#ifndef VDISK_EDGES_H
#define VDISK_EDGES_H

#include <stdbool.h>
#include <stdint.h>

struct vdisk_export;
struct write_record;

#define EDGE_HEAD 1u
#define EDGE_TAIL 2u

/* Widens a new record of a write, whose offset and length are the client's, and says in its `edges` what
   must be read. */
void edges_widen(const struct vdisk_export *e, struct write_record *w);
/* Asks for the next edge. False: not now. When all are there the record is ready again; if one cannot be
   read, wlog_part_failed. */
bool edges_read(struct vdisk_export *e, struct write_record *w);

#endif
