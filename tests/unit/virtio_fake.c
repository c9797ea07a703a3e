// SPDX-License-Identifier: BSD-2-Clause
#include "virtio_fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vmm/irq.h"

static struct fake *of(struct vm *vm)
{
    return (struct fake *)((char *)vm - offsetof(struct fake, vm));
}

/* -- the VM's side -- */

void irq_set_line(struct vm *vm, unsigned gsi, bool is_high)
{
    of(vm)->line[gsi] = is_high;
}

void irq_send_msi(struct vm *vm, uint64_t address, uint32_t data)
{
    if ((address >> 20) == 0xfee && data < 32)
        of(vm)->msi_count[data]++;
}

void vm_kick(struct vm *vm, unsigned cpu)
{
    (void)vm, (void)cpu;
}

uint64_t vm_bit_alloc(struct vm *vm)
{
    uint64_t bit = ~of(vm)->bits_used & -~of(vm)->bits_used;
    of(vm)->bits_used |= bit;
    return bit;
}

int vm_on_signal(struct vm *vm, uint64_t bits, vm_fn fn, void *context)
{
    struct fake *f = of(vm);
    f->signals[f->signal_count++] = (struct fake_signal){bits, fn, context};
    return LEAT_OK;
}

int vm_on_idle(struct vm *vm, vm_idle_fn fn, void *context)
{
    of(vm)->idle = fn;
    of(vm)->idle_context = context;
    return LEAT_OK;
}

int vm_doorbell(struct vm *vm, uint16_t port, uint64_t bits)
{
    struct fake *f = of(vm);
    for (unsigned i = 0; i < 64; i++)
        if (f->doorbell_port[i] == port)
            f->doorbell_port[i] = 0;
    if (bits)
        f->doorbell_port[__builtin_ctzll(bits)] = port;
    return LEAT_OK;
}

void vm_signal_peer(struct vm *vm, uint32_t peer, uint64_t bits)
{
    (void)peer, (void)bits;
    of(vm)->peer_signals++;
}

void vm_log(struct vm *vm, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    of(vm)->log_lines++;
}

/* -- the server -- */

void fake_init(struct fake *f, uint64_t disk_bytes, uint32_t block_size, uint32_t features)
{
    memset(f, 0, sizeof(*f));
    f->vm.name = "test";
    f->vm.cpu_count = 1;
    f->ram = aligned_alloc(4096, FAKE_RAM_BYTES);
    memset(f->ram, 0, FAKE_RAM_BYTES);
    f->high = calloc(1, FAKE_HIGH_BYTES);
    guest_memory_add(&f->vm.memory, gpa(0), FAKE_RAM_BYTES, f->ram);
    guest_memory_add(&f->vm.memory, gpa(FAKE_HIGH_RAM), FAKE_HIGH_BYTES, f->high);
    f->bits_used = 1; /* bit 0: the server */
    f->channel = aligned_alloc(4096, sizeof(*f->channel));
    memset(f->channel, 0, offsetof(struct leat_blk_channel, data));
    f->channel->info = (struct leat_blk_info){.state = LEAT_BLK_READY,
                                              .features = features,
                                              .size_bytes = disk_bytes,
                                              .block_size = block_size,
                                              .optimal_size = 65536};
    leat_ring_join(&f->requests, f->channel->requests, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_request), false);
    leat_ring_join(&f->completions, f->channel->completions, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_completion), true);
    f->disk = calloc(1, disk_bytes ? disk_bytes : 1);
    f->disk_bytes = disk_bytes;
    f->entry = (struct leat_start_entry){.role = "disk",
                                         .name = "disk-with-a-rather-long-name",
                                         .peer = 7,
                                         .peer_bits = 4,
                                         .my_bits = 1,
                                         .va = (uintptr_t)f->channel,
                                         .size = sizeof(*f->channel)};
    if (pci_host_init(&f->vm))
        abort();
}

void fake_free(struct fake *f)
{
    /* the disk is the vmm's for the VM's life, so the tests free it by knowing where it is */
    if (f->idle_context)
        free(f->idle_context);
    free(f->vm.pci);
    free(f->ram);
    free(f->high);
    free(f->channel);
    free(f->disk);
}

void server_take(struct fake *f)
{
    struct leat_blk_request request;
    while (f->held_count < LEAT_BLK_RING_COUNT && leat_ring_get(&f->requests, &request) == LEAT_OK)
        f->held[f->held_count++] = request;
}

