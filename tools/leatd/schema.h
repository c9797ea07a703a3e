// SPDX-License-Identifier: BSD-2-Clause
/* The tables, by numbered migrations. */
#ifndef LEATD_SCHEMA_H
#define LEATD_SCHEMA_H

#include "tools/leatd/db.h"

#define SCHEMA_VERSION 7

/*
 * Brings the database to SCHEMA_VERSION, in one transaction for all steps. False with a sentence in error (DB_ERROR_BYTES):
 * it is newer than this leatd, or a statement failed and nothing has changed.
 */
bool schema_prepare(struct db *db, char *error);

#endif
