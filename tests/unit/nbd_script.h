// SPDX-License-Identifier: BSD-2-Clause
/*
 * An NBD client (vdisk/nbd/session.h) whose server is a script: a test says what the server says,
 * all at once or byte by byte (peer.piece), and looks at what the client makes of it. One client at
 * a time.
 */
#ifndef TESTS_UNIT_NBD_SCRIPT_H
#define TESTS_UNIT_NBD_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/unit/nbd_peer.h"
#include "vdisk/nbd/proto.h"
#include "vdisk/nbd/session.h"

#define READ_OFFSET 65536u
#define READ_BYTES 16384u

extern const struct nbd_patience patience;
extern struct nbd_session session;
extern struct nbd_command command; /* of send_command */
extern uint8_t pages[4][NBD_PAGE_BYTES];
extern uint32_t done_error; /* of the last command that has ended */
extern int done_count;
extern const struct vdisk_tls fake_tls;
extern const char *fake_tls_answer; /* of its start(); NULL: started */
extern int tls_starts;

extern bool wants_depth; /* it asks for qemu:allocation-depth, and the server has it as number 43 */
/* A new client is connected; its server has said nothing yet. */
void begin(void);
void begin_with(const struct vdisk_tls *tls);
/* The same, and both have agreed on an export of 1 MiB. */
void negotiate(bool structured);
/* Into `command` and `pages`. */
void send_command(uint16_t type, uint32_t length);
/* Negotiates, and reads READ_BYTES at READ_OFFSET. */
void read_structured(void);
/* Delivers what was said. */
void run(void);
/* The same; the connection must be lost for that reason, and the command unanswered. */
void expect_lost(const char *why);

/* -- what the server says -- */

void say(const void *data, size_t size);
void say32(uint32_t v);
void say64(uint64_t v);
void say16(uint16_t v);
void say_option(uint32_t option, uint32_t type, uint32_t size);
void say_greeting(uint16_t flags);
void say_meta(void);
void say_until_go(void);
void say_export(uint64_t size, uint16_t flags);
void say_block_size(uint32_t min, uint32_t max);
void say_chunk_to(uint64_t cookie, uint16_t flags, uint16_t type, uint32_t size);
void say_chunk(uint16_t flags, uint16_t type, uint32_t size);
void say_data(uint16_t flags, uint64_t offset, uint32_t size, uint8_t fill);
void say_hole(uint16_t flags, uint64_t offset, uint32_t size);
void say_simple(uint32_t error, uint64_t cookie);

#endif
