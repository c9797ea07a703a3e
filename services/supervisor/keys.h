// SPDX-License-Identifier: BSD-2-Clause
/* The keys that leat.conf names: collected for vdisk (include/leat/keys.h), and wiped everywhere else. */
#ifndef SUPERVISOR_KEYS_H
#define SUPERVISOR_KEYS_H

#include "lib/config/config.h"
#include "services/supervisor/process.h"

/* The number of the disk's set of keys; disks with the same keys have the same. -1: none, plain text. */
int keys_set_of(const struct leat_config *config, const struct leat_config_disk *disk);

/* Gives vdisk, before it runs, the keys of all disks. False: no memory; logged. */
bool keys_give(struct process *vdisk, const struct leat_config *config);

/* Gives a process, before it runs, one pre-shared key, "NAME:HEX", as set 0; empty: none. False: no memory; logged. */
bool keys_give_text(struct process *process, const char *psk);

/* Overwrites leat.conf's text, the files with keys, and the keys in the configuration. They can be given
   to nobody after that. */
void keys_wipe(struct leat_config *config);

#endif
