// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/layer_fixture.h"

#include <stdio.h>
#include <string.h>

struct vdisk *engine;
struct vdisk_disk *disks[2];
struct layer_export *const image = &layer_exports[0], *const own = &layer_exports[1];
struct read one, two;
uint32_t told[2];
bool below_is_hole;

static void changed(void *owner)
{
    (void)owner;
    struct leat_blk_info info;
    for (unsigned i = 0; i < 2; i++)
        if (disks[i]) {
            vdisk_info(disks[i], &info);
            told[i] = info.state;
        }
}

static void request_done(struct vdisk_request *r, int status)
{
    struct read *read = r->owner;
    assert_false(read->is_done);
    read->is_done = true;
    read->status = status;
}

void run(unsigned rounds)
{
    while (rounds--) {
        layer_now_ns += MS;
        layer_deliver();
        vdisk_run(engine);
    }
}

void attach_as(unsigned client, const char *export, enum vdisk_mode mode)
{
    struct vdisk_config config = {.host = "h", .port = 1, .mode = mode, .is_profiled = true};
    snprintf(config.name, sizeof config.name, "vm%u/root", client);
    snprintf(config.export_name, sizeof config.export_name, "%s", export);
    snprintf(config.client_export, sizeof config.client_export, "c%u", client);
    config.below_is_hole = below_is_hole;
    disks[client] = vdisk_attach(engine, &config, changed, NULL);
    assert_non_null(disks[client]);
}

void attach(unsigned client)
{
    attach_as(client, "image", VDISK_SERVER);
}

void detach(unsigned client)
{
    vdisk_detach(disks[client]);
    disks[client] = NULL;
}

int setup(void **state)
{
    (void)state;
    layer_reset();
    static const struct vdisk_limits limits = {.cache_bytes = 16u << 20, .connections = 1};
    engine = vdisk_create(&layer_platform, &limits);
    memset(disks, 0, sizeof disks);
    memset(told, 0, sizeof told);
    below_is_hole = false;
    return 0;
}

int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        if (disks[i])
            vdisk_detach(disks[i]);
    vdisk_destroy(engine);
    layer_reset();
    return 0;
}

void submit(struct read *read, unsigned client, uint32_t op, uint64_t offset, uint64_t length)
{
    read->request = (struct vdisk_request){
        .op = op, .offset = offset, .length = length, .data = read->data, .owner = read};
    read->request.done = request_done;
    read->is_done = false;
    vdisk_submit(disks[client], &read->request);
}

void read_blocks(struct read *read, unsigned client, uint64_t block, unsigned count)
{
    memset(read->data, 0xee, sizeof read->data);
    submit(read, client, LEAT_BLK_READ, block * BLOCK, count * BLOCK);
}

void expect(const struct read *read, unsigned client)
{
    const struct layer_export *x = &layer_exports[1 + client];
    assert_true(read->is_done);
    assert_int_equal(read->status, LEAT_OK);
    for (uint64_t i = 0; i < read->request.length / 512; i++) {
        uint64_t at = read->request.offset + i * 512, block = at / BLOCK;
        const uint8_t *truth = x->has_block[block] ? x->data : image->data;
        assert_memory_equal(read->data + i * 512, truth + at, 512);
    }
}

void own_block(unsigned client, uint64_t block)
{
    struct layer_export *x = &layer_exports[1 + client];
    x->has_block[block] = true;
    memset(x->data + block * BLOCK, 0xa0 + (int)client, BLOCK);
}
