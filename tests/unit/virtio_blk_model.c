// SPDX-License-Identifier: BSD-2-Clause
#include "virtio_blk_model.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/block/match.h"

/* Where the structures are. */
enum {
    BAR = 4,
    BAR_BYTES = 0x4000,
    COMMON_AT = 0,
    ISR_AT = 0x1000,
    DEVICE_AT = 0x2000,
    NOTIFY_AT = 0x3000,
    NOTIFY_MULTIPLIER = 4,
};

static uint8_t *memory(struct virtio_blk_model *model, uint64_t hpa, uint64_t bytes)
{
    return world_memory(&model->user.world, hpa, bytes);
}

static uint32_t get(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;
    memcpy(&value, at, bytes);
    return value;
}

/* -- requests -- */

struct part {
    uint8_t *at;
    uint32_t length;
    bool device_writes;
};

/* 2.7.5, 2.7.4.2: readable parts first. */
static unsigned walk(struct virtio_blk_model *model, uint16_t head, struct part *parts)
{
    unsigned count = 0;
    bool is_writable = false;

    for (uint16_t at = head;;) {
        struct virtq_desc desc;
        world_require(at < model->queue_size && count < model->queue_size, "descriptor");
        memcpy(&desc, memory(model, model->desc_hpa + 16ull * at, 16), 16);
        bool writes = desc.flags & VIRTQ_DEVICE_WRITES;
        world_require(desc.length > 0 && (writes || !is_writable), "order of a chain");
        is_writable = writes;
        parts[count++] = (struct part){memory(model, desc.hpa, desc.length), desc.length, writes};
        if (!(desc.flags & VIRTQ_NEXT))
            return count;
        at = desc.next;
    }
}

static uint32_t move(struct virtio_blk_model *model, const struct part *parts, unsigned count,
                     uint64_t at, bool is_read)
{
    uint32_t moved = 0;
    uint32_t size_max = get(model->config + VIRTIO_BLK_AT_SIZE_MAX, 4);
    uint32_t seg_max = get(model->config + VIRTIO_BLK_AT_SEG_MAX, 4);

    if (model->accepted & VIRTIO_BLK_SEG_MAX)
        world_require(count <= seg_max, "more than seg_max segments");
    for (unsigned i = 0; i < count; i++) {
        const struct part *p = &parts[i];
        if (model->accepted & VIRTIO_BLK_SIZE_MAX)
            world_require(p->length <= size_max, "a segment longer than size_max");
        world_require(p->device_writes == is_read, "direction of data");
        world_require(at + p->length <= model->bytes, "beyond the end");
        memcpy(is_read ? p->at : model->content + at, is_read ? model->content + at : p->at,
               p->length);
        at += p->length;
        moved += p->length;
    }
    world_require(moved && moved % 512 == 0, "length of data");
    return moved;
}

static void discard(struct virtio_blk_model *model, const struct part *part)
{
    struct virtio_blk_piece piece;

    world_require(model->accepted & VIRTIO_BLK_DISCARD, "DISCARD that was not accepted");
    world_require(part->length == sizeof(piece) && !part->device_writes, "piece of a DISCARD");
    memcpy(&piece, part->at, sizeof(piece));
    world_require(piece.flags == 0 &&
                      piece.sectors <= get(model->config + VIRTIO_BLK_AT_DISCARD_MAX, 4) &&
                      (piece.sector + piece.sectors) * 512 <= model->bytes,
                  "range of a DISCARD");
    memset(model->content + piece.sector * 512, 0, piece.sectors * 512ull);
}

/* Returns the bytes written to the parts before the status. */
static uint32_t execute(struct virtio_blk_model *model, const struct virtio_blk_head *head,
                        const struct part *parts, unsigned count)
{
    switch (head->type) {
    case VIRTIO_BLK_IN:
        return move(model, parts, count, head->sector * 512, true);
    case VIRTIO_BLK_OUT:
        world_require(!(model->offered & VIRTIO_BLK_RO), "write to a read-only device");
        move(model, parts, count, head->sector * 512, false);
        model->is_dirty = true;
        return 0;
    case VIRTIO_BLK_DO_FLUSH:
        world_require(count == 0 && (model->accepted & VIRTIO_BLK_FLUSH), "FLUSH");
        model->is_dirty = false;
        return 0;
    case VIRTIO_BLK_DO_DISCARD:
        world_require(count == 1, "DISCARD");
        discard(model, parts);
        return 0;
    case VIRTIO_BLK_GET_ID:
        world_require(count == 1 && parts->length == 20 && parts->device_writes, "GET_ID");
        memcpy(parts->at, model->id, 20);
        return 20;
    default:
        world_require(false, "unknown request");
        return 0;
    }
}

