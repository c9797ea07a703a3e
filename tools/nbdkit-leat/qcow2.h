// SPDX-License-Identifier: BSD-2-Clause
/* What of a qcow2 file's header matters to a server: whether it would have other files opened. */
#ifndef NBDKIT_LEAT_QCOW2_H
#define NBDKIT_LEAT_QCOW2_H

#include <stddef.h>
#include <stdint.h>

#define QCOW2_HEADER 104u

/* NULL: it stands alone; else what is wrong with it. header: the first bytes of the file. */
const char *qcow2_trouble(const uint8_t *header, size_t size);

#endif
