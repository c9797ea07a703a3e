// SPDX-License-Identifier: BSD-2-Clause
/* Any guest memory and any queue state: the virtqueue stays inside guest memory and always ends. */
#include "vmm/virtio/virtqueue.h"

#include <stdlib.h>
#include <string.h>
#include "fuzz_input.h"

#define RAM_BYTES 8192u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_chain(const struct vq_chain *chain, uint8_t *ram)
{
    uint64_t readable = 0, writable = 0;
    for (unsigned i = 0; i < (unsigned)chain->readable + chain->writable; i++) {
        const struct vq_segment *s = &chain->segments[i];
        if (s->host < ram || s->host >= ram + RAM_BYTES || !s->length ||
            s->length > (size_t)(ram + RAM_BYTES - s->host))
            abort();
        *(i < chain->readable ? &readable : &writable) += s->length;
    }
    if (readable != chain->readable_bytes || writable != chain->writable_bytes)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct guest_memory memory = {0};
    struct virtqueue vq;
    static struct vq_chain chain;
    uint8_t *ram = calloc(1, RAM_BYTES);
    guest_memory_add(&memory, gpa(0), RAM_BYTES, ram);
    vq_reset(&vq, &memory, 256);
    unsigned flags = (unsigned)fuzz_take(&in, 1);
    vq.has_indirect = flags & 1;
    vq.has_event_idx = flags & 2;
    vq.size = (uint16_t)(flags & 4 ? fuzz_take(&in, 2) : 8);
    vq.descriptors_gpa = flags & 8 ? fuzz_take(&in, 8) : 0;
    vq.driver_gpa = flags & 16 ? fuzz_take(&in, 8) : 128;
    vq.device_gpa = flags & 32 ? fuzz_take(&in, 8) : 256;
    (void)vq_enable(&vq);
    while (in.size) {
        unsigned action = (unsigned)fuzz_take(&in, 1);
        switch (action % 8) {
        case 0:
        case 1:
        case 2: {
            uint64_t at = fuzz_take(&in, 2) % RAM_BYTES;
            unsigned width = 1 + (action >> 3) % 16;
            for (; width && at < RAM_BYTES; width--)
                ram[at++] = (uint8_t)fuzz_take(&in, 1);
            break;
        }
        case 3: /* the driver offers a chain */
            ram[(128 + 2) % RAM_BYTES]++;
            break;
        case 4:
        case 5:
            if (vq_pop(&vq, &chain) != LEAT_OK)
                break;
            check_chain(&chain, ram);
            if (action & 8)
                vq_push(&vq, chain.head, (uint32_t)chain.writable_bytes);
            break;
        case 6:
            vq_push(&vq, (uint16_t)fuzz_take(&in, 2), 0);
            (void)vq_publish(&vq);
            break;
        default:
            vq_doorbell_off(&vq);
            (void)vq_doorbell_on(&vq);
        }
    }
    free(ram);
    return 0;
}
