// SPDX-License-Identifier: BSD-2-Clause
/*
 * Registers, commands and data structures of NVM Express controllers, as far as the driver uses them. Source: NVM Express
 * Base Specification 1.4; its sections are given.
 */
#ifndef DRIVERS_BLOCK_NVME_REGS_H
#define DRIVERS_BLOCK_NVME_REGS_H

#include <leat/types.h>

enum nvme_register { /* 3.1: byte offsets in BAR 0 */
                     NVME_CAP = 0x00,
                     NVME_INTMS = 0x0c,
                     NVME_INTMC = 0x10,
                     NVME_CC = 0x14,
                     NVME_CSTS = 0x1c,
                     NVME_AQA = 0x24,
                     NVME_ASQ = 0x28,
                     NVME_ACQ = 0x30,
                     NVME_DOORBELLS = 0x1000,
};

/* 3.1.1: fields of CAP */
static inline uint32_t nvme_cap_entries(uint64_t cap)
{
    return (uint32_t)(cap & 0xffff) + 1;
}
static inline uint32_t nvme_cap_timeout_ms(uint64_t cap)
{
    return (uint32_t)(cap >> 24 & 0xff) * 500;
}
static inline uint32_t nvme_cap_stride(uint64_t cap)
{
    return 4u << (cap >> 32 & 0xf);
}
static inline bool nvme_cap_has_nvm(uint64_t cap)
{
    return cap >> 37 & 1;
}
static inline uint32_t nvme_cap_page_shift(uint64_t cap)
{
    return 12 + (uint32_t)(cap >> 48 & 0xf);
}

enum nvme_cc { /* 3.1.5; command set, page size and arbitration are 0: NVM, 4 KiB, round robin */
               NVME_CC_EN = 1u << 0,
               NVME_CC_SHN_NORMAL = 1u << 14,
               NVME_CC_SQES = 6u << 16, /* entries of 2^6 bytes */
               NVME_CC_CQES = 4u << 20, /* entries of 2^4 bytes */
};

enum nvme_csts { /* 3.1.6 */
                 NVME_CSTS_RDY = 1u << 0,
                 NVME_CSTS_CFS = 1u << 1,
                 NVME_CSTS_SHST = 3u << 2,
                 NVME_CSTS_SHST_DONE = 2u << 2,
};

struct nvme_command { /* 4.2 */
    uint8_t opcode, flags;
    uint16_t cid;
    uint32_t nsid;
    uint64_t reserved, metadata;
    uint64_t prp1, prp2; /* 4.3 */
    uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};

struct nvme_completion { /* 4.6 */
    uint32_t result, reserved;
    uint16_t sq_head, sq_id;
    uint16_t cid;
    uint16_t status; /* bit 0: the phase tag; the others: 4.6.1 */
};

enum nvme_admin_opcode { /* 5, figure "Opcodes for Admin Commands" */
                         NVME_CREATE_SQ = 0x01,
                         NVME_CREATE_CQ = 0x05,
                         NVME_IDENTIFY = 0x06,
                         NVME_ABORT = 0x08,
                         NVME_SET_FEATURES = 0x09,
};
enum nvme_opcode { /* 6, figure "Opcodes for NVM Commands" */
                   NVME_FLUSH = 0x00,
                   NVME_WRITE = 0x01,
                   NVME_READ = 0x02,
                   NVME_DATASET_MANAGEMENT = 0x09,
};
#define NVME_QUEUE_CONTIGUOUS (1u << 0) /* 5.3, 5.4: command dword 11 */
#define NVME_QUEUE_INTERRUPTS (1u << 1) /* 5.3: command dword 11; vector 0 */
#define NVME_FEATURE_QUEUES 0x07u       /* 5.21.1.7 */
#define NVME_FUA (1u << 30)             /* 6.15: command dword 12 */
#define NVME_DEALLOCATE (1u << 2)       /* 6.7: command dword 11 */

struct nvme_range { /* 6.7: of Dataset Management */
    uint32_t attributes, blocks;
    uint64_t lba;
};

/* 4.6.1: the status field as it is in a completion, without the phase tag */
#define NVME_STATUS_CODE(status) ((unsigned)(status) >> 1 & 0xff)
#define NVME_STATUS_TYPE(status) ((unsigned)(status) >> 9 & 7)
#define NVME_STATUS_DNR (1u << 15) /* do not retry */
enum nvme_status {                 /* type 0, generic */
                   NVME_STATUS_ABORTED = 0x07,
};

enum nvme_cns { /* 5.15.1 */
                NVME_CNS_NAMESPACE = 0x00,
                NVME_CNS_CONTROLLER = 0x01,
                NVME_CNS_ACTIVE_LIST = 0x02,
};
#define NVME_IDENTIFY_BYTES 4096u
#define NVME_LIST_COUNT 1024u

enum nvme_identify_controller { /* 5.15.2.2: byte offsets */
                                NVME_ID_SERIAL = 4,
                                NVME_ID_MODEL = 24,
                                NVME_ID_FIRMWARE = 64,
                                NVME_ID_MDTS = 77, /* 2^n pages of CAP.MPSMIN; 0: no limit */
                                NVME_ID_TYPE = 111,
                                NVME_ID_NN = 516,
                                NVME_ID_ONCS = 520,
                                NVME_ID_VWC = 525,
};
#define NVME_TYPE_IO 1u /* NVME_ID_TYPE; 0: of before version 1.4 */
#define NVME_ONCS_DATASET (1u << 2)
#define NVME_VWC_PRESENT (1u << 0)

enum nvme_identify_namespace { /* 5.15.2.1: byte offsets */
                               NVME_NS_SIZE = 0,
                               NVME_NS_FEATURES = 24,
                               NVME_NS_FORMATS = 25, /* number of formats, less one */
                               NVME_NS_FORMAT = 26,  /* bits 3:0: which is in use */
                               NVME_NS_NPWG = 64,    /* preferred write, in blocks, less one */
                               NVME_NS_ATTRIBUTES = 99,
                               NVME_NS_FORMAT_TABLE =
                                   128, /* 4 bytes each: metadata, LBADS, speed */
};
#define NVME_NS_HAS_NPWG (1u << 4)        /* NVME_NS_FEATURES */
#define NVME_NS_WRITE_PROTECTED (1u << 0) /* NVME_NS_ATTRIBUTES */
#define NVME_FORMATS_MOST 16u

_Static_assert(sizeof(struct nvme_command) == 64, "4.2");
_Static_assert(sizeof(struct nvme_completion) == 16, "4.6");
_Static_assert(sizeof(struct nvme_range) == 16, "6.7");

#endif
