// SPDX-License-Identifier: BSD-2-Clause
/* The page where the other CPUs start and wait: the code, then struct leat_boot_parking. For assembly too. */
#ifndef BOOT_PARK_H
#define BOOT_PARK_H

#define PARKING_OFFSET 1024
#define PARKING_FIRST 8 /* offsets in struct leat_boot_parking */
#define PARKING_SLOT_BYTES 32
#define PARKING_SLOTS 64

#endif
