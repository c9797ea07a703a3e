// SPDX-License-Identifier: BSD-2-Clause
/* Limits of disks and tenants: how much they let through, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tiny_server.h"
#include "vdisk/engine.h"
#include "vdisk/service/config.h"

#define MS 1000000ull
#define BLOCK 4096ull
#define FLYING 8u

static struct vdisk *engine;

/* A guest that asks for more as soon as it has got something. */
struct client {
    struct vdisk_disk *disk;
    struct vdisk_request requests[FLYING];
    uint8_t data[65536];
    uint32_t length, op;
    bool is_on, is_busy[FLYING];
    unsigned done, failed;
};
static struct client a, b, c;

static void request_done(struct vdisk_request *r, int status)
{
    struct client *who = r->owner;
    who->done += status == LEAT_OK;
    who->failed += status != LEAT_OK;
    who->is_busy[r - who->requests] = false;
}

static void submit(struct client *who, unsigned i)
{
    struct vdisk_request *r = &who->requests[i];
    *r = (struct vdisk_request){.op = who->op, .length = who->length, .data = who->data};
    if (who->op == LEAT_BLK_FLUSH)
        r->length = 0;
    r->owner = who;
    r->done = request_done;
    who->is_busy[i] = true;
    vdisk_submit(who->disk, r);
}

static void attach(struct client *who, const char *name, const char *tenant,
                   struct limit_rates rates, struct limit_rates tenant_rates)
{
    struct vdisk_config config = {
        .host = "h", .port = 1, .mode = VDISK_RAM, .rates = rates, .tenant_rates = tenant_rates};
    strcpy(config.name, name);
    strcpy(config.tenant, tenant);
    memset(who, 0, sizeof *who);
    who->length = BLOCK;
    who->disk = vdisk_attach(engine, &config, tiny_changed, NULL);
    assert_non_null(who->disk);
}

static void step(void)
{
    tiny_run(engine, 1);
}

static void keep_busy(struct client *who)
{
    for (unsigned i = 0; who->is_on && i < FLYING; i++)
        if (!who->is_busy[i])
            submit(who, i);
}

static void run(unsigned ms)
{
    while (ms--) {
        step();
        for (unsigned i = 0; i < 4; i++) { /* more than any limit here lets through in 1 ms */
            keep_busy(&a);
            keep_busy(&b);
            keep_busy(&c);
        }
    }
}

static int setup(void **state)
{
    struct vdisk_limits limits = {.cache_bytes = 16u << 20, .overlay_bytes = 4u << 20};
    (void)state;
    tiny_reset();
    engine = vdisk_create(&tiny_platform, &limits);
    a = b = c = (struct client){0};
    return 0;
}

static int teardown(void **state)
{
    struct client *all[] = {&a, &b, &c};
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        if (all[i]->disk)
            vdisk_detach(all[i]->disk);
    vdisk_destroy(engine);
    return 0;
}

static const struct limit_rates none;

static void a_bucket_pays_exactly(void **state)
{
    (void)state;
    struct limit l = {.rates = {.iops = 1000, .bandwidth = 1 << 20}};
    uint64_t now = 5000 * MS, small = 0, bytes = 0;
    for (uint64_t end = now + 10000 * MS; now < end; now += 100000)
        for (; limit_when(&l) <= now; small++)
            limit_take(&l, 512, now);
    assert_in_range(small, 10000, 10000 + 100 + 1); /* ten seconds, the burst, one ahead */
    now += 10000 * MS;
    for (uint64_t end = now + 10000 * MS; now < end; now += 100000)
        for (; limit_when(&l) <= now; bytes += 65536)
            limit_take(&l, 65536, now);
    assert_in_range(bytes, 10u << 20, (10u << 20) + (1u << 20) / 10 + 2 * 65536);
    struct limit large = {.rates = {.bandwidth = 4096}};
    limit_take(&large, VDISK_MAX_REQUEST, now); /* goes at once, and is paid for */
    assert_true(limit_when(&large) >= now + 8191000 * MS);
}

