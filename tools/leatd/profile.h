// SPDX-License-Identifier: BSD-2-Clause
/* Boot profiles: opaque bytes, one for each image version. All inside of a transaction. */
#ifndef LEATD_PROFILE_H
#define LEATD_PROFILE_H

#include "tools/leatd/request.h"

/* GET and PUT /client/v1/profile/DISK, of the version that the session's disk is of. */
enum db_result profile_of_session(struct request *request);

/* GET and DELETE /api/v1/images/IMAGE/versions/NUMBER/profile. */
enum db_result profile_of_version(struct request *request, const char *image, const char *number);

#endif
