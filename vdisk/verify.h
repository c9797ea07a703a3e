// SPDX-License-Identifier: BSD-2-Clause
/*
 * Verified images: an export whose disks name a root hash, and a second one on the same servers, the
 * hash tree (verity/verity.h). Whatever a fetch brings, from wherever, is held back until each of
 * its blocks has been judged by its digest; so what the cache calls VALID has passed, of the image
 * and of the tree. A tree block is fetched as soon as a fetch needs it, together with all above it
 * that the cache does not hold, so that it costs no round trip of its own.
 *
 * A block that fails is thrown away and asked for again, of the next server if there is one. When all
 * have lied about it there are pauses (1 s, doubled up to 32 s), and it waits as if no server were
 * there. The other blocks of its fetch are served.
 *
 * Room: what waits for tree blocks leaves them room in the cache, and a tree block leaves it to those
 * above it; so there is always one that can move on.
 */
#ifndef VDISK_VERIFY_H
#define VDISK_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk/verity/verity.h"

#define VERIFY_UNIT_BLOCKS 16u /* of the largest "smallest request" of a server: 64 KiB */

struct vdisk;
struct vdisk_config;
struct vdisk_export;
struct tenant;
struct fetch;

struct verify {                       /* of an image; its two exports share it */
    struct vdisk_export *data, *tree; /* NULL: it is gone */
    struct verity_root root;
    struct verity_tree places;
    bool has_salt;  /* as some superblock has it */
    bool is_proven; /* it leads to the root hash, so it is the right one */
    struct verity_salt salt;
    uint8_t zeros[VERITY_HASH_BYTES]; /* digest of a block of zeros */
    uint64_t judged;                  /* blocks of the image that have passed */
};

/* Why a disk cannot have what its configuration says about a root hash; NULL: it can. */
const char *verify_objection(const struct vdisk *v, const struct vdisk_config *config);
/* Begins: `data` is new, `tree` too. False: no memory. */
bool verify_attach(struct vdisk_export *data, struct vdisk_export *tree,
                   const struct vdisk_config *config);
void verify_detach(struct vdisk_export *e); /* the export is going to be freed */
/* Is it an image's own export, with the root hash that the configuration names, if any? */
bool verify_is_same(const struct vdisk_export *e, const struct vdisk_config *config);
bool verify_is_tree(const struct vdisk_export *e);
bool verify_is_needed(const struct vdisk_export *e); /* a tree whose image is still there */
/* The size that the root hash gives the image, or the tree, which is stretched to whole units of so
   many bytes. 0: there is no root hash. */
uint64_t verify_size(const struct vdisk_export *e, uint32_t unit_bytes);
/* False: a block of the last unit that is not part of the tree. */
bool verify_has_block(const struct vdisk_export *e, uint64_t block);

/* How many fetches, of VERIFY_UNIT_BLOCKS each, one of `block` must leave room for. */
uint32_t verify_reserve(const struct vdisk_export *e, uint64_t block);
/* A fetch of the image has been made: asks for what its judgement will need. */
void verify_prepare(struct vdisk_export *e, const struct fetch *f);
/* Everything that the fetch asked for is in its pages: it is held until it has been judged. */
void verify_take(struct vdisk_export *e, struct fetch *f);
/* The server could not read it. Of an image it ends; of a tree it is asked for again. */
void verify_failed(struct vdisk_export *e, struct fetch *f, uint32_t error);
/* The block is known to be zeros, by its digest. */
bool verify_is_zero(struct vdisk_export *e, struct tenant *t, uint64_t block);
void verify_link_is_up(struct vdisk_export *e);
/* Judges what can be judged now. True: something has moved. */
bool verify_pump(struct vdisk_export *e);
/* Requests that wait for what cannot be judged or is refuted, and do not want to wait for ever, fail.
   Returns when it has to look again. */
uint64_t verify_give_up(struct vdisk_export *e);
/* What keeps requests of the image waiting, for people; NULL: nothing. */
const char *verify_trouble(const struct vdisk_export *e);

#endif
