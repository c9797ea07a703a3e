// SPDX-License-Identifier: BSD-2-Clause
/* From a request to its answer: routes, who may, and the transaction around it. */
#ifndef LEATD_API_H
#define LEATD_API_H

#include "tools/leatd/request.h"

/* Each answers the request whatever happens: request->status is set, and answer or answer_data. */
void api_admin(struct request *request);  /* /api/v1/... */
void api_client(struct request *request); /* /client/v1/... */

/* At the headers: may this client send the body? False with a refusal: a PUT of a profile needs a session that lives. */
bool api_client_may_send(struct request *request);

/* At the headers: is this a file's piece? False, and then with a refusal, also if it does not come from an administrator. */
bool api_admin_sends_file(struct request *request);

#endif
