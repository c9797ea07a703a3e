// SPDX-License-Identifier: BSD-2-Clause
/* drivers/net against a model of the card: start, address, link, both rings, and a card that lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "e1000_model.h"

#define SPARE_BUFFERS 16u
#define DMA_BYTES (E1000_MIN_DMA_BYTES + SPARE_BUFFERS * E1000_BUFFER_BYTES)

static struct e1000_model model;
static struct e1000 nic;

static int start(void)
{
    struct e1000_platform platform = model_platform(&model);
    struct e1000_dma dma = model_dma(&model);

    return e1000_start(&nic, &platform, &dma);
}

static int setup(void **state)
{
    (void)state;
    model_init(&model, DMA_BYTES);
    return 0;
}

static int setup_started(void **state)
{
    setup(state);
    return start();
}

static int teardown(void **state)
{
    (void)state;
    model_free(&model);
    return 0;
}

static void fill(uint8_t *frame, uint16_t length, unsigned seed)
{
    for (uint16_t i = 0; i < length; i++)
        frame[i] = (uint8_t)(seed * 31 + i * 7);
}

static void knows_its_cards(void **state)
{
    (void)state;
    assert_true(e1000_is_supported(0x8086, 0x100e));
    assert_true(e1000_is_supported(0x8086, 0x100f));
    assert_true(e1000_is_supported(0x8086, 0x1004));
    assert_false(e1000_is_supported(0x8086, 0x10d3)); /* 82574L: another family */
    assert_false(e1000_is_supported(0x1af4, 0x100e));
}

static void start_reads_the_address_and_opens_both_directions(void **state)
{
    (void)state;
    assert_int_equal(start(), LEAT_OK);
    assert_memory_equal(nic.mac, model.mac, 6);
    assert_true(nic.link_up);
    assert_int_equal(nic.link_mbit, 1000);
    assert_int_equal(nic.buffer_count, E1000_RING_COUNT + SPARE_BUFFERS);
    assert_true(model.ims & E1000_INT_RXT0);
    assert_true(model.waited_us < 100000);
}

static void the_eeprom_has_the_address_when_the_filter_has_not(void **state)
{
    (void)state;
    model.ral_is_empty = true;
    assert_int_equal(start(), LEAT_OK);
    assert_memory_equal(nic.mac, model.mac, 6);
    assert_int_equal(model.regs[E1000_RAH / 4], 0x80005634u);
    assert_int_equal(model.regs[E1000_RAL / 4], 0x12005452u);
}

static void a_card_that_does_not_work_is_refused(void **state)
{
    (void)state;
    model.ral_is_empty = model.eeprom_is_dead = true;
    assert_int_equal(start(), LEAT_EIO);
    model.ral_is_empty = model.eeprom_is_dead = false;
    memset(model.mac, 0, 6);
    assert_int_equal(start(), LEAT_EIO);
    model.mac[0] = 0x01; /* a multicast address */
    assert_int_equal(start(), LEAT_EIO);
    model.reset_hangs = true;
    assert_int_equal(start(), LEAT_EIO);
    model.is_gone = true;
    assert_int_equal(start(), LEAT_EIO);
    model.dma_size = E1000_MIN_DMA_BYTES - 1;
    assert_int_equal(start(), LEAT_EINVAL);
}

static void frames_come_in_and_go_out_unchanged(void **state)
{
    (void)state;
    uint8_t frame[1514];
    struct e1000_frame got;

    for (unsigned i = 0; i < 3000; i++) {
        uint16_t length = (uint16_t)(60 + i % 1455);
        fill(frame, length, i);
        assert_true(model_receive(&model, frame, length));
        assert_true(model_irq(&model));
        e1000_interrupt(&nic);
        assert_false(model_irq(&model));
        assert_true(e1000_rx_next(&nic, &got));
        assert_int_equal(got.length, length);
        assert_memory_equal(got.data, frame, length);
        assert_false(got.checksums_ok);
        e1000_rx_skip(&nic);
        assert_false(e1000_rx_next(&nic, &got));

        uint8_t *out = e1000_tx_buffer(&nic);
        assert_non_null(out);
        memcpy(out, frame, length);
        e1000_tx_push(&nic, length);
        e1000_flush(&nic);
        assert_int_equal(model.last_sent_length, length);
        assert_memory_equal(model.last_sent, frame, length);
    }
    assert_int_equal(nic.counters.rx_frames, 3000);
    assert_int_equal(model.sent, 3000);
}

