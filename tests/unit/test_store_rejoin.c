// SPDX-License-Identifier: BSD-2-Clause
/*
 * The storage service was started again, and cannot be joined to vdisk: vdisk's side must learn that the disk is gone,
 * instead of waiting for it for ever. The supervisor's part and vdisk's talk to each other; all around them is made up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/sys.h"

/* What is a system call there. */
#define leat_clock_ns() 1000000000ull
#define leat_domain_kill(domain, code) ((void)(domain), (void)(code))
#include "services/supervisor/storage.c"
#undef leat_clock_ns
#undef leat_domain_kill

#include "vdisk/service/local_disk.h"

struct leat_loop supervisor_loop;

static struct leat_blk_channel *channel;
static struct leat_start_entry first; /* of vdisk, in its start block */
static struct process service, vdisk;
static struct leat_loop_timer *restart;
static uint64_t cookies, detached;
static bool can_link, can_deliver, can_listen, is_alive, is_there;
static struct leat_config config;

/* -- around both -- */

void leat_log(const char *format, ...)
{
    (void)format;
}

int leat_loop_on(struct leat_loop *loop, uint64_t bits, leat_loop_fn fn, void *context)
{
    (void)loop, (void)bits, (void)fn, (void)context;
    return can_listen ? LEAT_OK : LEAT_ENOMEM;
}

void leat_loop_off(struct leat_loop *loop, uint64_t bits)
{
    (void)loop, (void)bits;
}

void leat_loop_timer(struct leat_loop *loop, struct leat_loop_timer *timer, leat_loop_fn fn,
                     void *context)
{
    (void)loop;
    timer->fn = fn;
    timer->context = context;
    restart = timer;
}

void leat_loop_timer_set(struct leat_loop *loop, struct leat_loop_timer *timer, uint64_t when)
{
    (void)loop;
    timer->deadline_ns = when;
}

/* -- around the supervisor's part -- */

static void has_found_it(void)
{
    const struct leat_ctl found = {.op = LEAT_CTL_STATUS, .arg = {1 << 20}, .text = "the one"};
    service.on_message(&service, &found);
}

static void has_found_nothing(void)
{
    const struct leat_ctl found = {.op = LEAT_CTL_STATUS};
    service.on_message(&service, &found);
    service.on_death(&service, &(struct leat_domain_status){.fault_vector = UINT32_MAX});
}

void leat_loop_step(struct leat_loop *loop)
{
    (void)loop;
    if (is_there)
        has_found_it();
    else
        has_found_nothing();
}

struct process *process_create(const char *name, const char *program, uint64_t quota,
                               enum leat_prio prio)
{
    (void)name, (void)program, (void)quota, (void)prio;
    memset(&service, 0, sizeof service);
    return &service;
}

int process_run(struct process *p)
{
    is_alive = p == &service;
    return LEAT_OK;
}

void process_discard(struct process *p)
{
    (void)p;
}

int process_argument(struct process *p, const char *format, ...)
{
    (void)p, (void)format;
    return LEAT_OK;
}

void process_return_bits(struct process *p, uint64_t bits)
{
    (void)p, (void)bits;
}

void process_describe_death(const struct leat_domain_status *status, char *text, size_t size)
{
    (void)status;
    snprintf(text, size, "test");
}

/* To vdisk, as its main.c takes it. */
int process_send_text(struct process *p, uint32_t op, const char *text, uint64_t arg0,
                      uint64_t arg1)
{
    (void)text;
    if (p != &vdisk || op != LEAT_CTL_DETACH)
        return LEAT_OK;
    local_disk_detach(arg0, arg1 != 0);
    detached = arg0;
    return LEAT_OK;
}

void link_name(struct leat_start_entry *entry, const char *role, const char *name)
{
    snprintf(entry->role, sizeof(entry->role), "%s", role);
    snprintf(entry->name, sizeof(entry->name), "%s", name);
}

int link_processes(struct process *a, uint64_t bits_a, struct leat_start_entry *entry_a,
                   struct process *b, uint64_t bits_b, struct leat_start_entry *entry_b,
                   uint64_t size)
{
    (void)a, (void)bits_a, (void)b, (void)bits_b;
    entry_a->my_bits = entry_b->my_bits = 4;
    entry_a->size = entry_b->size = size;
    entry_a->va = entry_b->va = (uint64_t)(uintptr_t)channel;
    return can_link ? LEAT_OK : LEAT_ENOMEM;
}

