// SPDX-License-Identifier: BSD-2-Clause
/* Notes the blocks that a boot reads, each at its first time, until nothing new has come for a while. */
#ifndef VDISK_PROFILE_RECORDER_H
#define VDISK_PROFILE_RECORDER_H

#include "vdisk/profile/blockset.h"
#include "vdisk/profile/profile.h"

struct recorder {
    bool is_on; /* false: every call is a cheap nothing */
    uint64_t quiet_ns;
    uint64_t start_ns, last_new_ns; /* start_ns 0: nothing has been read yet */
    struct blockset seen;
    struct profile boot;
};

/* size_bytes: of the image. */
void recorder_start(struct recorder *r, uint64_t size_bytes, uint64_t quiet_ns);
void recorder_note(struct recorder *r, uint64_t first, uint64_t last, uint64_t now_ns);
/* When it ends if nothing new comes; UINT64_MAX: not before something does. */
uint64_t recorder_deadline(const struct recorder *r);
/* Ends; what it has noted stays in r->boot. */
void recorder_stop(struct recorder *r);
void recorder_free(struct recorder *r);

#endif
