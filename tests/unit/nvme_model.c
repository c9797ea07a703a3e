// SPDX-License-Identifier: BSD-2-Clause
#include "nvme_model.h"

#include <stdlib.h>
#include <string.h>

#define REGISTER_BYTES 0x4000u

static void post(struct nvme_model *model, unsigned qid, uint16_t cid, uint16_t status)
{
    struct model_queue *q = &model->queue[qid];
    world_require(q->cq_entries, "a completion queue that is not there");
    uint32_t next = (q->cq_tail + 1) % q->cq_entries;
    struct nvme_completion *to = (struct nvme_completion *)world_memory(
        &model->user.world, q->cq_hpa + 16ull * q->cq_tail, 16);

    world_require(next != q->cq_head, "the completion queue overflows");
    to->result = 0;
    to->sq_head = (uint16_t)q->sq_head;
    to->sq_id = (uint16_t)qid;
    to->cid = cid;
    if (qid == 1 && model->lie == NVME_LIE_CID)
        to->cid = 0x00ff;
    else if (qid == 1 && model->lie == NVME_LIE_OLD_CID)
        to->cid = (uint16_t)(cid - 0x100);
    else if (qid == 1 && model->lie == NVME_LIE_QUEUE)
        to->sq_id = 2;
    else if (qid == 1 && model->lie == NVME_LIE_HEAD)
        to->sq_head = (uint16_t)q->sq_entries;
    to->status = (uint16_t)(status | q->phase);
    q->cq_tail = next;
    if (next == 0)
        q->phase ^= 1;
    if (qid == 1) {
        bool is_twice = model->lie == NVME_LIE_TWICE;
        model->lie = NVME_LIE_NONE;
        model->last_cid = cid;
        model->last_status = status;
        if (is_twice)
            post(model, qid, cid, status);
    }
}

void nvme_model_repeat(struct nvme_model *model)
{
    const struct model_queue *q = &model->queue[1];

    if (q->cq_entries && (q->cq_tail + 1) % q->cq_entries != q->cq_head)
        post(model, 1, model->last_cid, model->last_status);
}

/* -- data -- */

/* 4.3: copies between the pages that a command names and `bytes`. */
static void transfer(struct nvme_model *model, const struct nvme_command *c, uint8_t *bytes,
                     uint32_t count, bool is_to_host)
{
    uint64_t at = c->prp1, entry_hpa = 0;
    uint32_t limit = model->mdts ? 4096u << model->mdts : UINT32_MAX;

    world_require(count <= limit, "more than MDTS");
    world_require(at % 4 == 0, "PRP entry 1 is not aligned");
    uint32_t first = 4096 - (uint32_t)(at % 4096);
    uint32_t rest = count > first ? count - first : 0;
    if (rest > 4096) {
        entry_hpa = c->prp2;
        world_require(entry_hpa % 8 == 0, "PRP list is not aligned");
        world_require(entry_hpa % 4096 + (rest + 4095) / 4096 * 8 <= 4096,
                      "PRP list crosses a page");
    } else if (rest) {
        world_require(c->prp2 % 4096 == 0, "PRP entry 2 with an offset");
    } else {
        world_require(c->prp2 == 0, "PRP entry 2 is reserved");
    }
    for (uint32_t done = 0; done < count;) {
        uint32_t part = done == 0 ? first : 4096;
        part = part < count - done ? part : count - done;
        if (done) {
            if (entry_hpa) {
                memcpy(&at, world_memory(&model->user.world, entry_hpa, 8), 8);
                entry_hpa += 8;
            } else {
                at = c->prp2;
            }
            world_require(at % 4096 == 0, "entry of a PRP list with an offset");
        }
        uint8_t *host = world_memory(&model->user.world, at, part);
        memcpy(is_to_host ? host : bytes + done, is_to_host ? bytes + done : host, part);
        done += part;
    }
}

static void put32(uint8_t *page, uint32_t at, uint32_t value)
{
    memcpy(page + at, &value, 4);
}

