// SPDX-License-Identifier: BSD-2-Clause
/*
 * The descriptor rings. The device writes into them at any time, so status bytes are read first and
 * with acquire order, other fields once, and only after the status says that they are ours.
 */
#include "drivers/net/e1000.h"
#include "drivers/net/e1000_private.h"
#include "lib/assert.h"

#include <string.h>

#define RING_MASK (E1000_RING_COUNT - 1)
#define ETHERNET_HEADER_BYTES 14u

/* Empty buffers are shown to the card in groups, a register write each. */
#define RX_PUBLISH_BATCH 32u

static void rx_arm(struct e1000 *nic, uint32_t index)
{
    struct e1000_rx_descriptor *descriptor = &nic->rx_ring[index];

    descriptor->address =
        nic->rx_buffers_hpa + (uint64_t)nic->ring_buffer[index] * E1000_BUFFER_BYTES;
    descriptor->length = 0;
    descriptor->errors = 0;
    __atomic_store_n(&descriptor->status, 0, __ATOMIC_RELEASE);
}

static void rx_init(struct e1000 *nic, uint64_t ring_hpa)
{
    for (uint32_t i = 0; i < nic->buffer_count; i++) {
        if (i < E1000_RING_COUNT) {
            nic->owner[i] = E1000_IN_RING;
            nic->ring_buffer[i] = (uint16_t)i;
            rx_arm(nic, i);
        } else {
            nic->free[nic->free_count++] = (uint16_t)i;
        }
    }
    /* SDM 14.4 */
    e1000_put(nic, E1000_RDBAL, (uint32_t)ring_hpa);
    e1000_put(nic, E1000_RDBAH, (uint32_t)(ring_hpa >> 32));
    e1000_put(nic, E1000_RDLEN, E1000_RING_COUNT * sizeof(struct e1000_rx_descriptor));
    e1000_put(nic, E1000_RDTR, 0); /* SDM 13.4.30 recommends ITR in its place */
    e1000_put(nic, E1000_RDH, 0);
    e1000_put(nic, E1000_RXCSUM, E1000_RXCSUM_IPOFL | E1000_RXCSUM_TUOFL);
    e1000_put(nic, E1000_RCTL, E1000_RCTL_EN | E1000_RCTL_BAM | E1000_RCTL_SECRC);
    /* SDM 3.2.6: head = tail means that the card owns no descriptor; so one always stays ours. */
    e1000_put(nic, E1000_RDT, RING_MASK);
}

static void tx_init(struct e1000 *nic, uint64_t ring_hpa)
{
    for (uint32_t i = 0; i < E1000_RING_COUNT; i++) {
        memset(&nic->tx_ring[i], 0, sizeof(nic->tx_ring[i]));
        nic->tx_ring[i].address = nic->tx_buffers_hpa + (uint64_t)i * E1000_BUFFER_BYTES;
    }
    /* SDM 14.5 */
    e1000_put(nic, E1000_TDBAL, (uint32_t)ring_hpa);
    e1000_put(nic, E1000_TDBAH, (uint32_t)(ring_hpa >> 32));
    e1000_put(nic, E1000_TDLEN, E1000_RING_COUNT * sizeof(struct e1000_tx_descriptor));
    e1000_put(nic, E1000_TDH, 0);
    e1000_put(nic, E1000_TDT, 0);
    e1000_put(nic, E1000_TIDV, 0);
    e1000_put(nic, E1000_TIPG, E1000_TIPG_VALUE);
    e1000_put(nic, E1000_TCTL, E1000_TCTL_EN | E1000_TCTL_PSP | E1000_TCTL_CT | E1000_TCTL_COLD);
}

void e1000_rings_init(struct e1000 *nic, const struct e1000_dma *dma)
{
    const uint64_t tx_ring = E1000_RINGS_BYTES / 2, tx_buffers = E1000_RINGS_BYTES;
    const uint64_t rx_buffers = tx_buffers + E1000_TX_BYTES;
    uint64_t buffers = (dma->size - rx_buffers) / E1000_BUFFER_BYTES;

    nic->buffer_count = buffers < E1000_MAX_BUFFERS ? (uint32_t)buffers : E1000_MAX_BUFFERS;
    nic->rx_ring = (struct e1000_rx_descriptor *)dma->va;
    nic->tx_ring = (struct e1000_tx_descriptor *)(dma->va + tx_ring);
    nic->tx_buffers = dma->va + tx_buffers;
    nic->rx_buffers = dma->va + rx_buffers;
    nic->tx_buffers_hpa = dma->hpa + tx_buffers;
    nic->rx_buffers_hpa = dma->hpa + rx_buffers;
    tx_init(nic, dma->hpa + tx_ring);
    rx_init(nic, dma->hpa);
}

/* -- receive -- */

