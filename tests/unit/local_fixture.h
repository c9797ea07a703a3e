// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of the engine with a local store share: one engine with one disk, whose image the
 * tiny server has, and a store on a disk of memory; all start and end with each test. */
#ifndef TESTS_UNIT_LOCAL_FIXTURE_H
#define TESTS_UNIT_LOCAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/store_fixture.h"
#include "tests/unit/tiny_server.h"
#include "vdisk/engine.h"

#define MS 1000000ull
#define BLOCK 4096ull
#define STORE_BYTES (16u << 20)

extern struct store_fixture store;
extern struct vdisk *engine;
extern struct vdisk_disk *disk;
extern struct vdisk_config config; /* of the disk, and ... */
extern struct vdisk_limits limits; /* ... of the engine, from the next start() on */
extern uint8_t data[1 << 20];      /* where reads go */
extern unsigned done, failed;      /* requests of submit() that have ended, and not well */
extern unsigned disk_sleeps;       /* rounds in which the local disk does nothing */

int setup(void **state);
int teardown(void **state);
/* What a disk calls when its state changes: nothing happens. */
void changed(void *owner);
/* The engine and its disk come and go; the store stays as it is. */
void start(void);
void stop(void);
/* The machine goes down: the store keeps what is on its disk, and the server is up, with its
 * image as it is now. */
void power_off(void);
/* It starts again; the server answers to who connects, and then no more. */
void boot_with_silent_server(void);
/* So many rounds of 1 ms. */
void run(unsigned rounds);
/* So that it is on the disk: blocks are committed after 5 s. */
void let_it_be_written(void);
/* Until everything is durable, as a program does that ends. */
void drain(void);
/* Asks for a part of the image; when it comes, it must be what the server has now. */
void submit(struct vdisk_request *r, uint64_t offset, uint64_t length);
/* Into the nth 64 KiB of the memory. */
void submit_to(struct vdisk_request *r, uint64_t offset, uint64_t length, unsigned n);
/* As submit(), and waits for it. */
void read_well(uint64_t offset, uint64_t length);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