static void identify_controller(const struct nvme_model *model, uint8_t *page)
{
    memcpy(page + NVME_ID_SERIAL, "  SN-42             ", 20);
    memcpy(page + NVME_ID_MODEL, "Model of a disk                         ", 40);
    memcpy(page + NVME_ID_FIRMWARE, "1.0\x01    ", 8);
    page[NVME_ID_MDTS] = model->mdts;
    page[NVME_ID_TYPE] = model->type;
    put32(page, NVME_ID_NN, model->nn);
    page[NVME_ID_ONCS] = (uint8_t)model->oncs;
    page[NVME_ID_VWC] = model->vwc;
}

static void identify_namespace(const struct model_namespace *ns, uint8_t *page)
{
    memcpy(page + NVME_NS_SIZE, ns->said_blocks ? &ns->said_blocks : &ns->blocks, 8);
    page[NVME_NS_FORMATS] = 1;
    page[NVME_NS_FORMAT] = 1;
    put32(page, NVME_NS_FORMAT_TABLE, 9u << 16 | 8);
    put32(page, NVME_NS_FORMAT_TABLE + 4, (uint32_t)ns->shift << 16 | ns->metadata);
    page[NVME_NS_FEATURES] = ns->npwg ? NVME_NS_HAS_NPWG : 0;
    page[NVME_NS_NPWG] = (uint8_t)(ns->npwg - 1);
    page[NVME_NS_ATTRIBUTES] = ns->is_write_protected;
}

static uint16_t identify(struct nvme_model *model, const struct nvme_command *c)
{
    uint8_t page[4096] = {0};
    uint32_t count = 0;

    if (c->cdw10 == NVME_CNS_CONTROLLER) {
        identify_controller(model, page);
    } else if (c->cdw10 == NVME_CNS_NAMESPACE) {
        if (c->nsid == 0 || c->nsid > model->nn || c->nsid > MODEL_NAMESPACES)
            return 0x0b << 1 | NVME_STATUS_DNR;
        identify_namespace(&model->ns[c->nsid - 1], page);
    } else if (c->cdw10 == NVME_CNS_ACTIVE_LIST && !model->is_1_0) {
        for (uint32_t i = 0; i < MODEL_NAMESPACES; i++)
            if (model->ns[i].blocks)
                put32(page, 4 * count++, i + 1);
        if (model->list[0])
            memcpy(page, model->list, sizeof(model->list));
    } else {
        return 0x02 << 1 | NVME_STATUS_DNR;
    }
    transfer(model, c, page, sizeof(page), true);
    return 0;
}

/* -- commands -- */

static uint16_t create(struct nvme_model *model, const struct nvme_command *c, bool is_completion)
{
    struct model_queue *q = &model->queue[1];
    uint32_t entries = (c->cdw10 >> 16) + 1;

    world_require((c->cdw10 & 0xffff) == 1 && entries >= 2 && entries <= (model->cap & 0xffff) + 1,
                  "number or size of a queue");
    world_require(c->prp1 % 4096 == 0 && (c->cdw11 & NVME_QUEUE_CONTIGUOUS), "memory of a queue");
    world_memory(&model->user.world, c->prp1, entries * (is_completion ? 16u : 64u));
    if (is_completion) {
        q->cq_hpa = c->prp1;
        q->cq_entries = entries;
        q->phase = 1;
    } else {
        world_require(q->cq_hpa && c->cdw11 >> 16 == 1, "no such completion queue");
        q->sq_hpa = c->prp1;
        q->sq_entries = entries;
    }
    return 0;
}

static void drop_held(struct nvme_model *model, unsigned index)
{
    memmove(&model->held[index], &model->held[index + 1],
            (--model->user.held_count - index) * sizeof(model->held[0]));
}

static void abort_command(struct nvme_model *model, const struct nvme_command *c)
{
    world_require((c->cdw10 & 0xffff) == 1, "queue of an Abort");
    for (unsigned i = 0; i < model->user.held_count && model->abort_works; i++) {
        if (model->held[i].cid == c->cdw10 >> 16) {
            uint16_t cid = model->held[i].cid;
            drop_held(model, i);
            post(model, 1, cid, NVME_STATUS_ABORTED << 1 | NVME_STATUS_DNR);
            return;
        }
    }
}

