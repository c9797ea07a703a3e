// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which partition is meant: by its GUID, and, once it was found, by where it is too. A disk that was
 * copied has the same GUIDs: what is written again to the one must not go to the other when the one
 * is gone. Portable.
 *
 * As text, what the service says of its partition and is given when it is started again:
 * "9357074e-1924-48a3-a9b4-982f9bda4031@00:1f.2/1", the controller's place on the bus and the disk's
 * number there (a port); from leat.conf the GUID alone.
 */
#ifndef STORAGE_WANTED_H
#define STORAGE_WANTED_H

#include "services/storage/guid.h"

#define WANTED_PLACE_BYTES 16u /* of a controller, with the final 0 */
#define WANTED_TEXT_BYTES (GUID_TEXT_BYTES + WANTED_PLACE_BYTES + 12u)

struct wanted {
    uint8_t id[GUID_BYTES];
    char place[WANTED_PLACE_BYTES + 12u]; /* "00:1f.2/1"; empty: anywhere */
};

enum wanted_answer { WANTED_THIS, WANTED_OTHER_ID, WANTED_OTHER_PLACE };

/* False: the text names no partition. */
bool wanted_parse(struct wanted *w, const char *text);

/* Is it the partition `id` of disk `unit` of the controller at `place` (shorter than WANTED_PLACE_BYTES)? */
enum wanted_answer wanted_judge(const struct wanted *w, const uint8_t id[GUID_BYTES],
                                const char *place, unsigned unit);

/* Names that one. */
void wanted_text(const uint8_t id[GUID_BYTES], const char *place, unsigned unit,
                 char text[WANTED_TEXT_BYTES]);

#endif
