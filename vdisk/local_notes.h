// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the engine notes down about an export in the local store, as blobs: its boot profile
 * (`profile-ID`), so that no platform has to keep it, and of an image that is kept there a
 * description (`image-ID`): what its server offers and its holes, so that they are known without the
 * server, and the sums of samples, by which another image under the same content id is found. ID:
 * the content id in base64url (RFC 4648, 43 characters); of an export without one, `x` and a sum of
 * server and name. Of each kind the NOTES_KEPT that were put last are kept.
 *
 * A description is the text LEATIMG1, what the server has offered (size: 8 bytes; flags, smallest,
 * largest, best request, bit 0: structured replies, bit 1: block status: 4 bytes each), what
 * identity_put and what extents_encode make.
 *
 * One blob is read or put at a time.
 */
#ifndef VDISK_LOCAL_NOTES_H
#define VDISK_LOCAL_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdisk/nbd/handshake.h"
#include "vdisk/store/store.h"

#define NOTES_KEPT 24u

struct vdisk;
struct vdisk_export;

struct local_notes { /* of an export */
    bool has_read_profile, has_read_image;
    uint64_t patience_ns; /* until then they are waited for */
    uint8_t *image;       /* the description that was read and is not used yet; NULL: none */
    size_t image_size;
    struct nbd_export offer; /* by it; size_bytes 0: not known */
    bool has_put_image;      /* or it was found to be the same, in this life */
    bool wants_profile;      /* stream.known is to be put */
    uint32_t image_crc;      /* of what was read or put last */
    uint64_t image_when_ns;  /* not put again before */
};

struct local_note {              /* of the engine: the blob under way */
    struct vdisk_export *export; /* NULL: none */
    bool is_profile;
    char name[STORE_NAME_BYTES];
    struct store_object *blob; /* that is read; NULL: it is put */
    uint8_t *data;
    size_t size;
    struct store_op op;
    uint8_t held[STORE_BLOB_BYTES / STORE_BLOCK_BYTES];
};

/* The first request waits so long for what was noted down: what is a hole must not be asked for. */
#define NOTES_PATIENCE_NS 2000000000ull
bool notes_are_read(const struct vdisk_export *e);
/* What was noted of the image, its sums for one, is known, or nothing was. Not before that is anything
 * read from the local store, or put there. */
bool notes_image_is_read(const struct vdisk_export *e);
/* The image's size has become known, perhaps by the offer: its description is used. */
void notes_use_image(struct vdisk_export *e);
void notes_free(struct vdisk_export *e);
/* Begins what is to be read or put next. */
void notes_run(struct vdisk *v);
/* The store must not be called any more. */
void notes_forget(struct vdisk *v);
/* Something is to be put, or under way. */
bool notes_are_pending(const struct vdisk *v);

#endif