/* What a packet costs: a burst of 200 frames in and out with a handful of register accesses. */
static void a_burst_costs_few_register_accesses(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    struct e1000_frame got;

    for (int i = 0; i < 200; i++)
        assert_true(model_receive(&model, frame, sizeof(frame)));
    uint64_t reads = model.reads, writes = model.writes;
    e1000_interrupt(&nic);
    for (int i = 0; i < 200; i++) {
        assert_true(e1000_rx_next(&nic, &got));
        e1000_rx_skip(&nic);
        assert_non_null(e1000_tx_buffer(&nic));
        e1000_tx_push(&nic, 60);
    }
    e1000_flush(&nic);
    assert_int_equal(model.sent, 200);
    assert_true(model.reads - reads <= 1);
    assert_true(model.writes - writes <= 8);
}

static void kept_buffers_are_replaced_until_none_is_left(void **state)
{
    (void)state;
    uint8_t frame[100];
    struct e1000_frame got[SPARE_BUFFERS], more;

    for (unsigned i = 0; i < SPARE_BUFFERS; i++) {
        fill(frame, sizeof(frame), i);
        model_receive(&model, frame, sizeof(frame));
        assert_true(e1000_rx_next(&nic, &got[i]));
        assert_true(got[i].can_keep);
        e1000_rx_keep(&nic);
    }
    for (unsigned i = 0; i < 1000; i++) { /* the ring goes on by skipping */
        model_receive(&model, frame, sizeof(frame));
        assert_true(e1000_rx_next(&nic, &more));
        assert_false(more.can_keep);
        e1000_rx_skip(&nic);
        e1000_flush(&nic);
    }
    for (unsigned i = 0; i < SPARE_BUFFERS; i++) {
        fill(frame, sizeof(frame), i);
        assert_memory_equal(got[i].data, frame, sizeof(frame));
        e1000_rx_release(&nic, got[i].buffer);
    }
    assert_int_equal(nic.free_count, SPARE_BUFFERS);
}

static void a_full_ring_loses_frames_and_recovers(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    struct e1000_frame got;
    unsigned taken = 0;

    while (model_receive(&model, frame, sizeof(frame)))
        taken++;
    assert_int_equal(taken, E1000_RING_COUNT - 1);
    for (unsigned i = 0; i < taken; i++) {
        assert_true(e1000_rx_next(&nic, &got));
        e1000_rx_skip(&nic);
    }
    assert_false(e1000_rx_next(&nic, &got));
    e1000_flush(&nic);
    e1000_counters_update(&nic);
    assert_int_equal(nic.counters.rx_missed, 1);
    assert_true(model_receive(&model, frame, sizeof(frame)));
    assert_true(e1000_rx_next(&nic, &got));
}

static void a_slow_wire_fills_the_transmit_ring_and_reports_room(void **state)
{
    (void)state;
    unsigned queued = 0;

    model.tx_is_slow = true;
    e1000_interrupt(&nic);
    while (e1000_tx_buffer(&nic)) {
        e1000_tx_push(&nic, 60);
        queued++;
    }
    assert_int_equal(queued, E1000_RING_COUNT - 1);
    assert_null(e1000_tx_buffer(&nic));
    assert_false(model_irq(&model));
    model_transmit(&model);
    assert_int_equal(model.sent, queued);
    assert_true(model_irq(&model));
    assert_int_equal(e1000_interrupt(&nic), E1000_EVENT_SENT);
    assert_non_null(e1000_tx_buffer(&nic));
    e1000_tx_push(&nic, 60);
    e1000_flush(&nic);
    model_transmit(&model);
    assert_false(model_irq(&model)); /* switched off again */
}

static void the_links_changes_are_reported(void **state)
{
    (void)state;
    e1000_interrupt(&nic);
    model_set_link(&model, false);
    assert_true(model_irq(&model));
    assert_int_equal(e1000_interrupt(&nic), E1000_EVENT_LINK);
    assert_false(nic.link_up);
    assert_int_equal(nic.link_mbit, 0);
    model_set_link(&model, true);
    assert_true(e1000_link_update(&nic)); /* polled */
    assert_false(e1000_link_update(&nic));
    assert_true(nic.link_up);
    model.is_gone = true;
    assert_int_equal(e1000_interrupt(&nic), E1000_EVENT_GONE);
}

