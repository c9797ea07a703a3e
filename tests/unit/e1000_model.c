// SPDX-License-Identifier: BSD-2-Clause
#include "e1000_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(bool truth, const char *what)
{
    if (!truth) {
        fprintf(stderr, "e1000 model: the driver broke a rule: %s\n", what);
        abort();
    }
}

static uint32_t *reg_of(struct e1000_model *model, uint32_t reg)
{
    require(reg % 4 == 0 && reg / 4 < sizeof(model->regs) / 4, "register offset");
    return &model->regs[reg / 4];
}

static uint32_t get(struct e1000_model *model, uint32_t reg)
{
    return *reg_of(model, reg);
}

/* Memory that the card reaches: inside the area or nothing. */
static uint8_t *memory(struct e1000_model *model, uint64_t hpa, uint64_t length)
{
    require(hpa >= MODEL_HPA && length <= model->dma_size &&
                hpa - MODEL_HPA <= model->dma_size - length,
            "DMA address outside the area");
    return model->dma + (hpa - MODEL_HPA);
}

static void *descriptor(struct e1000_model *model, uint32_t base_low, uint32_t length_reg,
                        uint32_t index)
{
    uint64_t base = get(model, base_low) | (uint64_t)get(model, base_low + 4) << 32;

    require(base % 16 == 0 && get(model, length_reg) % 128 == 0, "ring base or length");
    require(index < get(model, length_reg) / 16, "ring index");
    return memory(model, base + 16ull * index, 16);
}

static void raise(struct e1000_model *model, uint32_t cause)
{
    model->icr |= cause;
}

static void reset(struct e1000_model *model)
{
    uint32_t link = get(model, E1000_STATUS);

    memset(model->regs, 0, sizeof(model->regs));
    model->icr = model->ims = 0;
    *reg_of(model, E1000_STATUS) = link;
    if (!model->ral_is_empty) {
        const uint8_t *mac = model->mac;
        *reg_of(model, E1000_RAL) =
            mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24;
        *reg_of(model, E1000_RAH) = mac[4] | (uint32_t)mac[5] << 8 | E1000_RAH_AV;
    }
    if (model->reset_hangs)
        *reg_of(model, E1000_CTRL) = E1000_CTRL_RST;
}

static uint32_t model_read(void *context, uint32_t reg)
{
    struct e1000_model *model = context;
    uint32_t value = get(model, reg);

    model->reads++;
    if (model->is_gone)
        return UINT32_MAX;
    if (reg == E1000_ICR) { /* 13.4.17: reading clears */
        value = model->icr;
        model->icr = 0;
    } else if (reg == E1000_MPC) {
        *reg_of(model, reg) = 0;
    }
    return value;
}

static void read_eeprom(struct e1000_model *model, uint32_t command)
{
    uint32_t word = command >> E1000_EERD_ADDRESS_SHIFT & 0xff;

    if (model->eeprom_is_dead || !(command & E1000_EERD_START) || word >= 3)
        return;
    uint32_t value = model->mac[2 * word] | (uint32_t)model->mac[2 * word + 1] << 8;
    *reg_of(model, E1000_EERD) = value << E1000_EERD_DATA_SHIFT | E1000_EERD_DONE;
}

static void model_write(void *context, uint32_t reg, uint32_t value)
{
    struct e1000_model *model = context;

    model->writes++;
    *reg_of(model, reg) = value;
    switch (reg) {
    case E1000_CTRL:
        if (value & E1000_CTRL_RST)
            reset(model);
        break;
    case E1000_EERD:
        read_eeprom(model, value);
        break;
    case E1000_IMS:
        model->ims |= value;
        break;
    case E1000_IMC:
        model->ims &= ~value;
        break;
    case E1000_TDT:
        if (!model->tx_is_slow)
            model_transmit(model);
        break;
    }
}

static void model_delay(void *context, uint32_t us)
{
    ((struct e1000_model *)context)->waited_us += us;
}