static void admin(struct nvme_model *model, const struct nvme_command *c)
{
    uint16_t status = 0;

    model->admin_seen[c->opcode]++;
    switch (c->opcode) {
    case NVME_IDENTIFY:
        status = identify(model, c);
        break;
    case NVME_CREATE_CQ:
    case NVME_CREATE_SQ:
        status = create(model, c, c->opcode == NVME_CREATE_CQ);
        break;
    case NVME_SET_FEATURES:
        world_require((c->cdw10 & 0xff) == NVME_FEATURE_QUEUES && c->cdw11 == 0, "feature");
        break;
    case NVME_ABORT:
        abort_command(model, c);
        break;
    default:
        world_require(false, "unknown admin command");
    }
    post(model, 0, c->cid, status);
}

static void write_back(struct nvme_model *model, const struct nvme_command *c, uint32_t blocks)
{
    if (c->cdw12 & NVME_FUA)
        model->fua++;
    else
        model->volatile_writes += blocks;
}

static uint16_t execute(struct nvme_model *model, const struct nvme_command *c)
{
    struct model_namespace *ns = &model->ns[c->nsid - 1];
    uint64_t lba = c->cdw10 | (uint64_t)c->cdw11 << 32;
    uint32_t blocks = (c->cdw12 & 0xffff) + 1;
    struct nvme_range range;

    switch (c->opcode) {
    case NVME_FLUSH:
        model->volatile_writes = 0;
        return 0;
    case NVME_READ:
    case NVME_WRITE:
        world_require(lba + blocks <= ns->blocks, "beyond the end");
        transfer(model, c, ns->content + (lba << ns->shift), blocks << ns->shift,
                 c->opcode == NVME_READ);
        if (c->opcode == NVME_WRITE)
            write_back(model, c, blocks);
        return 0;
    case NVME_DATASET_MANAGEMENT:
        world_require(model->oncs & NVME_ONCS_DATASET, "a command that is not there");
        world_require(c->cdw10 == 0 && c->cdw11 == NVME_DEALLOCATE, "one range, deallocate");
        transfer(model, c, (uint8_t *)&range, sizeof(range), false);
        world_require(range.lba + range.blocks <= ns->blocks, "discard beyond the end");
        memset(ns->content + (range.lba << ns->shift), 0, (size_t)range.blocks << ns->shift);
        return 0;
    default:
        world_require(false, "unknown command");
        return 0;
    }
}

static void finish(struct nvme_model *model, const struct nvme_command *c)
{
    uint16_t status = 0;

    if (model->user.fail_count) {
        model->user.fail_count--;
        status = model->fail_status;
    } else {
        status = execute(model, c);
    }
    post(model, 1, c->cid, status);
}

static void io(struct nvme_model *model, const struct nvme_command *c)
{
    model->seen[c->opcode]++;
    world_require(c->nsid >= 1 && c->nsid <= MODEL_NAMESPACES && model->ns[c->nsid - 1].blocks,
                  "no such namespace");
    world_require(c->cid != 0xffff, "cid");
    for (unsigned i = 0; i < model->user.held_count; i++)
        world_require(model->held[i].cid != c->cid, "a cid is used twice");
    if (model->user.swallow || model->user.is_slow) {
        model->user.swallow -= model->user.swallow != 0;
        world_require(model->user.held_count < NVME_MODEL_HELD, "too many commands");
        model->held[model->user.held_count++] = *c;
    } else {
        finish(model, c);
    }
}

static void complete(struct block_user *user, unsigned index)
{
    struct nvme_model *model = (struct nvme_model *)user;
    struct nvme_command c = model->held[index];

    drop_held(model, index);
    finish(model, &c);
}

