// SPDX-License-Identifier: BSD-2-Clause
/* The controller from the firmware's hands to ports whose disks are known. */
#include "drivers/block/ahci_private.h"

#define RESET_LIMIT_MS 1000u   /* AHCI 10.4.3 */
#define HANDOFF_LIMIT_MS 2000u /* AHCI 10.6.3: 25 ms, and 2 s if firmware is busy */
#define LINK_WAIT_US 50000u    /* Serial ATA: a device answers COMRESET within 10 ms */
#define LINK_LIMIT_MS 1000u    /* and then some need long to agree on the speed */
#define READY_LIMIT_MS 8000u   /* of all ports together */

bool ahci_reset(struct ahci *ahci)
{
    ahci_put(ahci, AHCI_GHC, AHCI_GHC_ENABLE);
    ahci_put(ahci, AHCI_GHC, AHCI_GHC_ENABLE | AHCI_GHC_RESET);
    return ahci_wait_clear(ahci, AHCI_GHC, AHCI_GHC_RESET, RESET_LIMIT_MS);
}

int ahci_take(struct ahci *ahci)
{
    if (ahci_get(ahci, AHCI_CAP) == UINT32_MAX)
        return LEAT_EIO;
    if (ahci_get(ahci, AHCI_CAP2) & AHCI_CAP2_HANDOFF) {
        ahci_put(ahci, AHCI_BOHC, ahci_get(ahci, AHCI_BOHC) | AHCI_BOHC_SYSTEM);
        if (!ahci_wait_clear(ahci, AHCI_BOHC, AHCI_BOHC_FIRMWARE, HANDOFF_LIMIT_MS))
            ahci->platform.log(ahci->platform.context, "ahci: the firmware does not let go; taken");
    }
    if (!ahci_reset(ahci)) {
        ahci->platform.log(ahci->platform.context, "ahci: the controller does not reset");
        return LEAT_EIO;
    }
    ahci_put(ahci, AHCI_GHC, AHCI_GHC_ENABLE);
    return LEAT_OK;
}

static void read_capabilities(struct ahci *ahci)
{
    uint32_t cap = ahci_get(ahci, AHCI_CAP);
    uint32_t bytes = ahci->platform.region_bytes(ahci->platform.context, AHCI_REGION);

    ahci->has_ncq = cap & AHCI_CAP_NCQ;
    ahci->slot_count = (uint8_t)((cap >> AHCI_CAP_SLOTS_SHIFT & 0x1f) + 1);
    ahci->port_bits = ahci_get(ahci, AHCI_PI);
    for (unsigned i = 0; i < AHCI_MAX_PORTS; i++) {
        if (bytes < AHCI_PORTS + AHCI_PORT_BYTES * (i + 1))
            ahci->port_bits &= ~(1u << i); /* beyond the registers that there are */
        if (ahci->port_bits >> i & 1)
            ahci->port_count = (uint8_t)(i + 1);
    }
}

static void init_port(struct ahci *ahci, unsigned number, const struct block_dma *dma)
{
    struct ahci_port *port = &ahci->ports[number];

    port->ahci = ahci;
    port->number = (uint8_t)number;
    port->depth = 1;
    port->memory = dma->va + number * AHCI_PORT_MEMORY;
    port->memory_hpa = (uint32_t)(dma->hpa + number * AHCI_PORT_MEMORY);
}

/* All links come up at the same time. Ports whose turn does not come in time are left out. */
void ahci_find_disks(struct ahci *ahci, const struct block_dma *dma)
{
    uint64_t end = block_now(&ahci->platform) + READY_LIMIT_MS * BLOCK_NS_PER_MS;

    read_capabilities(ahci);
    for (unsigned i = 0; i < ahci->port_count; i++) {
        init_port(ahci, i, dma);
        if (!(ahci->port_bits >> i & 1))
            continue;
        if (block_now(&ahci->platform) < end)
            ahci_port_prepare(&ahci->ports[i]);
        else
            ahci->port_bits &= ~(1u << i);
    }
    block_delay(&ahci->platform, LINK_WAIT_US);
    uint64_t link_end = block_now(&ahci->platform) + LINK_LIMIT_MS * BLOCK_NS_PER_MS;
    for (unsigned i = 0; i < ahci->port_count; i++) {
        if (ahci->port_bits >> i & 1)
            ahci_port_wait_link(&ahci->ports[i], link_end);
    }
    for (unsigned i = 0; i < ahci->port_count; i++) {
        uint64_t now = block_now(&ahci->platform);
        if (now < end && (ahci->port_bits >> i & 1))
            ahci_port_find(&ahci->ports[i], (uint32_t)((end - now) / BLOCK_NS_PER_MS) + 1);
    }
}
