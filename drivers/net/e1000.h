// SPDX-License-Identifier: BSD-2-Clause
/*
 * Driver for the Intel 8254x family of Ethernet controllers (82540EM and siblings), as a library:
 * no system call, no allocation, no global state. One thread makes all calls for a card. Only
 * e1000_start waits (at most about 100 ms).
 *
 * Memory: one physically contiguous area holds the descriptor rings, the transmit buffers and the
 * receive buffers. The area is the device's as much as ours; everything the device writes there is
 * checked.
 *
 * Receive: e1000_rx_next shows the next frame where the device put it. The caller either keeps the
 * buffer (e1000_rx_keep; another takes its place in the ring; given back later, in any order, by
 * e1000_rx_release), or is done with it at once (e1000_rx_skip). When can_keep is false there is no
 * other buffer, and the caller must copy what it wants and skip.
 *
 * Transmit: e1000_tx_buffer gives room for one frame, e1000_tx_push queues it. Queued frames and
 * emptied receive buffers are shown to the device in batches, at the latest by e1000_flush.
 */
#ifndef DRIVERS_NET_E1000_H
#define DRIVERS_NET_E1000_H

#include <leat/types.h>
#include "drivers/net/e1000_regs.h"

#define E1000_VENDOR 0x8086u
#define E1000_RING_COUNT                                                                           \
    256u /* descriptors of each ring; SDM 13.4.27: RDLEN in units of 128 bytes */
#define E1000_BUFFER_BYTES 2048u /* of each receive and transmit buffer; RCTL.BSIZE = 00b */
#define E1000_MAX_FRAME 1514u    /* sent frames: header and 1500 bytes */
#define E1000_MAX_BUFFERS 2048u  /* receive buffers that the driver can look after */
#define E1000_RINGS_BYTES (2u * E1000_RING_COUNT * 16u)
#define E1000_TX_BYTES (E1000_RING_COUNT * E1000_BUFFER_BYTES)
/* The least DMA area: rings, transmit buffers, one receive buffer for each descriptor. */
#define E1000_MIN_DMA_BYTES (E1000_RINGS_BYTES + E1000_TX_BYTES + E1000_TX_BYTES)

struct e1000_platform { /* all members are needed */
    void *context;
    uint32_t (*read)(void *context, uint32_t reg); /* enum e1000_register */
    void (*write)(void *context, uint32_t reg, uint32_t value);
    void (*delay_us)(void *context, uint32_t us);
};

struct e1000_dma {
    uint8_t *va;   /* aligned to 4096 */
    uint64_t hpa;  /* as the device sees it */
    uint64_t size; /* bytes, at least E1000_MIN_DMA_BYTES; what is more becomes receive buffers */
};

struct e1000_frame {
    uint8_t *data;
    uint16_t length; /* 14 to E1000_BUFFER_BYTES, without the frame check sequence */
    uint16_t buffer; /* for e1000_rx_release, if the frame is kept */
    bool can_keep;
    bool checksums_ok; /* the device has checked the IPv4 and the TCP or UDP checksum */
};

struct e1000_counters {
    uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
    uint64_t rx_errors;  /* frames that the device marked as damaged, or longer than a buffer */
    uint64_t rx_missed;  /* frames that found no descriptor; read by e1000_counters_update */
    uint64_t rx_refused; /* descriptors with values that no frame can have */
    uint64_t tx_full;    /* e1000_tx_buffer had none */
    uint64_t interrupts;
};

enum e1000_owner { E1000_FREE = 0, E1000_IN_RING = 1, E1000_KEPT = 2 };

struct e1000 { /* private */
    struct e1000_platform platform;
    struct e1000_rx_descriptor *rx_ring;
    struct e1000_tx_descriptor *tx_ring;
    uint8_t *tx_buffers, *rx_buffers;
    uint64_t rx_buffers_hpa, tx_buffers_hpa;
    uint32_t rx_next, rx_unpublished; /* next descriptor to look at; returned but not in RDT */
    uint32_t tx_head, tx_tail,
        tx_unpublished; /* oldest not reclaimed; next free; pushed, not in TDT */
    uint32_t buffer_count, free_count;
    bool rx_skipping; /* inside a frame that did not end in its first buffer */
    bool tx_waiting;  /* the interrupt for finished transmissions is on */
    bool link_up;
    uint32_t link_mbit;
    uint8_t mac[6];
    struct e1000_counters counters;
    uint16_t ring_buffer[E1000_RING_COUNT]; /* which buffer each receive descriptor has */
    uint16_t free[E1000_MAX_BUFFERS];       /* a stack of buffers without a task */
    uint8_t owner[E1000_MAX_BUFFERS];       /* enum e1000_owner */
};

/* Does the driver know this PCI device? */
bool e1000_is_supported(uint16_t vendor, uint16_t device);

/* Resets the card, finds its address, sets up both rings, starts it and switches its interrupts on.
   LEAT_EINVAL: dma too small or not aligned. LEAT_EIO: the card does not answer, or has no address. */
int e1000_start(struct e1000 *nic, const struct e1000_platform *platform,
                const struct e1000_dma *dma);

/* Stops all DMA and interrupts. Safe in any state after e1000_start was called. */
void e1000_stop(struct e1000 *nic);

enum e1000_event {
    E1000_EVENT_LINK = 1u << 0, /* link_up or link_mbit has changed */
    E1000_EVENT_SENT = 1u << 1, /* there is room again after e1000_tx_buffer had none */
    E1000_EVENT_GONE = 1u << 2, /* the card answers no more */
};

/* Takes the causes of an interrupt from the card (one register read). Call when the interrupt came
   and before looking at the rings. Returns enum e1000_event bits. */
uint32_t e1000_interrupt(struct e1000 *nic);

/* Reads the link's state; true: it has changed. */
bool e1000_link_update(struct e1000 *nic);

/* Fetches the counters that the card keeps itself. */
void e1000_counters_update(struct e1000 *nic);

/* The next good frame; false: none has come. The frame stays the next until kept or skipped. */
bool e1000_rx_next(struct e1000 *nic, struct e1000_frame *frame);
void e1000_rx_keep(struct e1000 *nic);
void e1000_rx_skip(struct e1000 *nic);
void e1000_rx_release(struct e1000 *nic, uint16_t buffer);

/* Room for E1000_MAX_FRAME bytes; NULL: the ring is full, and E1000_EVENT_SENT will come. */
uint8_t *e1000_tx_buffer(struct e1000 *nic);

/* Queues what was written to the buffer last given; length 14 to E1000_MAX_FRAME. */
void e1000_tx_push(struct e1000 *nic, uint32_t length);

/* Shows the device all that is queued and all receive buffers that are free again. */
void e1000_flush(struct e1000 *nic);

#endif