static void doorbell(struct nvme_model *model, unsigned number, uint32_t value)
{
    world_require(number < 4, "doorbell of no queue");
    struct model_queue *q = &model->queue[number / 2];

    world_require(q->cq_hpa && q->sq_hpa, "doorbell of a queue that is not there");
    if (number & 1) {
        world_require(value < q->cq_entries, "completion doorbell");
        q->cq_head = value;
        return;
    }
    world_require(value < q->sq_entries, "submission doorbell");
    q->sq_tail = value;
    while (q->sq_head != q->sq_tail && !(model->csts & NVME_CSTS_CFS)) {
        struct nvme_command c;
        memcpy(&c, world_memory(&model->user.world, q->sq_hpa + 64ull * q->sq_head, 64), 64);
        q->sq_head = (q->sq_head + 1) % q->sq_entries;
        world_require(c.flags == 0 && c.metadata == 0, "flags of a command");
        if (number == 0)
            admin(model, &c);
        else
            io(model, &c);
    }
}

/* -- registers -- */

static void enable(struct nvme_model *model)
{
    uint32_t sq = (model->aqa & 0xfff) + 1, cq = (model->aqa >> 16 & 0xfff) + 1;

    world_require(model->cc == (NVME_CC_EN | NVME_CC_SQES | NVME_CC_CQES), "CC");
    world_require(model->asq % 4096 == 0 && model->acq % 4096 == 0 && sq >= 2 && cq >= 2,
                  "admin queue");
    memset(model->queue, 0, sizeof(model->queue));
    model->queue[0] = (struct model_queue){
        .sq_hpa = model->asq, .cq_hpa = model->acq, .sq_entries = sq, .cq_entries = cq, .phase = 1};
    model->user.held_count = 0;
    model->enables++;
    model->masked = 0;
    model->csts = model->fails_when_enabled ? NVME_CSTS_CFS : 0;
    if (!model->never_ready)
        model->csts |= NVME_CSTS_RDY;
}

static void write_cc(struct nvme_model *model, uint32_t value)
{
    bool was_on = model->cc & NVME_CC_EN;

    model->cc = value;
    if (!was_on && (value & NVME_CC_EN)) {
        enable(model);
    } else if (was_on && !(value & NVME_CC_EN)) {
        memset(model->queue, 0, sizeof(model->queue));
        if (!model->never_off)
            model->csts = 0;
    }
    if (value & NVME_CC_SHN_NORMAL) {
        model->volatile_writes = 0;
        model->csts = (model->csts & ~(uint32_t)NVME_CSTS_SHST) | NVME_CSTS_SHST_DONE;
    }
}

static void set_half(uint64_t *to, bool is_high, uint32_t value)
{
    *to = is_high ? (*to & UINT32_MAX) | (uint64_t)value << 32 : (*to & ~0xffffffffull) | value;
}

static uint64_t model_read(void *context, unsigned region, uint32_t offset, unsigned bytes)
{
    struct nvme_model *model = context;

    world_require(region == BLOCK_REGION_BAR0 && bytes == 4 && offset % 4 == 0 &&
                      offset < REGISTER_BYTES,
                  "register access");
    if (model->user.is_gone)
        return UINT32_MAX;
    switch (offset) {
    case NVME_CAP:
        return (uint32_t)model->cap;
    case NVME_CAP + 4:
        return model->cap >> 32;
    case NVME_CC:
        return model->cc;
    case NVME_CSTS:
        return model->csts;
    default:
        world_require(false, "register that need not be read");
        return 0;
    }
}

static void model_write(void *context, unsigned region, uint32_t offset, unsigned bytes,
                        uint64_t wide)
{
    struct nvme_model *model = context;
    uint32_t value = (uint32_t)wide, stride = nvme_cap_stride(model->cap);

    world_require(region == BLOCK_REGION_BAR0 && bytes == 4 && offset % 4 == 0 &&
                      offset < REGISTER_BYTES,
                  "register access");
    if (model->user.is_gone)
        return;
    if (offset >= NVME_DOORBELLS) {
        world_require((offset - NVME_DOORBELLS) % stride == 0, "doorbell stride");
        world_require(model->csts & NVME_CSTS_RDY, "doorbell before it is ready");
        doorbell(model, (offset - NVME_DOORBELLS) / stride, value);
    } else if (offset == NVME_CC) {
        write_cc(model, value);
    } else if (offset == NVME_INTMS) {
        model->masked |= value;
    } else if (offset == NVME_INTMC) {
        model->masked &= ~value;
    } else {
        world_require(!(model->cc & NVME_CC_EN), "admin queue of a controller that is on");
        if (offset == NVME_AQA)
            model->aqa = value;
        else if (offset == NVME_ASQ || offset == NVME_ASQ + 4)
            set_half(&model->asq, offset & 4, value);
        else if (offset == NVME_ACQ || offset == NVME_ACQ + 4)
            set_half(&model->acq, offset & 4, value);
        else
            world_require(false, "register that may not be written");
    }
}

