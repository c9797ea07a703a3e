// SPDX-License-Identifier: BSD-2-Clause
/*
 * Boot profiles: the last boot of each of MERGE_PARTS clients of an image version, and what they are together. A merged profile
 * that a session was told of stays as long as the session's exports. All inside of a transaction.
 */
#ifndef LEATD_PROFILE_H
#define LEATD_PROFILE_H

#include "tools/leatd/request.h"
#include "tools/leatd/secret.h"

#define PROFILE_PUTS 20u /* of a client in a minute */
#define PROFILE_SETTLE 2 /* seconds in which no second profile is made of the same parts' image */

/* The hash of the profile of that image, version and size as it is now, and its bytes; "" when there is none. */
enum db_result profile_current(struct leatd *leatd, const struct db_value version[3],
                               char sha256[HASH_BYTES], int64_t *bytes);

/* GET of /client/v1/profile/DISK and /client/v1/file/DISK/profile; PUT of the former. */
enum db_result profile_of_session(struct request *request);

/* GET and DELETE /api/v1/images/IMAGE/versions/NUMBER/profile. */
enum db_result profile_of_version(struct request *request, const char *image, const char *number);

#endif