static void use(struct virtio_blk_model *model, uint32_t id, uint32_t length)
{
    uint8_t *ring = memory(model, model->used_hpa, 4 + 8ull * model->queue_size);
    struct virtq_used_element element = {id, length};

    memcpy(ring + 4 + 8 * (model->used_index % model->queue_size), &element, sizeof(element));
    model->used_index++;
    memcpy(ring + 2, &model->used_index, 2);
    model->isr |= VIRTIO_ISR_QUEUE;
}

static void complete(struct virtio_blk_model *model, uint16_t head)
{
    struct part parts[256];
    struct virtio_blk_head request;
    unsigned count = walk(model, head, parts);
    const struct part *last = &parts[count - 1];

    world_require(count >= 2 && parts[0].length == 16 && !parts[0].device_writes &&
                      last->length == 1 && last->device_writes,
                  "head and status of a request");
    memcpy(&request, parts[0].at, sizeof(request));
    bool fails = model->user.fail_count && request.type != VIRTIO_BLK_GET_ID;
    uint32_t length = fails ? 0 : execute(model, &request, parts + 1, count - 2);
    model->user.fail_count -= fails;
    if (model->lie != VIRTIO_LIE_NO_STATUS)
        *last->at = fails ? model->fail_status : VIRTIO_BLK_OK;
    switch (model->lie) {
    case VIRTIO_LIE_ID:
        use(model, 0x30000 + head, length + 1); /* a slot far away */
        break;
    case VIRTIO_LIE_INSIDE:
        use(model, head + 1u, length + 1);
        break;
    case VIRTIO_LIE_IDLE:
        use(model, head + 30u, length + 1);
        break;
    case VIRTIO_LIE_INDEX:
        model->used_index = (uint16_t)(model->used_index + 100);
        use(model, head, length + 1);
        break;
    default:
        use(model, head, model->lie == VIRTIO_LIE_SHORT ? length : length + 1);
    }
    model->lie = VIRTIO_LIE_NONE;
}

static void complete_held(struct block_user *user, unsigned index)
{
    struct virtio_blk_model *model = (struct virtio_blk_model *)user;
    uint16_t head = model->held[index];

    memmove(&model->held[index], &model->held[index + 1],
            (--model->user.held_count - index) * sizeof(model->held[0]));
    complete(model, head);
}

static void take(struct virtio_blk_model *model, uint16_t head)
{
    struct virtq_desc desc;
    uint32_t type;

    for (unsigned i = 0; i < model->user.held_count; i++)
        world_require(model->held[i] != head, "a chain is given twice");
    memcpy(&desc, memory(model, model->desc_hpa + 16ull * head, 16), 16);
    type = get(memory(model, desc.hpa, 16), 4);
    world_require(type < 16, "type of a request");
    model->seen[type]++;
    if (type != VIRTIO_BLK_GET_ID && (model->user.swallow || model->user.is_slow)) {
        model->user.swallow -= model->user.swallow != 0;
        model->held[model->user.held_count++] = head;
    } else if (!model->swallows_all) {
        complete(model, head);
    }
}

static void notify(struct virtio_blk_model *model)
{
    world_require((model->status & VIRTIO_STATUS_DRIVER_OK) && model->queue_enable,
                  "notification before DRIVER_OK");
    if (model->status & VIRTIO_STATUS_NEEDS_RESET)
        return;
    const uint8_t *avail = memory(model, model->avail_hpa, 6 + 2ull * model->queue_size);
    uint16_t index = (uint16_t)get(avail + 2, 2);
    world_require((uint16_t)(index - model->avail_seen) <= model->queue_size, "avail index");
    while (model->avail_seen != index && model->avail_seen != (uint16_t)get(avail + 2, 2)) {
        uint16_t head = (uint16_t)get(avail + 4 + 2 * (model->avail_seen % model->queue_size), 2);
        model->avail_seen++;
        take(model, head);
    }
    uint16_t flags = model->no_notify;
    memcpy(memory(model, model->used_hpa, 2), &flags, 2);
}