static void cache_hits_count_too(void **state)
{
    (void)state;
    attach(&a, "vm/root", "vm", (struct limit_rates){.iops = 100}, none);
    a.is_on = true;
    run(5000);
    assert_in_range(a.done, 490, 500 + 10 + 2);
    assert_true(tiny_reads < 64); /* one block, and what lies around it */
    assert_true(a.disk->counters.held > 400);
    assert_int_equal(a.failed, 0);
}

static void bytes_count_both_ways_but_not_of_flushes(void **state)
{
    (void)state;
    attach(&a, "vm/root", "vm", (struct limit_rates){.bandwidth = 1u << 20}, none);
    a.op = LEAT_BLK_WRITE;
    a.length = 65536;
    a.is_on = true;
    run(4000);
    assert_in_range(a.done, 60, 64 + 4);
    a.op = LEAT_BLK_FLUSH;
    run(1000); /* what is owed, and the writes that wait, first */
    a.done = 0;
    run(100);
    assert_true(a.done >= 100 * 4 * FLYING - FLYING);
}

static void a_tenant_shares_its_limit_evenly(void **state)
{
    (void)state;
    struct limit_rates rates = {.iops = 200};
    attach(&a, "vm/root", "vm", none, rates);
    attach(&b, "vm/data", "vm", none, rates);
    attach(&c, "other/root", "other", none, none);
    a.is_on = true;
    b.is_on = true;
    c.is_on = true;
    run(5000);
    assert_in_range(a.done + b.done, 980, 1000 + 20 + 2);
    assert_in_range(a.done, b.done - 15, b.done + 15);
    assert_true(c.done > 100000); /* nobody holds back the other tenant */
    assert_int_equal(c.disk->counters.held, 0);
}

static void a_disk_of_a_tenant_has_its_own_limit(void **state)
{
    (void)state;
    struct limit_rates rates = {.iops = 200};
    attach(&a, "vm/root", "vm", (struct limit_rates){.iops = 50}, rates);
    attach(&b, "vm/data", "vm", none, rates);
    a.is_on = true;
    b.is_on = true;
    run(5000);
    assert_in_range(a.done, 240, 250 + 5 + 2);
    assert_in_range(b.done, 980 - 257, 1000 + 22 - 240); /* what the other leaves */
}

static struct vdisk_request *order[4];
static unsigned ordered;

static void ordered_done(struct vdisk_request *r, int status)
{
    (void)status;
    order[ordered++] = r;
}