static void damaged_and_impossible_frames_are_dropped(void **state)
{
    (void)state;
    static const uint8_t good[60] = {1, 2, 3};
    const uint8_t whole = E1000_RX_DD | E1000_RX_EOP;
    struct e1000_frame got;

    model_receive_raw(&model, good, 60, 60, whole, E1000_RX_CE);
    model_receive_raw(&model, good, 60, 60, whole, E1000_RX_RXE);
    model_receive_raw(&model, good, 60, 2048, E1000_RX_DD, 0); /* goes on in the next buffer */
    model_receive_raw(&model, good, 60, 100, whole, 0);        /* and ends there */
    model_receive_raw(&model, good, 60, 13, whole, 0);
    model_receive_raw(&model, good, 60, 0, whole, 0);
    model_receive_raw(&model, good, 60, 2049, whole, 0);
    model_receive_raw(&model, good, 60, 0xffff, whole, 0);
    model_receive(&model, good, 60);
    assert_true(e1000_rx_next(&nic, &got));
    assert_int_equal(got.length, 60);
    assert_int_equal(nic.counters.rx_errors, 4);
    assert_int_equal(nic.counters.rx_refused, 4);
    e1000_rx_skip(&nic);
    assert_false(e1000_rx_next(&nic, &got));
}

static void the_cards_checksums_count_only_when_it_made_both(void **state)
{
    (void)state;
    static const uint8_t frame[60];
    const uint8_t whole = E1000_RX_DD | E1000_RX_EOP, both = E1000_RX_TCPCS | E1000_RX_IPCS;
    const struct {
        uint8_t status, errors;
        bool ok;
    } cases[] = {
        {whole | both, 0, true},
        {whole | both | E1000_RX_IXSM, 0, false},
        {whole | E1000_RX_IPCS, 0, false},
        {whole | both, E1000_RX_TCPE, false},
        {whole | both, E1000_RX_IPE, false},
    };
    struct e1000_frame got;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        model_receive_raw(&model, frame, 60, 60, cases[i].status, cases[i].errors);
        assert_true(e1000_rx_next(&nic, &got));
        assert_int_equal(got.checksums_ok, cases[i].ok);
        e1000_rx_skip(&nic);
    }
}

/* The rings and buffers are the device's to write: whatever it writes, the driver stays within. */
static void a_device_that_scribbles_over_its_memory_harms_nothing(void **state)
{
    (void)state;
    struct e1000_frame got;

    srand(1);
    for (int round = 0; round < 20000; round++) {
        for (int i = 0; i < 8; i++)
            model.dma[rand() % (int)E1000_RINGS_BYTES] = (uint8_t)rand();
        while (rand() % 8 && e1000_rx_next(&nic, &got)) {
            assert_in_range(got.length, 14, E1000_BUFFER_BYTES);
            assert_true(got.data >= nic.rx_buffers &&
                        got.data + got.length <= model.dma + model.dma_size);
            memset(got.data, 0xaa, got.length);
            if (rand() % 2) {
                e1000_rx_keep(&nic);
                e1000_rx_release(&nic, got.buffer);
            } else {
                e1000_rx_skip(&nic);
            }
        }
        if (e1000_tx_buffer(&nic)) {
            e1000_tx_push(&nic, 60);
            nic.tx_unpublished = 0; /* the model would rightly refuse scribbled descriptors */
        }
    }
    assert_int_equal(nic.free_count, SPARE_BUFFERS);
}

static void stop_is_silence(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};

    e1000_stop(&nic);
    assert_false(model_receive(&model, frame, 60));
    model_set_link(&model, false);
    assert_false(model_irq(&model));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TS(name) cmocka_unit_test_setup_teardown(name, setup_started, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_its_cards),
        T(start_reads_the_address_and_opens_both_directions),
        T(the_eeprom_has_the_address_when_the_filter_has_not),
        T(a_card_that_does_not_work_is_refused),
        TS(frames_come_in_and_go_out_unchanged),
        TS(a_burst_costs_few_register_accesses),
        TS(kept_buffers_are_replaced_until_none_is_left),
        TS(a_full_ring_loses_frames_and_recovers),
        TS(a_slow_wire_fills_the_transmit_ring_and_reports_room),
        TS(the_links_changes_are_reported),
        TS(damaged_and_impossible_frames_are_dropped),
        TS(the_cards_checksums_count_only_when_it_made_both),
        TS(a_device_that_scribbles_over_its_memory_harms_nothing),
        TS(stop_is_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
