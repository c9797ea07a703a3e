// SPDX-License-Identifier: BSD-2-Clause
/* Between the files of the driver only. */
#ifndef DRIVERS_NET_E1000_PRIVATE_H
#define DRIVERS_NET_E1000_PRIVATE_H

#include "drivers/net/e1000.h"

static inline uint32_t e1000_get(struct e1000 *nic, uint32_t reg)
{
    return nic->platform.read(nic->platform.context, reg);
}

static inline void e1000_put(struct e1000 *nic, uint32_t reg, uint32_t value)
{
    nic->platform.write(nic->platform.context, reg, value);
}

/* Divides the area, fills the receive ring, tells the card and enables both directions. */
void e1000_rings_init(struct e1000 *nic, const struct e1000_dma *dma);

#endif
