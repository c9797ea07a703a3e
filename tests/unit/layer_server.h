// SPDX-License-Identifier: BSD-2-Clause
/*
 * A well-behaved NBD server in memory, as a platform of the engine: the export "image", and clients'
 * exports "c0" and "c1", each a layer of whole blocks over it, of which it tells the depth. Structured
 * replies; answers at once, but for block status while layer_holds_status.
 */
#ifndef TESTS_UNIT_LAYER_SERVER_H
#define TESTS_UNIT_LAYER_SERVER_H

#include <stdbool.h>

#include "vdisk/platform.h"

#define LAYER_BLOCK 4096u
#define LAYER_BLOCKS 2048u /* that have content; what lies behind them is as block 0 of the image */
#define LAYER_EXPORTS 3u   /* the image, c0, c1 */

struct layer_export {
    uint64_t size;
    bool is_read_only, is_away; /* is_away: connections are refused */
    bool is_of_another;         /* a layer over another image than "image" */
    uint32_t min_block;         /* of its requests; 0: it tells none */
    uint64_t bad;               /* reads of that block fail; 0: none */
    bool has_block[LAYER_BLOCKS];
    uint8_t data[LAYER_BLOCKS * LAYER_BLOCK];
    unsigned reads, writes, statuses; /* requests so far */
    uint64_t read_bytes;
};
extern struct layer_export layer_exports[LAYER_EXPORTS];
extern bool layer_tells_depth, layer_holds_status;
extern uint64_t layer_now_ns;
extern char layer_log[4096]; /* all lines */
extern const struct vdisk_platform layer_platform;

void layer_reset(void);
/* Delivers what happened to connections, and answers; then call vdisk_run. */
void layer_deliver(void);
void layer_cut(unsigned export); /* its connections */

#endif
