// SPDX-License-Identifier: BSD-2-Clause
/* A pair of queues: NVM Express 1.4, 4.1. */
#include "drivers/block/nvme_private.h"

#include <string.h>

void nvme_queue_init(struct nvme *nvme, struct nvme_queue *queue, uint16_t id, uint16_t entries,
                     uint32_t sq_offset, uint32_t cq_offset)
{
    queue->commands = (struct nvme_command *)(nvme->dma.va + sq_offset);
    queue->completions = (struct nvme_completion *)(nvme->dma.va + cq_offset);
    queue->commands_hpa = nvme->dma.hpa + sq_offset;
    queue->completions_hpa = nvme->dma.hpa + cq_offset;
    queue->id = id;
    queue->entries = entries;
    queue->tail = queue->head = 0;
    queue->phase = 1; /* 4.6: the first pass writes ones over our zeros */
    memset(queue->commands, 0, entries * sizeof(*queue->commands));
    memset(queue->completions, 0, entries * sizeof(*queue->completions));
}

void nvme_queue_push(struct nvme_queue *queue, const struct nvme_command *command)
{
    queue->commands[queue->tail] = *command;
    queue->tail = (uint16_t)((queue->tail + 1) % queue->entries);
}

/* 3.1.24, 3.1.25 */
static uint32_t doorbell(const struct nvme *nvme, const struct nvme_queue *queue,
                         bool is_completion)
{
    return NVME_DOORBELLS + (2u * queue->id + is_completion) * nvme_cap_stride(nvme->cap);
}

void nvme_queue_ring(const struct nvme *nvme, const struct nvme_queue *queue)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    nvme_put(nvme, doorbell(nvme, queue, false), queue->tail);
}

bool nvme_queue_take(struct nvme_queue *queue, struct nvme_completion *completion)
{
    const volatile struct nvme_completion *entry = &queue->completions[queue->head];
    uint16_t status = __atomic_load_n(&queue->completions[queue->head].status, __ATOMIC_ACQUIRE);

    if ((status & 1) != queue->phase)
        return false;
    completion->result = entry->result;
    completion->sq_head = entry->sq_head;
    completion->sq_id = entry->sq_id;
    completion->cid = entry->cid;
    completion->status = status;
    if (++queue->head == queue->entries) {
        queue->head = 0;
        queue->phase ^= 1;
    }
    return true;
}

void nvme_queue_consumed(const struct nvme *nvme, const struct nvme_queue *queue)
{
    nvme_put(nvme, doorbell(nvme, queue, true), queue->head);
}
