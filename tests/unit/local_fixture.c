// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/local_fixture.h"

#include <string.h>

struct store_fixture store;
struct vdisk *engine;
struct vdisk_disk *disk;
struct vdisk_config config;
struct vdisk_limits limits;
uint8_t data[1 << 20];
unsigned done, failed, disk_sleeps;

void changed(void *owner)
{
    (void)owner;
}

static void request_done(struct vdisk_request *r, int status)
{
    done++;
    failed += status != LEAT_OK;
    if (status == LEAT_OK)
        assert_memory_equal(r->data, tiny_image + r->offset, r->length);
}

void run(unsigned rounds)
{
    while (rounds--) {
        tiny_now_ns += MS;
        store.now_ns += MS;
        tiny_deliver();
        if (disk_sleeps)
            disk_sleeps--;
        else
            store_fixture_deliver(&store);
        vdisk_run(engine);
    }
}

void start(void)
{
    engine = vdisk_create(&tiny_platform, &limits);
    vdisk_use_store(engine, store.store);
    disk = vdisk_attach(engine, &config, changed, NULL);
}

void stop(void)
{
    vdisk_detach(disk);
    vdisk_destroy(engine);
}

void power_off(void)
{
    stop();
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    tiny_reset();
}

void boot_with_silent_server(void)
{
    power_off();
    start();
    run(5);
    assert_int_equal(disk->export->link, LINK_UP);
    tiny_is_up = false;
}

int setup(void **state)
{
    (void)state;
    tiny_reset();
    for (unsigned i = 0; i < TINY_BYTES; i++)
        tiny_image[i] = (uint8_t)(i * 2654435761u >> 13);
    done = failed = disk_sleeps = 0;
    store_fixture_new(&store, STORE_BYTES);
    config = (struct vdisk_config){
        .name = "vm/root", .host = "h", .port = 1, .mode = VDISK_RAM, .has_content = true};
    config.is_profiled = true;
    memset(config.content, 7, sizeof config.content);
    limits = (struct vdisk_limits){.cache_bytes = 4u << 20, .overlay_bytes = 1u << 20};
    start();
    return 0;
}

int teardown(void **state)
{
    (void)state;
    stop();
    store_fixture_end(&store);
    return 0;
}

void submit_to(struct vdisk_request *r, uint64_t offset, uint64_t length, unsigned n)
{
    uint8_t *to = data + n * 65536;
    memset(to, 0xee, length);
    *r =
        (struct vdisk_request){.op = LEAT_BLK_READ, .offset = offset, .length = length, .data = to};
    r->done = request_done;
    vdisk_submit(disk, r);
}

void submit(struct vdisk_request *r, uint64_t offset, uint64_t length)
{
    submit_to(r, offset, length, 0);
}

void read_well(uint64_t offset, uint64_t length)
{
    struct vdisk_request r;
    unsigned before = done;
    submit(&r, offset, length);
    run(20);
    assert_int_equal(done, before + 1);
    assert_int_equal(failed, 0);
}

void let_it_be_written(void)
{
    for (unsigned i = 0; i < 130; i++) {
        run(2);
        tiny_now_ns += 100 * MS;
        store.now_ns += 100 * MS;
    }
}

void drain(void)
{
    vdisk_drain(engine);
    for (unsigned i = 0; i < 100 && !vdisk_is_drained(engine); i++)
        run(1);
    assert_true(vdisk_is_drained(engine));
}
