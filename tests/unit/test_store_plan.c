// SPDX-License-Identifier: BSD-2-Clause
/* The memory that is set aside for a store is what the store asks for, within the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/supervisor/store_plan.h"
#include "vdisk/store/store.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static void enough(void **state)
{
    (void)state;
    for (uint64_t bytes = MIB; bytes <= 4096 * GIB; bytes += bytes / 3 + 4096) {
        uint64_t planned = store_plan_memory(bytes, 0, UINT64_MAX);
        assert_true(planned >= store_ram_bytes(bytes, 16) + MIB / 2);
        assert_true(planned <= store_ram_bytes(bytes, 16) * 2 + 4 * MIB);
    }
}

static void bounds(void **state)
{
    (void)state;
    assert_int_equal(store_plan_memory(1024 * GIB, 0, 400 * MIB), 100 * MIB);
    assert_int_equal(store_plan_memory(1024 * GIB, 32 * MIB, 400 * MIB), 32 * MIB);
    assert_int_equal(store_plan_memory(64 * MIB, 32 * MIB, 0), 4 * MIB);
    assert_int_equal(store_plan_memory(64 * MIB, 0, 15 * MIB), 0);
    assert_int_equal(store_plan_memory(0, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(enough), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
