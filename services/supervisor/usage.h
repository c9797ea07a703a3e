// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who uses the host's CPUs: measured over a second when somebody asks, so that nothing wakes up for it
 * otherwise.
 */
#ifndef SUPERVISOR_USAGE_H
#define SUPERVISOR_USAGE_H

#include <leat/types.h>

/* Called with each line of the table a second after usage_begin; the last one is empty. */
typedef void (*usage_say_fn)(bool is_last, const char *line);

void usage_init(usage_say_fn say);
void usage_begin(void);

/* True if a measurement was under way; nothing more comes of it. */
bool usage_cancel(void);

#endif
