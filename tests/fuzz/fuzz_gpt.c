// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that no partition table, whatever is in it, makes the parser read outside of the disk, or find a partition that is
 * not inside it, or that another one of the table overlaps.
 *
 * The input begins as changes of a good table: the first byte says which checksums are mended afterwards, then
 * (place, byte) pairs. What follows a pair of zeros is the first sectors of the disk as they are.
 */
#include <stdlib.h>

#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/gpt_maker.h"

#define SECTORS 128u

static void must(bool is_true)
{
    if (!is_true)
        __builtin_trap();
}

static void mend(struct made_disk *d, uint64_t which)
{
    if (which & 1)
        for (uint64_t lba = 1; lba < SECTORS; lba += SECTORS - 2) {
            uint64_t entries = lba == 1 ? 2 : SECTORS - 33;
            uint32_t bytes = MADE_ENTRIES * MADE_ENTRY_BYTES;
            put_number(made_at(d, lba) + 88, gpt_crc32(made_at(d, entries), bytes), 4);
        }
    if (which & 2)
        made_seal_header(d, 1);
    if (which & 4)
        made_seal_header(d, SECTORS - 1);
    if (which & 8)
        made_seal(d);
}

static void check(const struct made_disk *d, const struct gpt_result *r)
{
    must(r->count <= GPT_MAX_FOUND);
    for (unsigned i = 0; i < r->count; i++) {
        const struct gpt_partition *p = &r->found[i];
        must(p->sectors && p->first > 1 && p->first < d->sectors - 1);
        must(p->sectors < d->sectors - p->first);
        for (unsigned k = 0; k < i; k++)
            must(p->first >= r->found[k].first + r->found[k].sectors ||
                 r->found[k].first >= p->first + p->sectors);
    }
}

static void make_good(struct made_disk *d)
{
    static const uint8_t leat[GUID_BYTES] = GUID_LEAT_PARTITION;
    static const uint8_t other[GUID_BYTES] = {1};
    static uint8_t good[SECTORS * 512];

    if (!good[510]) {
        struct made_disk first = {good, SECTORS, 512, UINT64_MAX};
        made_begin(&first);
        made_partition(&first, 0, other, 40, 49);
        made_partition(&first, 1, leat, 50, 59);
        made_seal(&first);
    }
    memcpy(d->bytes, good, sizeof good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct made_disk d = {malloc(SECTORS * 512), SECTORS, 512, UINT64_MAX};
    uint8_t *buffer = malloc(GPT_BUFFER_BYTES);
    struct gpt_result result;

    must(d.bytes && buffer);
    make_good(&d);
    uint64_t which = fuzz_take(&in, 1);
    for (uint64_t place = 1; in.size && place;) {
        place = fuzz_take(&in, 2);
        uint8_t value = (uint8_t)fuzz_take(&in, 1);
        if (place)
            d.bytes[place % (SECTORS * 512)] = value;
    }
    memcpy(d.bytes, in.data, in.size < SECTORS * 512 ? in.size : SECTORS * 512);
    mend(&d, which);
    struct gpt_disk view = {d.sectors, 512, made_read, &d, buffer};
    if (gpt_find(&view, &result) == GPT_OK)
        check(&d, &result);
    else
        must(result.count == 0);
    free(buffer);
    free(d.bytes);
    return 0;
}
