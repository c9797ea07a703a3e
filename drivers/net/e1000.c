// SPDX-License-Identifier: BSD-2-Clause
/* Start, stop, address, link and interrupts of an 8254x. */
#include "drivers/net/e1000.h"
#include "drivers/net/e1000_private.h"

#include <string.h>

/* SDM 13.4.18: units of 256 ns. 50 us between interrupts at most halves the packets an interrupt
   costs at full speed, and adds nothing to a reply that comes alone. */
#define ITR_50_US 195u

/* SDM 13.4.1: software waits 1 us or longer after RST; the EEPROM is read again meanwhile, which
   takes a few milliseconds (SDM 5.6). */
#define RESET_WAIT_US 10000u
#define POLL_US 50u
#define EEPROM_POLLS 200u
#define RESET_POLLS 1000u

static const uint16_t supported[] = {
    0x1004, /* 82543GC copper */
    0x1008, /* 82544EI copper */
    0x100c, /* 82544GC copper */
    0x100d, /* 82544GC LOM */
    0x100e, /* 82540EM desktop */
    0x100f, /* 82545EM copper */
    0x1010, /* 82546EB copper, dual port */
    0x1015, /* 82540EM mobile */
    0x1016, /* 82540EP mobile */
    0x1017, /* 82540EP desktop */
    0x101e, /* 82540EP mobile */
    0x1026, /* 82545GM copper */
    0x1079, /* 82546GB copper, dual port */
};

bool e1000_is_supported(uint16_t vendor, uint16_t device)
{
    if (vendor != E1000_VENDOR)
        return false;
    for (size_t i = 0; i < sizeof(supported) / sizeof(supported[0]); i++) {
        if (supported[i] == device)
            return true;
    }
    return false;
}

static int reset(struct e1000 *nic)
{
    e1000_put(nic, E1000_IMC, UINT32_MAX);
    e1000_put(nic, E1000_RCTL, 0);
    e1000_put(nic, E1000_TCTL, 0);
    nic->platform.delay_us(nic->platform.context,
                           RESET_WAIT_US); /* SDM 14.4: let DMA under way end */

    uint32_t ctrl = e1000_get(nic, E1000_CTRL);
    if (ctrl == UINT32_MAX)
        return LEAT_EIO;
    e1000_put(nic, E1000_CTRL, ctrl | E1000_CTRL_RST);
    nic->platform.delay_us(nic->platform.context, RESET_WAIT_US);
    for (unsigned i = 0; e1000_get(nic, E1000_CTRL) & E1000_CTRL_RST; i++) {
        if (i == RESET_POLLS)
            return LEAT_EIO;
        nic->platform.delay_us(nic->platform.context, POLL_US);
    }
    e1000_put(nic, E1000_IMC, UINT32_MAX); /* SDM 14.3 */
    (void)e1000_get(nic, E1000_ICR);
    return LEAT_OK;
}

static int eeprom_read(struct e1000 *nic, uint32_t word, uint16_t *value)
{
    e1000_put(nic, E1000_EERD, E1000_EERD_START | word << E1000_EERD_ADDRESS_SHIFT);
    for (unsigned i = 0; i < EEPROM_POLLS; i++) {
        uint32_t eerd = e1000_get(nic, E1000_EERD);
        if (eerd != UINT32_MAX && (eerd & E1000_EERD_DONE)) {
            *value = (uint16_t)(eerd >> E1000_EERD_DATA_SHIFT);
            return LEAT_OK;
        }
        nic->platform.delay_us(nic->platform.context, POLL_US);
    }
    return LEAT_EIO;
}

static bool is_station_address(const uint8_t mac[6])
{
    static const uint8_t none[6];

    return !(mac[0] & 1) && memcmp(mac, none, sizeof(none)) != 0;
}

/* The reset has loaded the first receive address from the EEPROM (SDM 13.5.2). Cards and emulators
   that did not are asked for the EEPROM's words, and the filter is set from them. */
static int find_address(struct e1000 *nic)
{
    uint32_t low = e1000_get(nic, E1000_RAL), high = e1000_get(nic, E1000_RAH);

    for (unsigned i = 0; i < 4; i++)
        nic->mac[i] = (uint8_t)(low >> (8 * i));
    nic->mac[4] = (uint8_t)high;
    nic->mac[5] = (uint8_t)(high >> 8);
    if ((high & E1000_RAH_AV) && is_station_address(nic->mac))
        return LEAT_OK;

    for (uint32_t i = 0; i < E1000_EEPROM_MAC_WORDS; i++) {
        uint16_t word;
        if (eeprom_read(nic, i, &word) != LEAT_OK)
            return LEAT_EIO;
        nic->mac[2 * i] = (uint8_t)word;
        nic->mac[2 * i + 1] = (uint8_t)(word >> 8);
    }
    if (!is_station_address(nic->mac))
        return LEAT_EIO;
    low = nic->mac[0] | (uint32_t)nic->mac[1] << 8 | (uint32_t)nic->mac[2] << 16 |
          (uint32_t)nic->mac[3] << 24;
    e1000_put(nic, E1000_RAL, low);
    e1000_put(nic, E1000_RAH, nic->mac[4] | (uint32_t)nic->mac[5] << 8 | E1000_RAH_AV);
    return LEAT_OK;
}

