// SPDX-License-Identifier: BSD-2-Clause
#include "services/net/nic.h"

#include <string.h>

#include "lwip/etharp.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"

/* Buffers that stay with the card's side, so that a burst does not find it without. */
#define RESERVE_BUFFERS 32u

static void free_buffer(struct pbuf *pbuf)
{
    struct nic_buffer *buffer = (struct nic_buffer *)pbuf; /* its first member's first member */

    e1000_rx_release(&buffer->nic->card, buffer->number);
}
_Static_assert(offsetof(struct nic_buffer, pbuf) == 0, "free_buffer");
_Static_assert(offsetof(struct pbuf_custom, pbuf) == 0, "free_buffer");

static err_t output(struct netif *netif, struct pbuf *pbuf)
{
    struct nic *nic = netif->state;

    if (pbuf->tot_len > E1000_MAX_FRAME) {
        LINK_STATS_INC(link.lenerr);
        return ERR_IF;
    }
    uint8_t *frame = e1000_tx_buffer(&nic->card);
    if (!frame) {
        nic->wants_output = true;
        return ERR_MEM; /* TCP keeps the segment and tries again */
    }
    pbuf_copy_partial(pbuf, frame, pbuf->tot_len, 0);
    e1000_tx_push(&nic->card, pbuf->tot_len);
    LINK_STATS_INC(link.xmit);
    return ERR_OK;
}

static err_t init_netif(struct netif *netif)
{
    const struct nic *nic = netif->state;

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = 1500;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, nic->card.mac, ETH_HWADDR_LEN);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = etharp_output;
    netif->linkoutput = output;
    return ERR_OK;
}

int nic_start(struct nic *nic, const struct e1000_platform *platform, const struct e1000_dma *dma)
{
    int error = e1000_start(&nic->card, platform, dma);

    if (error != LEAT_OK)
        return error;
    for (uint32_t i = 0; i < E1000_MAX_BUFFERS; i++) {
        nic->buffers[i].nic = nic;
        nic->buffers[i].number = (uint16_t)i;
        nic->buffers[i].pbuf.custom_free_function = free_buffer;
    }
    if (!netif_add(&nic->netif, NULL, NULL, NULL, nic, init_netif, netif_input)) {
        e1000_stop(&nic->card);
        return LEAT_ENOMEM;
    }
    netif_set_default(&nic->netif);
    netif_set_up(&nic->netif);
    return LEAT_OK;
}

/* The frame as a pbuf; the card's descriptor has moved on. NULL: no memory. */
static struct pbuf *take(struct nic *nic, const struct e1000_frame *frame)
{
    struct pbuf *pbuf;

    if (frame->can_keep && nic->card.free_count > RESERVE_BUFFERS) {
        struct nic_buffer *buffer = &nic->buffers[frame->buffer];
        pbuf = pbuf_alloced_custom(PBUF_RAW, frame->length, PBUF_REF, &buffer->pbuf, frame->data,
                                   E1000_BUFFER_BYTES);
        e1000_rx_keep(&nic->card);
        return pbuf;
    }
    pbuf = pbuf_alloc(PBUF_RAW, frame->length, PBUF_POOL);
    if (pbuf) {
        pbuf_take(pbuf, frame->data, frame->length);
        nic->copied++;
    }
    e1000_rx_skip(&nic->card);
    return pbuf;
}

bool nic_receive(struct nic *nic, uint32_t budget)
{
    const u16_t all = NETIF_CHECKSUM_ENABLE_ALL;
    const u16_t checked = all & (u16_t) ~(NETIF_CHECKSUM_CHECK_IP | NETIF_CHECKSUM_CHECK_TCP |
                                          NETIF_CHECKSUM_CHECK_UDP);
    struct e1000_frame frame;

    for (; budget > 0; budget--) {
        if (!e1000_rx_next(&nic->card, &frame))
            return false;
        struct pbuf *pbuf = take(nic, &frame);
        if (!pbuf) {
            nic->dropped++;
            LINK_STATS_INC(link.drop);
            continue;
        }
        LINK_STATS_INC(link.recv);
        /* lwIP works on the frame before this returns, so the setting is that of this frame. */
        NETIF_SET_CHECKSUM_CTRL(&nic->netif, frame.checksums_ok ? checked : all);
        if (nic->netif.input(pbuf, &nic->netif) != ERR_OK)
            pbuf_free(pbuf);
    }
    return true;
}

void nic_resume_output(struct nic *nic)
{
    if (!nic->wants_output)
        return;
    nic->wants_output = false;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        tcp_output(pcb);
}