static void a_disk_keeps_its_order(void **state)
{
    static struct vdisk_request r[4];
    static uint8_t data[BLOCK];
    (void)state;
    attach(&a, "vm/root", "vm", (struct limit_rates){.iops = 10}, none);
    run(10);
    ordered = 0;
    for (unsigned i = 0; i < 4; i++) {
        r[i] = (struct vdisk_request){.op = i == 2 ? LEAT_BLK_FLUSH : LEAT_BLK_WRITE,
                                      .length = i == 2 ? 0 : BLOCK,
                                      .data = data,
                                      .done = ordered_done};
        vdisk_submit(a.disk, &r[i]);
    }
    run(99);
    assert_int_equal(ordered, 2); /* a burst of one, and one ahead */
    run(2);
    assert_int_equal(ordered, 3);
    run(300);
    assert_int_equal(ordered, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_ptr_equal(order[i], &r[i]);
}

static void hostile_lengths_cost_one_request(void **state)
{
    (void)state;
    attach(&a, "vm/root", "vm", (struct limit_rates){.iops = 1000, .bandwidth = 1u << 20}, none);
    run(10);
    a.requests[0] = (struct vdisk_request){.length = UINT64_MAX, .owner = &a, .done = request_done};
    vdisk_submit(a.disk, &a.requests[0]);
    assert_int_equal(a.failed, 1);
    assert_true(limit_when(&a.disk->limit) <= tiny_now_ns + MS);
}

static void what_is_held_can_be_forgotten(void **state)
{
    (void)state;
    struct limit_rates rates = {.iops = 1};
    attach(&a, "vm/root", "vm", none, rates);
    attach(&b, "vm/data", "vm", none, rates);
    a.is_on = true;
    run(10);
    assert_true(a.disk->counters.waiting == FLYING);
    tiny_is_up = false;
    disk_give_up(a.disk, "server"); /* as when the server is away for too long */
    assert_int_equal(a.failed, FLYING);
    a.is_on = false;
    submit(&a, 0);
    submit(&b, 0);
    vdisk_detach(a.disk);
    a.disk = NULL;
    run(4000);
    assert_int_equal(a.done + a.failed, FLYING + 1);
    assert_int_equal(b.done + b.failed, 1);
}

static const char *arg_value;

static const char *more_args[8]; /* KEY, VALUE ... */

static const char *get(void *ctx, const char *key, char *buf, size_t size)
{
    (void)size;
    if (!strcmp(key, "host"))
        return strcpy(buf, "h");
    for (unsigned i = 0; i < 8 && more_args[i]; i += 2)
        if (!strcmp(key, more_args[i]))
            return strcpy(buf, more_args[i + 1]);
    return !strcmp(key, ctx) ? strcpy(buf, arg_value) : NULL;
}

static const char *configure(const char *key, const char *value, struct vdisk_config *config)
{
    static char why[96];
    char copy[16];
    struct disk_args args = {get, strcpy(copy, key), NULL};
    arg_value = value;
    return disk_config(&args, "web/root", config, why, sizeof why);
}

static void the_service_reads_limits(void **state)
{
    struct vdisk_config config;
    (void)state;
    assert_null(configure("-", "", &config));
    assert_string_equal(config.tenant, "web");
    assert_int_equal(config.tenant_rates.iops, 0);
    assert_null(configure("limits", "100 1048576", &config));
    assert_int_equal(config.rates.iops, 100);
    assert_int_equal(config.rates.bandwidth, 1048576);
    assert_null(configure("tenant", "lab 7 0 200", &config));
    assert_string_equal(config.tenant, "lab");
    assert_int_equal(config.tenant_rates.iops, 7);
    assert_int_equal(config.link_weight, 200);
    assert_non_null(configure("tenant", "lab 7 0", &config));
    assert_non_null(configure("limits", "100", &config));
    assert_non_null(configure("limits", "100 200 300", &config));
    assert_non_null(configure("limits", "99999999999999999999999 1", &config));
    assert_non_null(configure("tenant", " 7 0 1", &config));
    assert_non_null(configure("tenant", "lab", &config));
}

static void the_service_reads_layers(void **state)
{
    struct vdisk_config config;
    (void)state;
    more_args[0] = "mode";
    more_args[1] = "server";
    assert_string_equal(configure("-", "", &config), "mode=server needs client_export=");
    more_args[2] = "client_export";
    more_args[3] = "web.img";
    assert_null(configure("-", "", &config));
    assert_int_equal(config.mode, VDISK_SERVER);
    assert_string_equal(config.client_export, "web.img");
    assert_int_equal(config.client_count, 0);
    assert_false(config.below_is_hole);
    assert_null(configure("client_servers", "a:7, b", &config));
    assert_int_equal(config.client_count, 2);
    assert_int_equal(config.client_servers[0].port, 7);
    assert_string_equal(config.client_servers[1].host, "b");
    assert_non_null(configure("client_servers", "a,b,c,d,e", &config));
    assert_null(configure("client_layer", "holes", &config));
    assert_true(config.below_is_hole);
    memset(more_args, 0, sizeof more_args);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_pays_exactly),        TEST(cache_hits_count_too),
        TEST(bytes_count_both_ways_but_not_of_flushes), TEST(a_tenant_shares_its_limit_evenly),
        TEST(a_disk_of_a_tenant_has_its_own_limit),     TEST(a_disk_keeps_its_order),
        TEST(hostile_lengths_cost_one_request),         TEST(what_is_held_can_be_forgotten),
        cmocka_unit_test(the_service_reads_limits),     cmocka_unit_test(the_service_reads_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
