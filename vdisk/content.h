// SPDX-License-Identifier: BSD-2-Clause
/*
 * Content ids: the name of one version of an image. Two images with the same id have the same bytes,
 * so what a local disk keeps under an id may be used for whoever names it.
 *
 * As text: 64 hexadecimal digits are the 32 bytes themselves (a hash); anything else of 1 to 31
 * printable ASCII characters (a version's name) is the byte CONTENT_TEXT, the text, and zeros.
 */
#ifndef VDISK_CONTENT_H
#define VDISK_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#define CONTENT_BYTES 32u
#define CONTENT_SUMS 0x02u /* first byte of what identity.h makes of samples: no real id */
#define CONTENT_TEXT 0x01u /* no hash is likely to begin so and go on as text */

/* False: the text is neither. */
bool content_parse(const char *text, uint8_t content[CONTENT_BYTES]);

#endif
