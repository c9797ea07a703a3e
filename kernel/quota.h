// SPDX-License-Identifier: BSD-2-Clause
/*
 * Page quotas. Every domain has one, cut out of its creator's; whatever costs kernel or user memory
 * is charged to one first. Units are 4 KiB pages. A quota outlives its domain while objects that it
 * paid for live on in other domains; what they give back then flows to the parent.
 */
#ifndef KERNEL_QUOTA_H
#define KERNEL_QUOTA_H

#include <leat/types.h>

struct quota {
    uint64_t limit_pages, used_pages;
    struct quota *parent; /* NULL: the machine's */
    uint32_t refs;
    bool retired;
};

/* Initializes with one reference, cutting limit_pages out of parent (NULL: none). LEAT_ENOMEM. */
int quota_init(struct quota *quota, struct quota *parent, uint64_t limit_pages);
int quota_charge(struct quota *quota, uint64_t pages); /* LEAT_OK or LEAT_ENOMEM */
void quota_uncharge(struct quota *quota, uint64_t pages);
/* The domain is gone: what is unused goes back to the parent now, the rest as it is uncharged. */
void quota_retire(struct quota *quota);
void quota_get(struct quota *quota);
void quota_put(struct quota *quota); /* the last one frees it with kfree */

#endif
