// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of mode server share: an engine and up to two clients' disks over one image of the
 * server of layers. The engine and the server start and end with each test. */
#ifndef TESTS_UNIT_LAYER_FIXTURE_H
#define TESTS_UNIT_LAYER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/layer_server.h"
#include "vdisk/engine.h"

#define MS 1000000ull
#define BLOCK 4096ull
#define MAX_BLOCKS 64u

struct read {
    struct vdisk_request request;
    uint8_t data[MAX_BLOCKS * BLOCK];
    bool is_done; /* it has ended, with ... */
    int status;   /* ... this LEAT_... */
};

extern struct vdisk *engine;
extern struct vdisk_disk *disks[2];                  /* of the clients; NULL: detached */
extern struct layer_export *const image, *const own; /* the shared export, and client 0's */
extern struct read one, two;
extern uint32_t told[2];   /* the state (LEAT_BLK_...) that a client has been told last */
extern bool below_is_hole; /* of the disks that come; false at a test's begin */

int setup(void **state);
int teardown(void **state);
/* So many rounds of 1 ms. */
void run(unsigned rounds);
/* The client's disk comes: in mode server the image with the client's own export over it, ... */
void attach(unsigned client);
/* ... or `export`, in any mode. */
void attach_as(unsigned client, const char *export, enum vdisk_mode mode);
void detach(unsigned client);
/* `op` is LEAT_BLK_..., offset and length are in bytes; what is written is in read->data. */
void submit(struct read *read, unsigned client, uint32_t op, uint64_t offset, uint64_t length);
/* Asks for up to MAX_BLOCKS blocks. */
void read_blocks(struct read *read, unsigned client, uint64_t block, unsigned count);
/* The read has ended well, with what the client's server itself would show. */
void expect(const struct read *read, unsigned client);
/* The client's own layer holds the block from now on. */
void own_block(unsigned client, uint64_t block);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
