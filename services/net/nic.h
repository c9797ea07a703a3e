// SPDX-License-Identifier: BSD-2-Clause
/*
 * Joins the e1000 driver and lwIP. Received frames reach lwIP in the buffers that the card wrote
 * them to; when those run low (lwIP keeps some for segments that came out of order) frames are
 * copied, and when lwIP's own are used up as well they are dropped, which TCP repairs.
 */
#ifndef SERVICES_NET_NIC_H
#define SERVICES_NET_NIC_H

#include "drivers/net/e1000.h"

#include "lwip/netif.h"
#include "lwip/pbuf.h"

struct nic;

struct nic_buffer { /* what lwIP holds of a receive buffer */
    struct pbuf_custom pbuf;
    struct nic *nic;
    uint16_t number;
};

struct nic {
    struct e1000 card;
    struct netif netif;
    uint64_t copied, dropped;
    bool wants_output; /* lwIP had something to send and there was no room */
    struct nic_buffer buffers[E1000_MAX_BUFFERS];
};

/* Starts the card and adds it to lwIP as the default netif, up. Errors of e1000_start. */
int nic_start(struct nic *nic, const struct e1000_platform *platform, const struct e1000_dma *dma);

/* Gives at most budget frames to lwIP; true: there are more. */
bool nic_receive(struct nic *nic, uint32_t budget);

/* There is room to send again: lets lwIP go on. */
void nic_resume_output(struct nic *nic);

#endif