static void rx_publish(struct e1000 *nic)
{
    /* The descriptor before rx_next is the last one that the card may use. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    e1000_put(nic, E1000_RDT, (nic->rx_next - 1) & RING_MASK);
    nic->rx_unpublished = 0;
}

static void rx_advance(struct e1000 *nic)
{
    rx_arm(nic, nic->rx_next);
    nic->rx_next = (nic->rx_next + 1) & RING_MASK;
    if (++nic->rx_unpublished >= RX_PUBLISH_BATCH)
        rx_publish(nic);
}

bool e1000_rx_next(struct e1000 *nic, struct e1000_frame *frame)
{
    /* Bounded: a device that marks everything as damaged must not keep us here. */
    for (uint32_t tries = 0; tries < E1000_RING_COUNT; tries++) {
        const volatile struct e1000_rx_descriptor *descriptor = &nic->rx_ring[nic->rx_next];
        uint8_t status = __atomic_load_n(&nic->rx_ring[nic->rx_next].status, __ATOMIC_ACQUIRE);

        if (!(status & E1000_RX_DD))
            return false;
        uint8_t errors = descriptor->errors;
        uint16_t length = descriptor->length;
        bool is_part = nic->rx_skipping || !(status & E1000_RX_EOP);

        nic->rx_skipping = !(status & E1000_RX_EOP);
        if (is_part || (errors & E1000_RX_FRAME_ERRORS)) {
            nic->counters.rx_errors++;
        } else if (length < ETHERNET_HEADER_BYTES || length > E1000_BUFFER_BYTES) {
            nic->counters.rx_refused++;
        } else {
            frame->buffer = nic->ring_buffer[nic->rx_next];
            frame->data = nic->rx_buffers + (size_t)frame->buffer * E1000_BUFFER_BYTES;
            frame->length = length;
            frame->can_keep = nic->free_count > 0;
            frame->checksums_ok = (status & (E1000_RX_IXSM | E1000_RX_TCPCS | E1000_RX_IPCS)) ==
                                      (E1000_RX_TCPCS | E1000_RX_IPCS) &&
                                  !(errors & (E1000_RX_TCPE | E1000_RX_IPE));
            return true;
        }
        rx_advance(nic);
    }
    return false;
}

static void rx_count(struct e1000 *nic)
{
    nic->counters.rx_frames++;
    nic->counters.rx_bytes += nic->rx_ring[nic->rx_next].length;
}

void e1000_rx_keep(struct e1000 *nic)
{
    LEAT_ASSERT(nic->free_count > 0);
    uint16_t fresh = nic->free[--nic->free_count];

    LEAT_ASSERT(nic->owner[fresh] == E1000_FREE);
    nic->owner[nic->ring_buffer[nic->rx_next]] = E1000_KEPT;
    nic->owner[fresh] = E1000_IN_RING;
    nic->ring_buffer[nic->rx_next] = fresh;
    rx_count(nic);
    rx_advance(nic);
}

void e1000_rx_skip(struct e1000 *nic)
{
    rx_count(nic);
    rx_advance(nic);
}

void e1000_rx_release(struct e1000 *nic, uint16_t buffer)
{
    LEAT_ASSERT(buffer < nic->buffer_count && nic->owner[buffer] == E1000_KEPT);
    nic->owner[buffer] = E1000_FREE;
    nic->free[nic->free_count++] = buffer;
}

/* -- transmit -- */

static uint32_t tx_free(const struct e1000 *nic)
{
    return (nic->tx_head - nic->tx_tail - 1) & RING_MASK;
}

/* Without RS in each descriptor there would be nothing to see; SDM 3.3.3.2. */
static void tx_reclaim(struct e1000 *nic)
{
    while (nic->tx_head != nic->tx_tail &&
           (__atomic_load_n(&nic->tx_ring[nic->tx_head].status, __ATOMIC_ACQUIRE) & E1000_TX_DD))
        nic->tx_head = (nic->tx_head + 1) & RING_MASK;
}

static void tx_publish(struct e1000 *nic)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    e1000_put(nic, E1000_TDT, nic->tx_tail);
    nic->tx_unpublished = 0;
}

uint8_t *e1000_tx_buffer(struct e1000 *nic)
{
    if (tx_free(nic) == 0) {
        if (nic->tx_unpublished)
            tx_publish(nic);
        tx_reclaim(nic);
    }
    if (tx_free(nic) == 0) {
        nic->counters.tx_full++;
        if (!nic->tx_waiting) {
            nic->tx_waiting = true;
            e1000_put(nic, E1000_IMS, E1000_INT_TXDW);
        }
        return NULL;
    }
    return nic->tx_buffers + (size_t)nic->tx_tail * E1000_BUFFER_BYTES;
}

void e1000_tx_push(struct e1000 *nic, uint32_t length)
{
    LEAT_ASSERT(length >= ETHERNET_HEADER_BYTES && length <= E1000_MAX_FRAME && tx_free(nic) > 0);
    struct e1000_tx_descriptor *descriptor = &nic->tx_ring[nic->tx_tail];

    /* The address is written anew each time: the ring is memory that the device can write. */
    descriptor->address = nic->tx_buffers_hpa + (uint64_t)nic->tx_tail * E1000_BUFFER_BYTES;
    descriptor->length = (uint16_t)length;
    descriptor->checksum_offset = 0;
    descriptor->command = E1000_TX_EOP | E1000_TX_IFCS | E1000_TX_RS;
    descriptor->checksum_start = 0;
    descriptor->special = 0;
    __atomic_store_n(&descriptor->status, 0, __ATOMIC_RELEASE);
    nic->tx_tail = (nic->tx_tail + 1) & RING_MASK;
    nic->tx_unpublished++;
    nic->counters.tx_frames++;
    nic->counters.tx_bytes += length;
}

void e1000_flush(struct e1000 *nic)
{
    if (nic->tx_unpublished)
        tx_publish(nic);
    if (nic->rx_unpublished)
        rx_publish(nic);
}