void server_complete(struct fake *f, uint64_t id, int status)
{
    const struct leat_blk_completion completion = {.id = id, .status = status};
    if (leat_ring_put(&f->completions, &completion) != LEAT_OK)
        abort();
}

static int perform(struct fake *f, const struct leat_blk_request *r)
{
    if (f->fail_next) {
        f->fail_next--;
        return LEAT_EIO;
    }
    if (r->op > LEAT_BLK_WRITE_ZEROES || r->offset > f->disk_bytes ||
        r->length > f->disk_bytes - r->offset || r->offset % f->channel->info.block_size ||
        r->length % f->channel->info.block_size)
        abort(); /* the device must never ask for this */
    bool has_data = r->op == LEAT_BLK_READ || r->op == LEAT_BLK_WRITE;
    if (has_data && (!r->length || r->length > LEAT_BLK_MAX_REQUEST ||
                     r->data > LEAT_BLK_DATA_BYTES || r->length > LEAT_BLK_DATA_BYTES - r->data))
        abort();
    if (r->op == LEAT_BLK_READ)
        memcpy(f->channel->data + r->data, f->disk + r->offset, r->length);
    else if (r->op == LEAT_BLK_WRITE)
        memcpy(f->disk + r->offset, f->channel->data + r->data, r->length);
    else if (r->op == LEAT_BLK_WRITE_ZEROES || r->op == LEAT_BLK_DISCARD)
        memset(f->disk + r->offset, 0, r->length);
    return LEAT_OK;
}

void server_answer(struct fake *f, unsigned pick)
{
    const struct leat_blk_request r = f->held[pick];
    f->held[pick] = f->held[--f->held_count];
    if (r.op < 8)
        f->ops[r.op]++;
    f->fua += !!(r.flags & LEAT_BLK_FUA);
    f->no_hole += !!(r.flags & LEAT_BLK_NO_HOLE);
    server_complete(f, r.id, perform(f, &r));
}

void server_run(struct fake *f)
{
    server_take(f);
    while (f->held_count) {
        server_answer(f, 0);
        server_take(f);
    }
}

void device_run(struct fake *f)
{
    f->signals[0].fn(f->signals[0].context);
    while (f->idle(f->idle_context))
        ;
}

/* -- PCI -- */

uint32_t cfg_read(struct fake *f, unsigned device, unsigned offset, unsigned width)
{
    bus_write(&f->vm.ports, 0xcf8, 4, 0x80000000u | device << 11 | (offset & 0xfc));
    return (uint32_t)bus_read(&f->vm.ports, 0xcfc + (offset & 3), width);
}

void cfg_write(struct fake *f, unsigned device, unsigned offset, unsigned width, uint32_t value)
{
    bus_write(&f->vm.ports, 0xcf8, 4, 0x80000000u | device << 11 | (offset & 0xfc));
    bus_write(&f->vm.ports, 0xcfc + (offset & 3), width, value);
}

uint64_t bar_address(struct fake *f, unsigned index)
{
    uint64_t low = cfg_read(f, FAKE_SLOT, 0x10 + 4 * index, 4);
    if (low & 1)
        return low & ~3ull;
    return (low & ~15ull) | (uint64_t)cfg_read(f, FAKE_SLOT, 0x14 + 4 * index, 4) << 32;
}

/* -- the driver -- */

uint32_t common_read(struct driver *d, unsigned offset, unsigned width)
{
    return (uint32_t)bus_read(&d->fake->vm.mmio, d->common + offset, width);
}

void common_write(struct driver *d, unsigned offset, unsigned width, uint32_t value)
{
    bus_write(&d->fake->vm.mmio, d->common + offset, width, value);
}

static void put16(struct fake *f, uint64_t at, uint16_t value)
{
    guest_memory_write(&f->vm.memory, gpa(at), &value, 2);
}

static uint16_t get16(struct fake *f, uint64_t at)
{
    uint16_t value = 0;
    guest_memory_read(&f->vm.memory, gpa(at), &value, 2);
    return value;
}

static void set_descriptor(struct fake *f, uint64_t at, const struct driver_buffer *b,
                           uint16_t flags, uint16_t next)
{
    struct {
        uint64_t address;
        uint32_t length;
        uint16_t flags, next;
    } descriptor = {b->gpa, b->length, flags, next};
    guest_memory_write(&f->vm.memory, gpa(at), &descriptor, sizeof(descriptor));
}