void model_init(struct e1000_model *model, uint64_t dma_size)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

    memset(model, 0, sizeof(*model));
    memcpy(model->mac, mac, sizeof(mac));
    model->dma_size = dma_size;
    model->dma = aligned_alloc(4096, (dma_size + 4095) & ~4095ull);
    memset(model->dma, 0xee, dma_size);
    model_set_link(model, true);
}

void model_free(struct e1000_model *model)
{
    free(model->dma);
}

struct e1000_platform model_platform(struct e1000_model *model)
{
    return (struct e1000_platform){model, model_read, model_write, model_delay};
}

struct e1000_dma model_dma(struct e1000_model *model)
{
    return (struct e1000_dma){model->dma, MODEL_HPA, model->dma_size};
}

bool model_receive_raw(struct e1000_model *model, const void *bytes, uint16_t count,
                       uint16_t length, uint8_t status, uint8_t errors)
{
    uint32_t head = get(model, E1000_RDH), size = get(model, E1000_RDLEN) / 16;

    if (!(get(model, E1000_RCTL) & E1000_RCTL_EN) || size == 0)
        return false;
    require(get(model, E1000_RDT) < size, "RDT");
    if (head == get(model, E1000_RDT)) { /* 3.2.6: none left */
        *reg_of(model, E1000_MPC) += 1;
        raise(model, E1000_INT_RXO);
        return false;
    }
    struct e1000_rx_descriptor *entry = descriptor(model, E1000_RDBAL, E1000_RDLEN, head);
    memcpy(memory(model, entry->address, E1000_BUFFER_BYTES), bytes,
           count < E1000_BUFFER_BYTES ? count : E1000_BUFFER_BYTES);
    entry->length = length;
    entry->errors = errors;
    entry->status = status;
    *reg_of(model, E1000_RDH) = (head + 1) % size;
    raise(model, E1000_INT_RXT0);
    return true;
}

bool model_receive(struct e1000_model *model, const void *frame, uint16_t length)
{
    return model_receive_raw(model, frame, length, length,
                             E1000_RX_DD | E1000_RX_EOP | E1000_RX_IXSM, 0);
}

void model_transmit(struct e1000_model *model)
{
    uint32_t size = get(model, E1000_TDLEN) / 16;

    if (!(get(model, E1000_TCTL) & E1000_TCTL_EN) || size == 0)
        return;
    require(get(model, E1000_TDT) < size, "TDT");
    while (get(model, E1000_TDH) != get(model, E1000_TDT)) {
        struct e1000_tx_descriptor *entry =
            descriptor(model, E1000_TDBAL, E1000_TDLEN, get(model, E1000_TDH));
        require((entry->command & (E1000_TX_EOP | E1000_TX_IFCS)) == (E1000_TX_EOP | E1000_TX_IFCS),
                "command of a transmit descriptor");
        require(entry->length >= 14 && entry->length <= 1514, "length of a transmit descriptor");
        require(entry->status == 0, "status of a fresh transmit descriptor");
        const uint8_t *frame = memory(model, entry->address, entry->length);
        memcpy(model->last_sent, frame, entry->length);
        model->last_sent_length = entry->length;
        model->sent++;
        if (model->on_sent)
            model->on_sent(frame, entry->length);
        if (entry->command & E1000_TX_RS)
            entry->status = E1000_TX_DD;
        *reg_of(model, E1000_TDH) = (get(model, E1000_TDH) + 1) % size;
        raise(model, E1000_INT_TXDW);
    }
}

bool model_irq(const struct e1000_model *model)
{
    return (model->icr & model->ims) != 0;
}

void model_set_link(struct e1000_model *model, bool is_up)
{
    uint32_t was = get(model, E1000_STATUS);
    uint32_t now = is_up ? E1000_STATUS_FD | E1000_STATUS_LU | 2u << E1000_STATUS_SPEED_SHIFT : 0;

    *reg_of(model, E1000_STATUS) = now;
    if (was != now)
        raise(model, E1000_INT_LSC);
}
