// SPDX-License-Identifier: BSD-2-Clause
/* A log line with numbers, without the C library's printf: the drivers also run where there is none. */
#ifndef DRIVERS_BLOCK_LOGF_H
#define DRIVERS_BLOCK_LOGF_H

#include "drivers/block/block.h"

/* Logs "DRIVER: ...", cut after 200 bytes. format: %s, %u, %x and %llu, nothing else. */
__attribute__((format(printf, 3, 4))) void block_logf(const struct block_platform *platform,
                                                      const char *driver, const char *format, ...);

#endif
