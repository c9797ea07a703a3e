// SPDX-License-Identifier: BSD-2-Clause
/* Administrators: who they are, and how they show it. */
#ifndef LEATD_AUTH_H
#define LEATD_AUTH_H

#include "tools/leatd/request.h"

/* Attempts to log in within a minute. */
#define AUTH_ACCOUNT_ATTEMPTS 5u
#define AUTH_ADDRESS_ATTEMPTS 20u

/* POST /api/v1/login. Makes its own transactions: the password is hashed between them, by a thread. */
void auth_login(struct request *request);

/* Sets request->who by the request's token; found false with a refusal. Inside of a transaction. */
enum db_result auth_check(struct request *request, bool *found);

/* The token is gone. Inside of a transaction. */
enum db_result auth_logout(struct request *request);

/* Forgets tokens that expired more than a day ago; not at once, since the clock may have been set wrong. In a transaction. */
enum db_result auth_trim(struct leatd *leatd);

/* leatd add-admin: makes the account, or gives it another password. False with a sentence in error (DB_ERROR_BYTES). */
bool auth_add_admin(struct leatd *leatd, const char *name, const char *password, char *error);

#endif
