// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/diff_format.h"

#include <string.h>

#include "vdisk/bytes.h"
#include "vdisk/store/crc32c.h"

#define DATA_ALIGNMENT (1ull << 20)
#define HEADER_SUMMED 12u
#define PAGE_SUMMED 8u

static const char header_magic[8] = "LEATDIFF", page_magic[4] = "LDMP";

uint64_t diff_blocks(uint64_t image_size, uint32_t block_size)
{
    return (image_size + block_size - 1) / block_size;
}

uint64_t diff_map_pages(uint64_t image_size, uint32_t block_size)
{
    return (diff_blocks(image_size, block_size) + DIFF_PAGE_BLOCKS - 1) / DIFF_PAGE_BLOCKS;
}

uint64_t diff_data_at(uint64_t image_size, uint32_t block_size)
{
    uint64_t end = DIFF_MAP_AT + 2ull * DIFF_PAGE * diff_map_pages(image_size, block_size);
    return (end + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
}

void diff_header_put(uint8_t page[DIFF_PAGE], const struct diff_header *header)
{
    memset(page, 0, DIFF_PAGE);
    memcpy(page, header_magic, sizeof header_magic);
    bytes_put(page + 12, DIFF_VERSION, 4);
    bytes_put(page + 16, header->sequence, 8);
    bytes_put(page + 24, header->id, 8);
    bytes_put(page + 32, header->image_size, 8);
    bytes_put(page + 40, header->block_size, 4);
    bytes_put(page + 44, header->flags, 4);
    bytes_put(page + 48, header->data_at, 8);
    bytes_put(page + 56, header->created, 8);
    memcpy(page + 64, header->image, DIFF_IMAGE_NAME);
    bytes_put(page + 8, crc32c(0, page + HEADER_SUMMED, DIFF_PAGE - HEADER_SUMMED), 4);
}

static bool is_zero(const uint8_t *page)
{
    return !page[0] && !memcmp(page, page + 1, DIFF_PAGE - 1);
}

static bool plausible(const struct diff_header *h)
{
    if (h->block_size < DIFF_BLOCK_MIN || h->block_size > DIFF_BLOCK_MAX ||
        (h->block_size & (h->block_size - 1)))
        return false;
    if (!h->image_size || h->image_size > DIFF_SIZE_MAX || h->flags & ~DIFF_FLAG_OPEN)
        return false;
    if (h->data_at != diff_data_at(h->image_size, h->block_size))
        return false;
    size_t length = strnlen(h->image, DIFF_IMAGE_NAME);
    if (length == DIFF_IMAGE_NAME)
        return false;
    for (size_t i = 0; i < length; i++)
        if (h->image[i] < ' ' || h->image[i] > '~')
            return false;
    return true;
}

enum diff_copy diff_header_get(const uint8_t page[DIFF_PAGE], struct diff_header *header,
                               uint32_t *version)
{
    *version = 0;
    if (is_zero(page))
        return DIFF_COPY_EMPTY;
    if (memcmp(page, header_magic, sizeof header_magic) ||
        bytes_get(page + 8, 4) != crc32c(0, page + HEADER_SUMMED, DIFF_PAGE - HEADER_SUMMED))
        return DIFF_COPY_BAD;
    *version = (uint32_t)bytes_get(page + 12, 4);
    header->sequence = bytes_get(page + 16, 8);
    header->id = bytes_get(page + 24, 8);
    header->image_size = bytes_get(page + 32, 8);
    header->block_size = (uint32_t)bytes_get(page + 40, 4);
    header->flags = (uint32_t)bytes_get(page + 44, 4);
    header->data_at = bytes_get(page + 48, 8);
    header->created = bytes_get(page + 56, 8);
    memcpy(header->image, page + 64, DIFF_IMAGE_NAME);
    return *version == DIFF_VERSION && plausible(header) ? DIFF_COPY_GOOD : DIFF_COPY_BAD;
}

void diff_page_seal(uint8_t page[DIFF_PAGE], uint64_t id, uint64_t number, uint64_t sequence)
{
    memcpy(page, page_magic, sizeof page_magic);
    bytes_put(page + 8, sequence, 8);
    bytes_put(page + 16, id, 8);
    bytes_put(page + 24, number, 8);
    bytes_put(page + 4, crc32c(0, page + PAGE_SUMMED, DIFF_PAGE - PAGE_SUMMED), 4);
}

enum diff_copy diff_page_check(const uint8_t page[DIFF_PAGE], uint64_t id, uint64_t number,
                               uint64_t *sequence)
{
    if (is_zero(page))
        return DIFF_COPY_EMPTY;
    if (memcmp(page, page_magic, sizeof page_magic) ||
        bytes_get(page + 4, 4) != crc32c(0, page + PAGE_SUMMED, DIFF_PAGE - PAGE_SUMMED) ||
        bytes_get(page + 16, 8) != id || bytes_get(page + 24, 8) != number)
        return DIFF_COPY_BAD;
    for (unsigned i = DIFF_STATES_AT; i < DIFF_PAGE; i++)
        if (page[i] & page[i] >> 1 & 0x55) /* both bits of a state: there is no state 3 */
            return DIFF_COPY_BAD;
    *sequence = bytes_get(page + 8, 8);
    return DIFF_COPY_GOOD;
}