static uint32_t region_bytes(void *context, unsigned region)
{
    (void)context;
    return region == BLOCK_REGION_BAR0 ? REGISTER_BYTES : 0;
}

static bool irq(struct block_user *user)
{
    struct nvme_model *model = (struct nvme_model *)user;

    return !model->user.irq_is_lost && !model->user.is_gone && !(model->masked & 1) &&
           (model->queue[0].cq_head != model->queue[0].cq_tail ||
            model->queue[1].cq_head != model->queue[1].cq_tail);
}

/* -- what a test sees and does -- */

static uint8_t *content(struct block_user *user, unsigned unit)
{
    struct model_namespace *ns = ((struct nvme_model *)user)->ns;

    while (!ns->blocks || unit--)
        ns++;
    return ns->content;
}

static unsigned seen(struct block_user *user, uint8_t op)
{
    static const uint8_t opcodes[] = {[BLOCK_READ] = NVME_READ,
                                      [BLOCK_WRITE] = NVME_WRITE,
                                      [BLOCK_FLUSH] = NVME_FLUSH,
                                      [BLOCK_DISCARD] = NVME_DATASET_MANAGEMENT};

    return ((struct nvme_model *)user)->seen[opcodes[op]];
}

static void crash(struct block_user *user)
{
    ((struct nvme_model *)user)->csts |= NVME_CSTS_CFS;
    user->held_count = 0;
}

static void fail_next(struct block_user *user, unsigned count)
{
    user->fail_count = count;
    ((struct nvme_model *)user)->fail_status = 0x06 << 1; /* internal error */
}

static void trouble(struct block_user *user, unsigned fault)
{
    struct nvme_model *model = (struct nvme_model *)user;

    model->abort_works = fault & 8;
    model->lie = fault % 5 == 0 ? (int)(fault / 5 % 6) : NVME_LIE_NONE;
}

static const struct block_model block_model = {.irq = irq,
                                               .content = content,
                                               .seen = seen,
                                               .complete = complete,
                                               .crash = crash,
                                               .fail_next = fail_next,
                                               .trouble = trouble};

void nvme_model_init(struct nvme_model *model)
{
    memset(model, 0, sizeof(*model));
    user_init(&model->user, &block_driver_nvme, &block_model);
    /* 1024 entries, contiguous, 10 s, stride 8, NVM command set, 4 KiB to 64 KiB pages */
    model->cap = 1023 | 1u << 16 | 20u << 24 | 1ull << 32 | 1ull << 37 | 4ull << 52;
    model->cc = 1; /* as some firmware leaves it: on, with other queues */
    model->csts = NVME_CSTS_RDY;
    model->nn = MODEL_NAMESPACES;
    model->mdts = 6; /* 256 KiB */
    model->type = NVME_TYPE_IO;
    model->vwc = 1;
    model->oncs = NVME_ONCS_DATASET;
    model->abort_works = true;
}

void nvme_model_free(struct nvme_model *model)
{
    for (unsigned i = 0; i < MODEL_NAMESPACES; i++)
        free(model->ns[i].content);
    user_free(&model->user);
}

void nvme_model_add(struct nvme_model *model, uint32_t nsid, uint64_t blocks, uint8_t shift)
{
    struct model_namespace *ns = &model->ns[nsid - 1];

    ns->blocks = blocks;
    ns->shift = shift;
    ns->content = malloc(blocks << shift);
    world_fill(ns->content, blocks << shift, nsid);
}

int nvme_model_start(struct nvme_model *model)
{
    const struct block_platform platform = {
        .read = model_read, .write = model_write, .region_bytes = region_bytes};

    return user_start(&model->user, &platform);
}
