// SPDX-License-Identifier: BSD-2-Clause
/*
 * One storage controller as the supervisor has given it (services/supervisor/README.md), with the
 * driver that works it: the platform of drivers/block/block.h by mapped registers and port handles.
 */
#ifndef STORAGE_CONTROLLER_H
#define STORAGE_CONTROLLER_H

#include <leat/start.h>

#include "drivers/block/block.h"

#define CONTROLLER_IRQS 2u
#define CONTROLLER_CONFIG_WORDS 64u

struct controller_region { /* one of the two, or neither */
    volatile uint8_t *va;
    leat_handle_t ports;
    uint32_t first_port, bytes;
};

struct controller {
    char name[64];  /* "ahci 00:1f.2", for the log */
    char place[16]; /* "00:1f.2" */
    const struct block_driver *driver;
    void *state;
    bool is_polled; /* an interrupt is missing: it has to be looked at */
    bool is_started;
    unsigned irq_count;
    struct controller_irq {
        leat_handle_t handle;
        uint64_t bits;
    } irqs[CONTROLLER_IRQS];
    struct controller_region regions[BLOCK_REGION_COUNT];
    uint32_t config[CONTROLLER_CONFIG_WORDS];
    struct block_platform platform;
};

/* A part of the process's DMA area is taken from its front. */
struct controller_dma {
    uint8_t *va;
    uint64_t hpa, size;
};

/* Fills c with controller `number` of the start block. False: there is none of that number, or no
   driver for it, which is logged. c lives on at its address. */
bool controller_find(struct controller *c, unsigned number);

/* Allocates its state, takes DMA memory, starts the driver. False after one line in the log. */
bool controller_start(struct controller *c, struct controller_dma *dma);

/* Ends all DMA and interrupts of it. Safe at any time after controller_find. */
void controller_stop(struct controller *c);

/* Opens the interrupt lines again, after the driver has taken the causes. */
void controller_ack(const struct controller *c);

#endif
