// SPDX-License-Identifier: BSD-2-Clause
/* TLS keys from the files that the command line names. */
#ifndef VDISK_LEAT_NBD_KEYFILES_H
#define VDISK_LEAT_NBD_KEYFILES_H

#include "vdisk/leat_nbd/options.h"

/* Sets config.tls if the options ask for TLS; ends the program with a reason when a file cannot be
   used. The files' copies in memory are wiped. */
void keyfiles_load(struct options *o);

#endif
