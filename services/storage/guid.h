// SPDX-License-Identifier: BSD-2-Clause
/*
 * GUIDs as they lie on a disk: the first three fields little-endian, the rest as bytes (UEFI 2.10,
 * appendix A). Portable.
 */
#ifndef STORAGE_GUID_H
#define STORAGE_GUID_H

#include <stdbool.h>
#include <stdint.h>

#define GUID_BYTES 16u
#define GUID_TEXT_BYTES 37u /* with the final 0 */

/*
 * The type of a partition that Leat may write:
 * 9357074E-1924-48A3-A9B4-982F9BDA4031. docs/store.md says how to make one. This is the one place
 * in the code that has it.
 */
#define GUID_LEAT_PARTITION                                                                        \
    {                                                                                              \
        0x4e, 0x07, 0x57, 0x93, 0x24, 0x19, 0xa3, 0x48, 0xa9, 0xb4, 0x98, 0x2f, 0x9b, 0xda, 0x40,  \
            0x31                                                                                   \
    }

/* "9357074e-1924-48a3-a9b4-982f9bda4031" */
void guid_text(const uint8_t guid[GUID_BYTES], char text[GUID_TEXT_BYTES]);

/* The reverse; capitals too. False: text is no GUID. */
bool guid_parse(const char *text, uint8_t guid[GUID_BYTES]);

#endif