void driver_enable_pci(struct driver *d, struct fake *f)
{
    memset(d, 0, sizeof(*d));
    d->fake = f;
    cfg_write(f, FAKE_SLOT, 4, 2, 7);
    unsigned cap = cfg_read(f, FAKE_SLOT, 0x34, 1);
    for (; cap; cap = cfg_read(f, FAKE_SLOT, cap + 1, 1)) {
        if (cfg_read(f, FAKE_SLOT, cap, 1) == 0x11)
            cfg_write(f, FAKE_SLOT, cap + 2, 2, 0x8000);
        if (cfg_read(f, FAKE_SLOT, cap, 1) != 9)
            continue;
        unsigned type = cfg_read(f, FAKE_SLOT, cap + 3, 1);
        uint64_t at =
            bar_address(f, cfg_read(f, FAKE_SLOT, cap + 4, 1)) + cfg_read(f, FAKE_SLOT, cap + 8, 4);
        if (type == 1)
            d->common = at;
        else if (type == 2)
            d->notify = at;
        else if (type == 4)
            d->config = at;
    }
    uint64_t table = bar_address(f, 2);
    for (unsigned i = 0; i < 5; i++) { /* vector i sends data i */
        bus_write(&f->vm.mmio, table + 16 * i, 8, 0xfee00000);
        bus_write(&f->vm.mmio, table + 16 * i + 8, 8, i);
    }
}

static void start_queue(struct driver *d, unsigned number, uint16_t size)
{
    struct driver_queue *q = &d->queues[number];
    *q = (struct driver_queue){.number = number, .size = size};
    q->descriptors = 0x10000ull * (number + 1);
    q->avail = q->descriptors + 0x6000;
    q->used = q->descriptors + 0x8000;
    guest_memory_write(&d->fake->vm.memory, gpa(q->descriptors), (uint8_t[0x10000]){0}, 0x10000);
    q->free_count = size;
    for (uint16_t i = 0; i < size; i++)
        put16(d->fake, q->descriptors + 16ull * i + 14, i + 1);
    common_write(d, 0x16, 2, number);
    common_write(d, 0x18, 2, size);
    common_write(d, 0x1a, 2, 1 + number);
    common_write(d, 0x20, 4, (uint32_t)q->descriptors);
    common_write(d, 0x24, 4, 0);
    common_write(d, 0x28, 4, (uint32_t)q->avail);
    common_write(d, 0x30, 4, (uint32_t)q->used);
    common_write(d, 0x1c, 2, 1);
}

unsigned driver_start(struct driver *d, struct fake *f, uint64_t wanted, uint16_t size)
{
    driver_enable_pci(d, f);
    common_write(d, 0x14, 1, 0);
    common_write(d, 0x14, 1, 3);
    for (unsigned i = 0; i < 2; i++) {
        common_write(d, 0, 4, i);
        d->features |= (uint64_t)common_read(d, 4, 4) << (32 * i);
    }
    d->features &= wanted;
    for (unsigned i = 0; i < 2; i++) {
        common_write(d, 8, 4, i);
        common_write(d, 12, 4, (uint32_t)(d->features >> (32 * i)));
    }
    common_write(d, 0x14, 1, 11);
    if (!(common_read(d, 0x14, 1) & 8))
        return common_read(d, 0x14, 1);
    common_write(d, 0x10, 2, 0);
    d->queue_count = common_read(d, 0x12, 2);
    if (d->queue_count > VIRTIO_MAX_QUEUES) /* a fuzzer has moved the BAR away */
        return 0;
    for (unsigned i = 0; i < d->queue_count; i++)
        start_queue(d, i, size);
    common_write(d, 0x14, 1, 15);
    for (unsigned i = 0; i < d->queue_count; i++)
        driver_arm(d, i);
    return common_read(d, 0x14, 1);
}

