// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/virtio/attach.h"

#include <stdlib.h>

#define MAX_REPORTS                                                                                \
    8u /* a guest can break its queues as often as it likes; the log has better uses */

struct attached;

struct attached_queue {
    struct attached *attached;
    unsigned queue;
    uint64_t bit; /* of the doorbell; 0: none left, rings come through the port bus */
};

struct attached {
    struct vm *vm;
    const struct leat_start_entry *entry;
    unsigned reports;
    struct attached_queue queues[VIRTIO_MAX_QUEUES];
    struct virtio_disk disk;
};

int virtio_disk_info(const struct leat_start_entry *entry, struct blk_client_info *info)
{
    if (!entry->va || entry->size < sizeof(struct leat_blk_channel))
        return LEAT_EINVAL;
    return blk_client_get_info((const struct leat_blk_channel *)(uintptr_t)entry->va, info);
}

static void signal_server(void *ctx)
{
    struct attached *a = ctx;
    vm_signal_peer(a->vm, a->entry->peer, a->entry->peer_bits);
}

static void doorbell_set(void *ctx, uint16_t port, unsigned queue)
{
    struct attached *a = ctx;
    if (a->queues[queue].bit)
        (void)vm_doorbell(a->vm, port, a->queues[queue].bit); /* refused: the port bus does it */
}

static void doorbell_clear(void *ctx, uint16_t port, unsigned queue)
{
    struct attached *a = ctx;
    if (a->queues[queue].bit)
        (void)vm_doorbell(a->vm, port, 0);
}

static void report(void *ctx, const char *why)
{
    struct attached *a = ctx;
    if (a->reports++ < MAX_REPORTS)
        vm_log(a->vm,
               "disk '%s': the guest's driver broke the virtio rules: %s; it must reset the disk",
               a->disk.name, why);
}

static void on_doorbell(void *context)
{
    struct attached_queue *q = context;
    virtio_disk_doorbell(&q->attached->disk, q->queue);
}

static void on_completions(void *context)
{
    struct attached *a = context;
    virtio_disk_completions(&a->disk);
}

static bool on_idle(void *context)
{
    struct attached *a = context;
    if (virtio_disk_may_sleep(&a->disk))
        return false;
    virtio_disk_completions(&a->disk);
    return true;
}

static int hook_in(struct attached *a)
{
    int error = vm_on_signal(a->vm, a->entry->my_bits, on_completions, a);
    for (unsigned i = 0; !error && i < a->disk.blk.device.queue_count; i++) {
        struct attached_queue *q = &a->queues[i];
        *q = (struct attached_queue){.attached = a, .queue = i, .bit = vm_bit_alloc(a->vm)};
        if (q->bit)
            error = vm_on_signal(a->vm, q->bit, on_doorbell, q);
    }
    return error ? error : vm_on_idle(a->vm, on_idle, a);
}

int virtio_disk_attach(struct vm *vm, const struct leat_start_entry *entry, unsigned slot,
                       unsigned queues)
{
    struct blk_client_info info;
    int error = virtio_disk_info(entry, &info);
    if (error)
        return error;
    if (queues < 1 || queues > VIRTIO_MAX_QUEUES)
        return LEAT_EINVAL;
    struct attached *a = calloc(1, sizeof(*a));
    if (!a)
        return LEAT_ENOMEM;
    a->vm = vm;
    a->entry = entry;
    const struct virtio_disk_config config = {
        .name = entry->name,
        .slot = slot,
        .queues = queues,
        .host = vm->pci,
        .memory = &vm->memory,
        .channel = (struct leat_blk_channel *)(uintptr_t)entry->va,
        .signal = signal_server,
        .hooks = {a, doorbell_set, doorbell_clear, report},
    };
    error = virtio_disk_init(&a->disk, &config);
    if (error) {
        free(a);
        return error;
    }
    return hook_in(a); /* the function is on the bus now: an error here ends the vmm's start */
}