/* SDM 14.3: link from the PHY's negotiation, no flow control, no VLAN tags. */
static void set_link(struct e1000 *nic)
{
    uint32_t ctrl = e1000_get(nic, E1000_CTRL);

    ctrl &= ~(uint32_t)(E1000_CTRL_LRST | E1000_CTRL_ILOS | E1000_CTRL_FRCSPD | E1000_CTRL_FRCDPX |
                        E1000_CTRL_RFCE | E1000_CTRL_TFCE | E1000_CTRL_VME | E1000_CTRL_PHY_RST |
                        E1000_CTRL_RST);
    e1000_put(nic, E1000_CTRL, ctrl | E1000_CTRL_ASDE | E1000_CTRL_SLU);
    e1000_put(nic, E1000_FCAL, 0);
    e1000_put(nic, E1000_FCAH, 0);
    e1000_put(nic, E1000_FCT, 0);
    e1000_put(nic, E1000_FCTTV, 0);
}

int e1000_start(struct e1000 *nic, const struct e1000_platform *platform,
                const struct e1000_dma *dma)
{
    memset(nic, 0, sizeof(*nic));
    nic->platform = *platform;
    if (dma->size < E1000_MIN_DMA_BYTES || (dma->hpa & 0xfff) || ((uintptr_t)dma->va & 0xfff) ||
        dma->hpa > UINT64_MAX - dma->size)
        return LEAT_EINVAL;

    int error = reset(nic);
    if (error == LEAT_OK)
        error = find_address(nic);
    if (error != LEAT_OK)
        return error;
    for (uint32_t i = 0; i < E1000_MTA_COUNT; i++)
        e1000_put(nic, E1000_MTA + 4 * i, 0);
    set_link(nic);
    e1000_rings_init(nic, dma);

    e1000_put(nic, E1000_ITR, ITR_50_US);
    e1000_put(nic, E1000_IMS, E1000_INT_LSC | E1000_INT_RXDMT0 | E1000_INT_RXO | E1000_INT_RXT0);
    (void)e1000_link_update(nic);
    return LEAT_OK;
}

void e1000_stop(struct e1000 *nic)
{
    e1000_put(nic, E1000_IMC, UINT32_MAX);
    e1000_put(nic, E1000_RCTL, 0);
    e1000_put(nic, E1000_TCTL, 0);
    nic->platform.delay_us(nic->platform.context, RESET_WAIT_US);
    e1000_put(nic, E1000_CTRL, e1000_get(nic, E1000_CTRL) | E1000_CTRL_RST);
}

bool e1000_link_update(struct e1000 *nic)
{
    static const uint16_t speeds[] = {10, 100, 1000, 1000};
    uint32_t status = e1000_get(nic, E1000_STATUS);
    bool up = status != UINT32_MAX && (status & E1000_STATUS_LU);
    uint32_t mbit = up ? speeds[(status >> E1000_STATUS_SPEED_SHIFT) & 3] : 0;

    if (up == nic->link_up && mbit == nic->link_mbit)
        return false;
    nic->link_up = up;
    nic->link_mbit = mbit;
    return true;
}

uint32_t e1000_interrupt(struct e1000 *nic)
{
    uint32_t cause = e1000_get(nic, E1000_ICR), events = 0;

    if (cause == UINT32_MAX)
        return E1000_EVENT_GONE;
    nic->counters.interrupts++;
    if ((cause & E1000_INT_LSC) && e1000_link_update(nic))
        events |= E1000_EVENT_LINK;
    if ((cause & E1000_INT_TXDW) && nic->tx_waiting) {
        nic->tx_waiting = false;
        e1000_put(nic, E1000_IMC, E1000_INT_TXDW);
        events |= E1000_EVENT_SENT;
    }
    return events;
}

void e1000_counters_update(struct e1000 *nic)
{
    uint32_t missed = e1000_get(nic, E1000_MPC);

    if (missed != UINT32_MAX)
        nic->counters.rx_missed += missed;
}