uint16_t driver_add(struct driver *d, unsigned queue, const struct driver_buffer *buffers,
                    unsigned count, uint64_t indirect_gpa)
{
    struct fake *f = d->fake;
    struct driver_queue *q = &d->queues[queue];
    uint16_t head = q->free_head, at = head;
    unsigned needed = indirect_gpa ? 1 : count;
    if (q->free_count < needed)
        abort();
    q->free_count = (uint16_t)(q->free_count - needed);
    q->chain_length[head % VQ_MAX_SIZE] = (uint16_t)needed;
    for (unsigned i = 0; i < count; i++) {
        uint16_t flags = (i + 1 < count ? 1 : 0) | (buffers[i].is_writable ? 2 : 0);
        if (indirect_gpa) {
            set_descriptor(f, indirect_gpa + 16 * i, &buffers[i], flags, (uint16_t)(i + 1));
            continue;
        }
        uint16_t next = get16(f, q->descriptors + 16ull * at + 14);
        set_descriptor(f, q->descriptors + 16ull * at, &buffers[i], flags, next);
        at = next;
    }
    if (indirect_gpa) {
        const struct driver_buffer table = {indirect_gpa, 16 * count, false};
        uint16_t next = get16(f, q->descriptors + 16ull * at + 14);
        set_descriptor(f, q->descriptors + 16ull * at, &table, 4, next);
        at = next;
    }
    q->free_head = at;
    put16(f, q->avail + 4 + 2ull * (q->avail_index % q->size), head);
    put16(f, q->avail + 2, ++q->avail_index);
    return head;
}

void driver_ring(struct driver *d, unsigned queue)
{
    struct fake *f = d->fake;
    uint16_t port = (uint16_t)(d->notify + 4 * queue);
    for (unsigned bit = 0; bit < 64; bit++) {
        if (f->doorbell_port[bit] != port)
            continue;
        for (unsigned i = 0; i < f->signal_count; i++)
            if (f->signals[i].bits == 1ull << bit)
                f->signals[i].fn(f->signals[i].context);
        return;
    }
    bus_write(&f->vm.ports, port, 2, queue);
}

void driver_arm(struct driver *d, unsigned queue)
{
    struct driver_queue *q = &d->queues[queue];
    put16(d->fake, q->avail + 4 + 2ull * q->size, q->used_index);
}

bool driver_used(struct driver *d, unsigned queue, uint16_t *head, uint32_t *written)
{
    struct fake *f = d->fake;
    struct driver_queue *q = &d->queues[queue];
    if (get16(f, q->used + 2) == q->used_index)
        return false;
    uint32_t element[2];
    guest_memory_read(&f->vm.memory, gpa(q->used + 4 + 8ull * (q->used_index % q->size)), element,
                      8);
    q->used_index++;
    *head = (uint16_t)element[0];
    *written = element[1];
    uint16_t last = *head;
    for (unsigned i = 1; i < q->chain_length[*head % VQ_MAX_SIZE]; i++)
        last = get16(f, q->descriptors + 16ull * last + 14);
    put16(f, q->descriptors + 16ull * last + 14, q->free_head);
    q->free_head = *head;
    q->free_count = (uint16_t)(q->free_count + q->chain_length[*head % VQ_MAX_SIZE]);
    driver_arm(d, queue);
    return true;
}

uint16_t driver_blk(struct driver *d, unsigned queue, uint32_t type, uint64_t sector, uint64_t at,
                    uint64_t data_gpa, uint32_t data_length)
{
    const struct {
        uint32_t type, reserved;
        uint64_t sector;
        uint8_t status;
    } __attribute__((packed)) header = {type, 0, sector, 0xee};
    guest_memory_write(&d->fake->vm.memory, gpa(at), &header, sizeof(header));
    bool is_in = type == 0 || type == 8;
    struct driver_buffer buffers[3] = {{at, 16, false}};
    unsigned count = 1;
    if (data_length)
        buffers[count++] = (struct driver_buffer){data_gpa, data_length, is_in};
    buffers[count++] = (struct driver_buffer){at + 16, 1, true};
    bool indirect = d->features & VIRTIO_F_INDIRECT_DESC;
    return driver_add(d, queue, buffers, count, indirect ? at + 32 : 0);
}

unsigned driver_do(struct driver *d, uint32_t type, uint64_t sector, uint64_t data_gpa,
                   uint32_t data_length)
{
    const uint64_t at = 0xf0000;
    uint16_t head, got;
    uint32_t written;
    head = driver_blk(d, 0, type, sector, at, data_gpa, data_length);
    driver_ring(d, 0);
    for (unsigned i = 0; i < 64; i++) {
        if (driver_used(d, 0, &got, &written))
            return got == head ? d->fake->ram[at + 16] : 0xff;
        server_run(d->fake);
        device_run(d->fake);
    }
    return 0xfe;
}