/* -- registers -- */

static void reset(struct virtio_blk_model *model)
{
    model->isr = 0;
    model->accepted = 0;
    model->queue_size = model->queue_most;
    model->queue_enable = 0;
    model->avail_seen = model->used_index = 0;
    model->user.held_count = 0;
    if (!model->never_resets)
        model->status = 0;
}

static void set_status(struct virtio_blk_model *model, uint8_t value)
{
    if (value == 0) {
        reset(model);
        return;
    }
    world_require((model->status & ~value) == 0, "a status bit is taken back");
    uint8_t added = value & (uint8_t)~model->status;
    if (added & VIRTIO_STATUS_FEATURES_OK) {
        world_require(model->status & VIRTIO_STATUS_DRIVER, "FEATURES_OK before DRIVER");
        world_require((model->accepted & ~model->offered) == 0, "a feature that is not there");
        if (model->refuses_features)
            value &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    }
    if (added & VIRTIO_STATUS_DRIVER_OK) {
        world_require((model->status & VIRTIO_STATUS_FEATURES_OK) && model->queue_enable,
                      "DRIVER_OK too early");
        model->starts++;
    }
    model->status = value;
}

static uint32_t common_read(struct virtio_blk_model *model, uint32_t at, unsigned bytes)
{
    switch (at) {
    case VIRTIO_OFFERED:
        world_require(bytes == 4, "width");
        return model->offered_select > 1
                   ? 0
                   : (uint32_t)(model->offered >> (32 * model->offered_select));
    case VIRTIO_STATUS:
        world_require(bytes == 1, "width");
        return model->status;
    case VIRTIO_GENERATION:
        return model->config_moves ? model->generation++ : model->generation;
    case VIRTIO_QUEUE_SIZE:
        world_require(bytes == 2, "width");
        return model->queue_size;
    case VIRTIO_QUEUE_NOTIFY_OFF:
        return model->notify_off;
    default:
        world_require(false, "a field that need not be read");
        return 0;
    }
}

static void put_half(uint64_t *to, uint32_t at, uint32_t value)
{
    *to = at & 4 ? (*to & UINT32_MAX) | (uint64_t)value << 32 : (*to & ~0xffffffffull) | value;
}

static void enable_queue(struct virtio_blk_model *model)
{
    uint32_t size = model->queue_size;

    world_require(size && !(size & (size - 1)) && size <= model->queue_most, "size of a queue");
    world_require(model->desc_hpa % 16 == 0 && model->avail_hpa % 2 == 0 &&
                      model->used_hpa % 4 == 0,
                  "alignment of a queue");
    world_require(get(memory(model, model->avail_hpa, 4), 4) == 0 &&
                      get(memory(model, model->used_hpa, 4), 4) == 0,
                  "rings begin at 0");
    model->queue_enable = 1;
}

