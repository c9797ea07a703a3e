// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/log.h"

void log_ring_write(struct log_ring *ring, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ring->bytes[(ring->head + i) & (ring->size - 1)] = text[i];
    ring->head += bytes;
}

size_t log_ring_read(const struct log_ring *ring, char *to, size_t bytes, uint64_t *position)
{
    uint64_t oldest = ring->head > ring->size ? ring->head - ring->size : 0;
    if (*position < oldest)
        *position = oldest;
    if (*position >= ring->head)
        return 0;
    if (bytes > ring->head - *position)
        bytes = ring->head - *position;
    for (size_t i = 0; i < bytes; i++)
        to[i] = ring->bytes[(*position + i) & (ring->size - 1)];
    return bytes;
}
