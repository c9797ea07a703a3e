// SPDX-License-Identifier: BSD-2-Clause
/*
 * An 82540EM at the level of its registers and descriptors, for tests of drivers/net. It refuses
 * what the manual forbids (a DMA address outside the area, an index outside the ring) by abort(),
 * so that a driver that does it fails its test. Section numbers are those of Intel's 8254x manual,
 * as in e1000_regs.h.
 */
#ifndef TESTS_UNIT_E1000_MODEL_H
#define TESTS_UNIT_E1000_MODEL_H

#include "drivers/net/e1000.h"

#define MODEL_HPA 0x12345000ull

struct e1000_model {
    uint32_t regs[0x6000 / 4];
    uint8_t *dma;
    uint64_t dma_size;
    uint8_t mac[6];
    bool ral_is_empty; /* the reset does not load the address: only the EEPROM has it */
    bool eeprom_is_dead;
    bool reset_hangs, is_gone;
    bool tx_is_slow; /* frames stay in the ring until model_transmit */
    uint32_t icr, ims;
    uint64_t reads, writes, waited_us;
    uint64_t sent; /* frames */
    uint8_t last_sent[2048];
    uint16_t last_sent_length;
    void (*on_sent)(const uint8_t *frame, uint16_t length); /* may be NULL */
};

void model_init(struct e1000_model *model, uint64_t dma_size);
void model_free(struct e1000_model *model);
struct e1000_platform model_platform(struct e1000_model *model);
struct e1000_dma model_dma(struct e1000_model *model);

/* The card receives a frame; false: no descriptor. */
bool model_receive(struct e1000_model *model, const void *frame, uint16_t length);

/* The card fills its next descriptor with these values, whatever they are, and writes the first
   bytes of the buffer. */
bool model_receive_raw(struct e1000_model *model, const void *bytes, uint16_t count,
                       uint16_t length, uint8_t status, uint8_t errors);

/* Sends what is between TDH and TDT. */
void model_transmit(struct e1000_model *model);

/* The interrupt line. */
bool model_irq(const struct e1000_model *model);

void model_set_link(struct e1000_model *model, bool is_up);

#endif