static void common_write(struct virtio_blk_model *model, uint32_t at, unsigned bytes,
                         uint32_t value)
{
    bool is_wide = at < VIRTIO_CONFIG_VECTOR || at >= VIRTIO_QUEUE_DESC;

    world_require(bytes == (is_wide ? 4u : at == VIRTIO_STATUS ? 1u : 2u), "width");
    if (at >= VIRTIO_QUEUE_SIZE)
        world_require(!model->queue_enable && (model->status & VIRTIO_STATUS_FEATURES_OK),
                      "queue set up at the wrong time");
    if (at == VIRTIO_OFFERED_SELECT)
        model->offered_select = value;
    else if (at == VIRTIO_ACCEPTED_SELECT)
        model->accepted_select = value;
    else if (at == VIRTIO_ACCEPTED)
        put_half(&model->accepted, 4 * model->accepted_select, value);
    else if (at == VIRTIO_STATUS)
        set_status(model, (uint8_t)value);
    else if (at == VIRTIO_QUEUE_SELECT || at == VIRTIO_QUEUE_VECTOR || at == VIRTIO_CONFIG_VECTOR)
        world_require(value == (at == VIRTIO_QUEUE_SELECT ? 0 : VIRTIO_VECTOR_NONE),
                      "queue or vector");
    else if (at == VIRTIO_QUEUE_SIZE)
        model->queue_size = (uint16_t)value;
    else if (at == VIRTIO_QUEUE_ENABLE)
        enable_queue(model);
    else if (at >= VIRTIO_QUEUE_DESC && at < VIRTIO_QUEUE_DRIVER)
        put_half(&model->desc_hpa, at, value);
    else if (at >= VIRTIO_QUEUE_DRIVER && at < VIRTIO_QUEUE_DEVICE)
        put_half(&model->avail_hpa, at, value);
    else if (at >= VIRTIO_QUEUE_DEVICE && at < VIRTIO_COMMON_LENGTH)
        put_half(&model->used_hpa, at, value);
    else
        world_require(false, "a field that may not be written");
}

static uint64_t model_read(void *context, unsigned region, uint32_t offset, unsigned bytes)
{
    struct virtio_blk_model *model = context;

    world_require(region == BAR && offset + bytes <= BAR_BYTES && offset % bytes == 0, "register");
    if (model->user.is_gone)
        return (1ull << (8 * bytes)) - 1;
    if (offset < VIRTIO_COMMON_LENGTH)
        return common_read(model, offset, bytes);
    if (offset == ISR_AT) {
        uint8_t isr = model->isr;
        model->isr = 0;
        return isr;
    }
    world_require(offset >= DEVICE_AT && offset + bytes <= DEVICE_AT + MODEL_CONFIG_BYTES,
                  "a register that need not be read");
    return get(model->config + (offset - DEVICE_AT), bytes);
}

static void model_write(void *context, unsigned region, uint32_t offset, unsigned bytes,
                        uint64_t value)
{
    struct virtio_blk_model *model = context;

    world_require(region == BAR && offset + bytes <= BAR_BYTES && offset % bytes == 0, "register");
    if (model->user.is_gone)
        return;
    if (offset < VIRTIO_COMMON_LENGTH) {
        common_write(model, offset, bytes, (uint32_t)value);
    } else {
        world_require(offset == NOTIFY_AT + (uint32_t)NOTIFY_MULTIPLIER * model->notify_off &&
                          bytes == 2 && value == 0,
                      "notification");
        notify(model);
    }
}

static uint32_t region_bytes(void *context, unsigned region)
{
    (void)context;
    return region == BAR ? BAR_BYTES : 0;
}

static uint32_t config_read(void *context, uint32_t offset)
{
    struct virtio_blk_model *model = context;

    world_require(offset % 4 == 0 && offset < sizeof(model->pci), "offset in configuration space");
    return get(model->pci + offset, 4);
}

static bool irq(struct block_user *user)
{
    struct virtio_blk_model *model = (struct virtio_blk_model *)user;

    return model->isr && !model->user.irq_is_lost && !model->user.is_gone;
}

/* -- what a test sees and does -- */

static uint8_t *content(struct block_user *user, unsigned unit)
{
    world_require(unit == 0, "unit");
    return ((struct virtio_blk_model *)user)->content;
}

static unsigned seen(struct block_user *user, uint8_t op)
{
    static const uint8_t types[] = {[BLOCK_READ] = VIRTIO_BLK_IN,
                                    [BLOCK_WRITE] = VIRTIO_BLK_OUT,
                                    [BLOCK_FLUSH] = VIRTIO_BLK_DO_FLUSH,
                                    [BLOCK_DISCARD] = VIRTIO_BLK_DO_DISCARD};

    return ((struct virtio_blk_model *)user)->seen[types[op]];
}

/* It asks for a reset. */
static void crash(struct block_user *user)
{
    struct virtio_blk_model *model = (struct virtio_blk_model *)user;

    model->status |= VIRTIO_STATUS_NEEDS_RESET;
    model->isr |= VIRTIO_ISR_CONFIG;
}

