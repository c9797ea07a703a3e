// SPDX-License-Identifier: BSD-2-Clause
/* drivers/block/mmio.h: every width moves its own bytes, and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/block/mmio.h"

static void every_width_moves_its_own_bytes(void **state)
{
    (void)state;
    const uint64_t value = 0x8877665544332211ull;
    _Alignas(8) uint8_t memory[16], expected[16];

    for (unsigned bytes = 1; bytes <= 8; bytes *= 2) {
        uint64_t low = bytes == 8 ? value : value & ((1ull << 8 * bytes) - 1);
        memset(memory, 0xee, sizeof memory);
        memset(expected, 0xee, sizeof expected);
        memcpy(expected + bytes, &value, bytes);
        block_mmio_write(memory + bytes, bytes, value);
        assert_memory_equal(memory, expected, sizeof memory);
        assert_true(block_mmio_read(memory + bytes, bytes) == low);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_width_moves_its_own_bytes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
