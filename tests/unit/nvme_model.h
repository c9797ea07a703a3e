// SPDX-License-Identifier: BSD-2-Clause
/* An NVM Express controller at the level of its registers and queues, for tests of drivers/block: 1.4 of the specification,
   as in nvme_regs.h. */
#ifndef TESTS_UNIT_NVME_MODEL_H
#define TESTS_UNIT_NVME_MODEL_H

#include "block_user.h"
#include "drivers/block/nvme.h"
#include "drivers/block/nvme_regs.h"

#define MODEL_NAMESPACES 20u
#define NVME_MODEL_HELD 128u

struct model_namespace {
    uint64_t blocks;      /* 0: not active */
    uint64_t said_blocks; /* what it says instead, if not 0 */
    uint8_t shift, npwg;
    uint16_t metadata;
    bool is_write_protected;
    uint8_t *content;
};

struct model_queue {
    uint64_t sq_hpa, cq_hpa; /* cq_hpa 0: not there */
    uint32_t sq_entries, cq_entries;
    uint32_t sq_head, sq_tail, cq_head, cq_tail;
    uint8_t phase;
};

struct nvme_model {
    struct block_user user; /* first: the platform's context */
    uint64_t cap, asq, acq;
    uint32_t cc, csts, aqa, masked;
    struct model_queue queue[2];
    struct model_namespace ns[MODEL_NAMESPACES]; /* nsid - 1 */
    uint32_t nn;
    uint8_t mdts, type, vwc;
    uint16_t oncs;
    bool is_1_0;                               /* no list of namespaces */
    uint32_t list[3];                          /* list[0] != 0: said in place of the truth */
    struct nvme_command held[NVME_MODEL_HELD]; /* user.held_count */
    unsigned seen[256], admin_seen[256];       /* commands by opcode */
    unsigned fua, enables;
    uint64_t volatile_writes; /* of blocks, since the last flush */
    /* faults */
    bool never_ready, never_off, fails_when_enabled;
    bool abort_works;
    uint16_t fail_status; /* without the phase tag */
    enum {
        NVME_LIE_NONE,
        NVME_LIE_CID,
        NVME_LIE_TWICE,
        NVME_LIE_QUEUE,
        NVME_LIE_HEAD,
        NVME_LIE_OLD_CID
    } lie;                          /* the next one */
    uint16_t last_cid, last_status; /* of the I/O queue */
};

void nvme_model_init(struct nvme_model *model);
void nvme_model_free(struct nvme_model *model);
void nvme_model_add(struct nvme_model *model, uint32_t nsid, uint64_t blocks, uint8_t shift);
int nvme_model_start(struct nvme_model *model);
/* The last completion of the I/O queue once more, if there is room. */
void nvme_model_repeat(struct nvme_model *model);

#endif
