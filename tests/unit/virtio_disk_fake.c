// SPDX-License-Identifier: BSD-2-Clause
#include "virtio_disk_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fake *fake_with_disk(uint32_t features, uint32_t block_size, unsigned queues)
{
    struct fake *f = malloc(sizeof(*f));
    fake_init(f, DISK_BYTES, block_size, features);
    for (unsigned i = 0; i < DISK_BYTES; i += 512)
        memcpy(f->disk + i, &i, 4);
    assert_int_equal(virtio_disk_attach(&f->vm, &f->entry, FAKE_SLOT, queues), LEAT_OK);
    return f;
}

void fake_end(struct fake *f)
{
    fake_free(f);
    free(f);
}

void fake_fill(struct fake *f, uint64_t at, uint32_t length, unsigned seed)
{
    for (uint32_t i = 0; i < length; i++)
        f->ram[at + i] = (uint8_t)((i * 7 + seed) ^ (i >> 8));
}
