// SPDX-License-Identifier: BSD-2-Clause
/* The clock shows the wall clock, keeps what is set, and interrupts when asked. */
#include "vmm_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct vmm_fake f;

static uint8_t rd(uint8_t index)
{
    vmm_fake_out(&f, 0x70, index);
    return vmm_fake_in(&f, 0x71);
}

static void wr(uint8_t index, uint8_t value)
{
    vmm_fake_out(&f, 0x70, index);
    vmm_fake_out(&f, 0x71, value);
}

static void start(void)
{
    vmm_fake_init(&f, 1);
    f.wall_s = 1709251199 - 1; /* 2024-03-01 00:00:00 is 1709251200; now_ns starts at 1 s */
}

static void shows_time(void **state)
{
    (void)state;
    start();
    assert_int_equal(rd(0), 0x59);
    assert_int_equal(rd(4), 0x23);
    assert_int_equal(rd(7), 0x29); /* a leap day */
    assert_int_equal(rd(8), 0x02);
    f.now_ns += 1000000000;
    assert_int_equal(rd(4), 0x00);
    assert_int_equal(rd(7), 0x01);
    assert_int_equal(rd(8), 0x03);
    assert_int_equal(rd(9), 0x24);
    assert_int_equal(rd(0x32), 0x20);
    assert_int_equal(rd(6), 6); /* a Friday */
    wr(11, 0x06);               /* binary */
    assert_int_equal(rd(9), 24);
    wr(11, 0x00); /* BCD, 12 hours: midnight is 12 AM */
    assert_int_equal(rd(4), 0x12);
    f.now_ns += 13ull * 3600 * 1000000000;
    assert_int_equal(rd(4), 0x81); /* 1 PM */
    vmm_fake_free(&f);
}

static void keeps_what_is_set(void **state)
{
    (void)state;
    start();
    wr(11, 0x82); /* SET */
    wr(0, 0x30);
    wr(2, 0x15);
    wr(4, 0x08);
    f.now_ns += 5000000000;
    assert_int_equal(rd(0), 0x30); /* stopped */
    wr(11, 0x02);
    f.now_ns += 5000000000;
    assert_int_equal(rd(0), 0x35);
    assert_int_equal(rd(2), 0x15);
    assert_int_equal(rd(4), 0x08);
    for (unsigned i = 0; i < 128; i++) /* any byte anywhere */
        wr((uint8_t)i, 0xff);
    for (unsigned i = 0; i < 128; i++)
        rd((uint8_t)i);
    vmm_fake_free(&f);
}

static void interrupts(void **state)
{
    (void)state;
    start();
    wr(11, 0x12); /* update-ended */
    vmm_fake_advance(&f, 1500000000);
    assert_true(f.platform.ioapic.lines & 1u << 8);
    assert_int_equal(rd(12) & 0x90, 0x90);
    assert_false(f.platform.ioapic.lines & 1u << 8);
    wr(5, 0xff);
    wr(3, 0xff);
    wr(1, 0x10); /* alarm at second 10 of any minute */
    wr(11, 0x22);
    rd(12);
    vmm_fake_advance(&f, 5000000000);
    assert_false(f.platform.ioapic.lines & 1u << 8);
    vmm_fake_advance(&f, 8000000000);
    assert_true(f.platform.ioapic.lines & 1u << 8);
    assert_true(rd(12) & 0x20);
    wr(10, 0x26);
    wr(11, 0x42); /* periodic, 1024 Hz */
    vmm_fake_advance(&f, 1000000);
    assert_true(rd(12) & 0x40);
    vmm_fake_free(&f);
}

static void dates_round_trip(void **state)
{
    (void)state;
    for (int64_t s = 0; s < 32503680000; s += 86400 * 13 + 12345) {
        struct rtc_date d = rtc_to_date(s);
        assert_int_equal(rtc_from_date(&d), s);
        assert_in_range(d.month, 1, 12);
        assert_in_range(d.day, 1, 31);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_time),
        cmocka_unit_test(keeps_what_is_set),
        cmocka_unit_test(interrupts),
        cmocka_unit_test(dates_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