static void fail_next(struct block_user *user, unsigned count)
{
    user->fail_count = count;
    ((struct virtio_blk_model *)user)->fail_status = VIRTIO_BLK_IOERR;
}

static void trouble(struct block_user *user, unsigned fault)
{
    ((struct virtio_blk_model *)user)->lie =
        fault % 5 == 0 ? (int)(fault / 5 % 7) : VIRTIO_LIE_NONE;
}

static const struct block_model block_model = {.irq = irq,
                                               .content = content,
                                               .seen = seen,
                                               .complete = complete_held,
                                               .crash = crash,
                                               .fail_next = fail_next,
                                               .trouble = trouble};

/* -- making one -- */

void virtio_blk_model_config(struct virtio_blk_model *model, unsigned at, uint64_t value,
                             unsigned bytes)
{
    memcpy(model->config + at, &value, bytes);
}

static unsigned add_cap(struct virtio_blk_model *model, unsigned at, uint8_t type, uint32_t offset,
                        uint32_t length)
{
    uint8_t *cap = model->pci + at;
    uint32_t multiplier = NOTIFY_MULTIPLIER;

    cap[0] = 9;
    cap[1] = (uint8_t)(at + 20);
    cap[2] = 20;
    cap[VIRTIO_CAP_TYPE] = type;
    cap[VIRTIO_CAP_BAR] = BAR;
    memcpy(cap + VIRTIO_CAP_OFFSET, &offset, 4);
    memcpy(cap + VIRTIO_CAP_LENGTH, &length, 4);
    memcpy(cap + VIRTIO_CAP_MULTIPLIER, &multiplier, 4);
    return at + 20;
}

static void make_pci(struct virtio_blk_model *model)
{
    unsigned at = 0x40;

    model->pci[6] = 0x10; /* there is a list */
    model->pci[0x34] = 0x40;
    model->pci[at] = 0x11; /* MSI-X, which the driver passes by */
    model->pci[at + 1] = 0x4c;
    at = 0x4c;
    at = add_cap(model, at, 5, 0, 0); /* access by configuration space: of no BAR */
    at = add_cap(model, at, VIRTIO_PLACE_NOTIFY, NOTIFY_AT, 0x1000);
    at = add_cap(model, at, VIRTIO_PLACE_DEVICE, DEVICE_AT, MODEL_CONFIG_BYTES);
    at = add_cap(model, at, VIRTIO_PLACE_ISR, ISR_AT, 1);
    at = add_cap(model, at, VIRTIO_PLACE_COMMON, COMMON_AT, VIRTIO_COMMON_LENGTH);
    model->pci[at - 19] = 0;
}

void virtio_blk_model_init(struct virtio_blk_model *model, uint64_t sectors, uint64_t features)
{
    memset(model, 0, sizeof(*model));
    user_init(&model->user, &block_driver_virtio_blk, &block_model);
    make_pci(model);
    model->offered = VIRTIO_FEATURE_VERSION_1 | 1ull << 28 | 1ull << 29 | features;
    model->queue_most = model->queue_size = 256;
    model->notify_off = 3;
    model->bytes = sectors * 512;
    model->content = malloc(model->bytes);
    world_fill(model->content, model->bytes, 1);
    memcpy(model->id, "serial 4711", 11);
    virtio_blk_model_config(model, VIRTIO_BLK_AT_CAPACITY, sectors, 8);
    virtio_blk_model_config(model, VIRTIO_BLK_AT_SEG_MAX, 254, 4);
    virtio_blk_model_config(model, VIRTIO_BLK_AT_BLK_SIZE, 512, 4);
    virtio_blk_model_config(model, VIRTIO_BLK_AT_DISCARD_MAX, 4096, 4);
    model->status = 0x0f; /* as firmware leaves it */
}

void virtio_blk_model_free(struct virtio_blk_model *model)
{
    free(model->content);
    user_free(&model->user);
}

int virtio_blk_model_start(struct virtio_blk_model *model)
{
    const struct block_platform platform = {.read = model_read,
                                            .write = model_write,
                                            .region_bytes = region_bytes,
                                            .config_read = config_read};

    return user_start(&model->user, &platform);
}
