// SPDX-License-Identifier: BSD-2-Clause
/*
 * That one process at a time has a server's name (docs/server.md, "Several servers"). Each start makes a random instance, which
 * stands in the server's row with a count of its notes of being alive. No clock is compared with another one's: who is alive
 * is seen by the count.
 */
#ifndef LEATD_IDENTITY_H
#define LEATD_IDENTITY_H

#include "tools/leatd/db.h"

struct leatd;

/*
 * Takes the name for this process; lock is the descriptor of the state folder's lock, which it holds. At once if nobody has it,
 * or whoever had it is dead for sure; else watches for servers_lost seconds whether that one is alive. False with a sentence in
 * error (DB_ERROR_BYTES): it is, or the database says no. Not inside of a transaction.
 */
bool identity_claim(struct leatd *leatd, int lock, char *error);

/*
 * For a note of being alive, in its transaction; the row's instance and count. False, and leatd->is_ousted, when another process
 * has the name now; else leatd->beat is the count to be written.
 */
bool identity_holds(struct leatd *leatd, const char *instance, int64_t beat);

/* The name is free at once for the next start; or an event that another process has taken it. */
void identity_end(struct leatd *leatd);

#endif
