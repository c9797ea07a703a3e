// SPDX-License-Identifier: BSD-2-Clause
/* A session's report in a few figures. A client has written it: whatever it says, it becomes figures in range, or nothing. */
#ifndef LEATD_DIGEST_H
#define LEATD_DIGEST_H

#include <cjson/cJSON.h>

#define DIGEST_VMS 8 /* so many are listed */

/*
 * Adds to the object: "boot": {"ms", "what"} (the last mark) or null; "vms": [{"name", "state"}]; "profile": {"bytes",
 * "streamed"}, of the boot profiles of all disks; "traffic": {"ram", "disk", "network"}, bytes that reads were answered from.
 * text is the report, NULL if there is none.
 */
void digest_add(cJSON *object, const char *text);

#endif
