// SPDX-License-Identifier: BSD-2-Clause
/* Machines that bring their own key, in a window that an administrator has opened. */
#ifndef LEATD_ENROL_H
#define LEATD_ENROL_H

#include "tools/leatd/request.h"

/* POST /client/v1/enrol. Inside of a transaction. */
enum db_result enrol(struct request *request);

/* Forgets windows that closed more than a day ago. Inside of a transaction. */
enum db_result enrol_trim(struct leatd *leatd);

#endif
