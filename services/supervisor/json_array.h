// SPDX-License-Identifier: BSD-2-Clause
/* JSON of a service, before it is passed on within a larger text. Portable. */
#ifndef SUPERVISOR_JSON_ARRAY_H
#define SUPERVISOR_JSON_ARRAY_H

#include <stdbool.h>

/* Is it one JSON array, as far as quotes and brackets tell? Nothing else of it is looked at. */
bool json_is_array(const char *text);

#endif