int link_deliver(struct process *p, const struct leat_start_entry *entry, uint64_t cookie)
{
    (void)cookie;
    if (p != &vdisk)
        return LEAT_OK;
    if (!can_deliver)
        return LEAT_EAGAIN;
    if (!first.va)
        first = *entry;
    else
        local_disk_attach(entry);
    return LEAT_OK;
}

uint64_t link_cookie(void)
{
    return ++cookies;
}

unsigned controllers_find(void)
{
    return 1;
}

int controllers_give(struct process *p)
{
    (void)p;
    return LEAT_OK;
}

void controllers_off(void) {}

bool services_has_net(void)
{
    return true;
}

void services_attach_log(struct process *p, struct attachment *log)
{
    (void)p, (void)log;
}

void prompt_forget_process(struct process *p)
{
    (void)p;
}

/* -- around vdisk's -- */

const struct leat_start_entry *leat_start_find(const char *role, const char *name)
{
    (void)role, (void)name;
    return &first;
}

const char *leat_start_arg(const char *key, char *buf, size_t size)
{
    snprintf(buf, size, "%s", strcmp(key, "store.memory") ? "empty" : "100000000");
    return buf;
}

void leat_signal_peer(const struct leat_start_entry *entry)
{
    (void)entry;
}

void leat_channel_release(const struct leat_start_entry *entry)
{
    (void)entry;
}

static uint64_t no_number(void *ctx)
{
    (void)ctx;
    return 0;
}

static void say(void *ctx, const char *line)
{
    (void)ctx, (void)line;
}

/* -- the tests -- */

static void run(void)
{
    for (unsigned i = 0; i < 50; i++)
        local_disk_run();
}

/* vdisk has sent a command, and the storage service dies with it. */
static int begin(void **state)
{
    static const struct store_platform platform = {
        .now_ns = no_number, .random = no_number, .log = say};
    (void)state;
    memset(&storage, 0, sizeof storage);
    memset(&first, 0, sizeof first);
    can_link = can_deliver = can_listen = is_there = true;
    config.disk_count = 1;
    channel = aligned_alloc(4096, sizeof *channel);
    memset(channel, 0, offsetof(struct leat_blk_channel, data));
    channel->info.block_size = 512;
    channel->info.size_bytes = 64 << 20;
    channel->info.state = LEAT_BLK_READY;
    storage_start(&config);
    assert_int_equal(storage_join(&vdisk), LEAT_OK);
    local_disk_begin(&supervisor_loop, NULL, &platform);
    run();
    assert_false(local_disk_is_decided());
    is_alive = false;
    service.on_death(&service, &(struct leat_domain_status){.code = 1});
    assert_true(storage_detached(&vdisk, detached));
    run();
    assert_false(local_disk_is_decided());
    memset(channel, 0, offsetof(struct leat_blk_channel, data));
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(channel);
    return 0;
}

static void start_again(void)
{
    restart->fn(restart->context);
    assert_true(is_alive);
    has_found_it();
    run();
}

static void expect_gone(void)
{
    assert_true(local_disk_is_decided());
    assert_null(local_disk_store());
}

static void waits_for_the_next(void **state)
{
    (void)state;
    start_again();
    assert_false(local_disk_is_decided());
    local_disk_detach(cookies, false);
    run();
    expect_gone();
}

static void no_channel(void **state)
{
    (void)state;
    can_link = false;
    start_again();
    expect_gone();
}

static void no_message(void **state)
{
    (void)state;
    can_deliver = false;
    start_again();
    expect_gone();
}

static void vdisk_refuses_it(void **state)
{
    (void)state;
    can_listen = false;
    start_again();
    expect_gone();
}

static void who_finds_nothing_is_not_started_again(void **state)
{
    (void)state;
    memset(&storage, 0, sizeof storage);
    is_there = false;
    storage_start(&config);
    assert_int_equal(restart->deadline_ns, 0);
    assert_int_equal(storage_partition_bytes(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(waits_for_the_next),
        TEST(no_channel),
        TEST(no_message),
        TEST(vdisk_refuses_it),
        TEST(who_finds_nothing_is_not_started_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
