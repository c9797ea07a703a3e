// SPDX-License-Identifier: BSD-2-Clause
#include "services/net/report.h"
#include "lib/ctl.h"

#include <stdio.h>

#include "lwip/stats.h"
#include "lwip/tcp.h"

#define LINE_BYTES 200

static void report_card(struct nic *nic, uint64_t query)
{
    char line[LINE_BYTES];
    const struct e1000_counters *c = &nic->card.counters;

    e1000_counters_update(&nic->card);
    snprintf(line, sizeof(line), "card: %u Mbit/s, %llu interrupts, %u of %u buffers free",
             nic->card.link_mbit, (unsigned long long)c->interrupts, nic->card.free_count,
             nic->card.buffer_count);
    leat_ctl_send(LEAT_CTL_REPLY, line, query, 0);
    snprintf(line, sizeof(line),
             "received: %llu frames, %llu bytes; %llu damaged, %llu missed, %llu impossible, %llu "
             "copied, %llu dropped",
             (unsigned long long)c->rx_frames, (unsigned long long)c->rx_bytes,
             (unsigned long long)c->rx_errors, (unsigned long long)c->rx_missed,
             (unsigned long long)c->rx_refused, (unsigned long long)nic->copied,
             (unsigned long long)nic->dropped);
    leat_ctl_send(LEAT_CTL_REPLY, line, query, 0);
    snprintf(line, sizeof(line), "sent: %llu frames, %llu bytes; %llu times full",
             (unsigned long long)c->tx_frames, (unsigned long long)c->tx_bytes,
             (unsigned long long)c->tx_full);
    leat_ctl_send(LEAT_CTL_REPLY, line, query, 0);
}

static void report_slot(const struct slot *slot, uint32_t number, uint64_t query)
{
    static const char *const states[] = {"closed", "resolving", "connecting", "open"};
    char line[LINE_BYTES];

    if (slot->state == SLOT_CLOSED)
        return;
    snprintf(line, sizeof(line), "connection %u: %s:%u %s, %u bytes not read, send window %u",
             number, slot->host, slot->port, states[slot->state], slot->rx_held,
             slot->pcb ? (unsigned)slot->pcb->snd_wnd : 0u);
    leat_ctl_send(LEAT_CTL_REPLY, line, query, 0);
}

void net_report(const struct stack *stack, struct nic *nic, uint64_t query)
{
    char line[LINE_BYTES];

    leat_ctl_send(LEAT_CTL_REPLY, stack->address.info.why, query, 0);
    if (nic)
        report_card(nic, query);
    for (uint32_t i = 0; i < STACK_MAX_CLIENTS; i++) {
        if (!stack->clients[i].shared)
            continue;
        for (uint32_t j = 0; j < LEAT_NET_SLOTS; j++)
            report_slot(&stack->clients[i].slots[j], j, query);
    }
    snprintf(line, sizeof(line),
             "TCP: %u segments received, %u sent; dropped %u, bad checksum %u, no memory %u",
             (unsigned)lwip_stats.tcp.recv, (unsigned)lwip_stats.tcp.xmit,
             (unsigned)lwip_stats.tcp.drop, (unsigned)lwip_stats.tcp.chkerr,
             (unsigned)lwip_stats.tcp.memerr);
    leat_ctl_send(LEAT_CTL_REPLY, line, query, 1);
}
