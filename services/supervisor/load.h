// SPDX-License-Identifier: BSD-2-Clause
#ifndef SUPERVISOR_LOAD_H
#define SUPERVISOR_LOAD_H

#include <leat/types.h>

/* Maps the program of the bundle into the domain, each segment with its rights only. Logs what is
   wrong with it. LEAT_ENOENT: not in the bundle; LEAT_EINVAL: damaged; LEAT_ENOMEM. */
int load_program(leat_handle_t domain, const char *program, uint64_t *entry_va);

#endif
