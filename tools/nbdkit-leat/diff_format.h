// SPDX-License-Identifier: BSD-2-Clause
/*
 * The format of a difference file: what one client has written over a shared image. Little-endian.
 *
 *   0          header, copy 0 (4 KiB)      4096   header, copy 1
 *   8192       map: for each page number p two copies, at 8192 + 8192 p and 4096 behind that
 *   data_at    data: block b at data_at + b * block_size; a multiple of 1 MiB
 *
 * The file is sparse: what was never written takes no room and reads as zeros.
 *
 *   header    0 magic "LEATDIFF"   8 crc32c of bytes 12..4095   12 version u32   16 sequence u64
 *            24 id u64            32 image_size u64            40 block_size u32 44 flags u32
 *            48 data_at u64       56 created u64 (s, Unix)     64 image, 256 bytes, ends with 0
 *   map page  0 magic "LDMP"       4 crc32c of bytes 8..4095    8 sequence u64   16 id u64
 *            24 number u64        32 states, 2 bits a block, lowest bits first
 *
 * Of two copies that are whole the one with the larger sequence counts. A new one is written over the
 * other, and the next one only when it is durable: a cut write damages one copy, and the other one
 * is what was before. FLAG_OPEN stands in the header while somebody writes; found at the start it
 * says that the last one crashed, and that a damaged copy is a write that was cut.
 */
#ifndef NBDKIT_LEAT_DIFF_FORMAT_H
#define NBDKIT_LEAT_DIFF_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define DIFF_PAGE 4096u
#define DIFF_VERSION 1u
#define DIFF_IMAGE_NAME 256u
#define DIFF_FLAG_OPEN 1u
#define DIFF_MAP_AT (2ull * DIFF_PAGE)
#define DIFF_STATES_AT 32u
#define DIFF_STATE_BYTES (DIFF_PAGE - DIFF_STATES_AT)
#define DIFF_PAGE_BLOCKS (4u * DIFF_STATE_BYTES) /* 16,256: 63.5 MiB of blocks of 4 KiB */
#define DIFF_BLOCK_MIN 4096u
#define DIFF_BLOCK_MAX 65536u
#define DIFF_SIZE_MAX (64ull << 40)

enum diff_state {
    DIFF_ABSENT = 0, /* the image below shows through */
    DIFF_ZERO = 1,   /* zeros, without data */
    DIFF_DATA = 2,   /* the block's place in the file */
};

struct diff_header {
    uint64_t sequence, id, image_size, data_at, created;
    uint32_t block_size, flags;
    char image[DIFF_IMAGE_NAME]; /* what the image below calls itself: printable ASCII */
};

enum diff_copy { DIFF_COPY_EMPTY, DIFF_COPY_GOOD, DIFF_COPY_BAD };

/* What is said twice is derived, so that it cannot be wrong: blocks, map pages, data_at. */
uint64_t diff_blocks(uint64_t image_size, uint32_t block_size);
uint64_t diff_map_pages(uint64_t image_size, uint32_t block_size);
uint64_t diff_data_at(uint64_t image_size, uint32_t block_size);

void diff_header_put(uint8_t page[DIFF_PAGE], const struct diff_header *header);
/* GOOD: every field is in its range, and data_at is what the sizes make it. *version is what the page
   says when its checksum is right, else 0; another version is BAD. */
enum diff_copy diff_header_get(const uint8_t page[DIFF_PAGE], struct diff_header *header,
                               uint32_t *version);

/* The states are in the page already. */
void diff_page_seal(uint8_t page[DIFF_PAGE], uint64_t id, uint64_t number, uint64_t sequence);
/* EMPTY: all zeros, which is what was never written. GOOD: made for this id and number; no state 3. */
enum diff_copy diff_page_check(const uint8_t page[DIFF_PAGE], uint64_t id, uint64_t number,
                               uint64_t *sequence);

#endif
