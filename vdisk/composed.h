// SPDX-License-Identifier: BSD-2-Clause
/*
 * Mode `server`: a disk on a client's own export, which its server keeps as a layer over a shared image
 * and shows whole. Writes go there by the rules of mode `private`. Reads of what the layer does not hold
 * (layers.h) go to a second disk inside the first one: read-only, on the shared export, with its caches
 * and its boot profile. So what many clients have in common is fetched once.
 */
#ifndef VDISK_COMPOSED_H
#define VDISK_COMPOSED_H

#include "vdisk/vdisk.h"

/* The disk's configuration is in d->config, and becomes that of the client's export; the disk below is
   made. False: no memory. */
bool composed_attach(struct vdisk *v, struct vdisk_disk *d);
void composed_detach(struct vdisk_disk *d); /* of a disk without requests */
/* Either export has got something to say. When both are known they are compared, once: if they do not
   belong together the disk gets its refusal. */
void composed_join(struct vdisk_disk *d);
/* The samples of both (identity.h) that have become known to lie below the client's layer are compared: if
   they differ, the disk gets its refusal. To be called before anything of that is read. */
void composed_compare(struct vdisk_disk *d);
/* A read goes its way: below, to the client's export, or, of a verified image, to both; or it waits to learn which. */
void composed_read(struct vdisk_request *r);
/* d has failed for good: so do its reads that are below. */
void composed_fail(struct vdisk_disk *d);
/* The part of a request that is below is taken back, if there is one. */
void composed_forget(struct vdisk_request *r);
/* d's counters, and what its reads have got from below. */
void composed_counters(const struct vdisk_disk *d, struct vdisk_counters *counters);

#endif
