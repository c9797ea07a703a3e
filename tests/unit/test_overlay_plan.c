// SPDX-License-Identifier: BSD-2-Clause
/* Shows how the supervisor divides what is free among the disks that keep writes in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/supervisor/overlay.h"

#define MIB (1ull << 20)

static struct leat_config config;
static struct leat_config_error error;
static struct overlay_plan plan;

static void parse(const char *text)
{
    if (leat_config_parse(text, strlen(text), &config, &error) != 0)
        fail_msg("%s", error.text);
}

#define TOP "[server]\naddress = h\n"
#define VM(name, disks) "[vm " name "]\nmemory = 64M\nkernel = k\ndisks = " disks "\n"

static void test_nothing_to_keep(void **state)
{
    (void)state;
    parse(TOP "[disk a]\n[disk b]\nmode = ram\nread_only = yes\n[disk c]\nmode = ram\n" VM("v",
                                                                                           "a, b"));
    overlay_plan(&config, 1024 * MIB, &plan); /* no VM has c */
    assert_int_equal(plan.total_bytes, 0);
    assert_int_equal(overlay_of(leat_config_disk(&config, "a"), &plan), 0);
    assert_int_equal(overlay_of(leat_config_disk(&config, "b"), &plan), 0);
}

static void test_even_shares(void **state)
{
    (void)state;
    parse(TOP "[disk a]\nmode = ram\n[disk b]\n[disk c]\nmode = ram\n" VM("v", "a")
              VM("w", "b, c"));
    overlay_plan(&config, 520 * MIB, &plan);
    assert_int_equal(plan.total_bytes, 520 * MIB);
    assert_in_range(plan.share_bytes, 256 * MIB - 64, 256 * MIB);
    assert_int_equal(overlay_of(leat_config_disk(&config, "a"), &plan), plan.share_bytes);
    assert_int_equal(overlay_of(leat_config_disk(&config, "b"), &plan), 0);
    parse(TOP "[disk a]\nmode = ram\n" VM("v", "a") VM("w", "a")); /* each VM has its own overlay */
    overlay_plan(&config, 520 * MIB, &plan);
    assert_in_range(plan.share_bytes, 256 * MIB - 64, 256 * MIB);
}

static void test_sizes_of_their_own(void **state)
{
    (void)state;
    parse(TOP "[disk a]\nmode = ram\noverlay = 128M\n[disk b]\nmode = ram\n" VM("v", "a, b"));
    overlay_plan(&config, 520 * MIB, &plan);
    assert_int_equal(plan.asked_bytes, 130 * MIB);
    assert_int_equal(plan.total_bytes, 520 * MIB);
    assert_in_range(plan.share_bytes, 384 * MIB - 64, 384 * MIB);
    assert_int_equal(overlay_of(leat_config_disk(&config, "a"), &plan), 128 * MIB);
    parse(TOP "[disk a]\nmode = ram\noverlay = 128M\n" VM("v", "a"));
    overlay_plan(&config, 520 * MIB, &plan);
    assert_int_equal(plan.total_bytes, 130 * MIB); /* the rest is nobody's */
}

static void test_more_than_there_is(void **state)
{
    (void)state;
    parse(TOP "[disk a]\nmode = ram\noverlay = 128M\n[disk b]\nmode = ram\n" VM("v", "a, b"));
    overlay_plan(&config, 100 * MIB, &plan);
    assert_int_equal(plan.asked_bytes, 130 * MIB);
    assert_int_equal(plan.total_bytes, 100 * MIB);
    assert_int_equal(plan.share_bytes, MIB);
    overlay_plan(&config, 0, &plan);
    assert_int_equal(plan.total_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_keep),
        cmocka_unit_test(test_even_shares),
        cmocka_unit_test(test_sizes_of_their_own),
        cmocka_unit_test(test_more_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
