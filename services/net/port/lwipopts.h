// SPDX-License-Identifier: BSD-2-Clause
/*
 * lwIP 2.1.3 as the net service uses it: IPv4, TCP client, DHCP and DNS client, one thread. What is
 * not needed is off, so that a packet meets as little code as can be.
 */
#ifndef SERVICES_NET_PORT_LWIPOPTS_H
#define SERVICES_NET_PORT_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_RAW 0
#define LWIP_IPV6 0
#define LWIP_IGMP 0
#define LWIP_AUTOIP 0
#define LWIP_HAVE_LOOPIF 0
#define LWIP_NETIF_LOOPBACK 0
#define IP_FORWARD 0
/* TCP segments and the DHCP and DNS messages fit in one frame; fragments are an attacker's tool. */
#define IP_REASSEMBLY 0
#define IP_FRAG 0

/* -- memory: everything from pools of fixed size -- */
#define MEM_ALIGNMENT 16
#define MEM_USE_POOLS 1
#define MEMP_USE_CUSTOM_POOLS 1
#define MEM_USE_POOLS_TRY_BIGGER_POOL 1
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define PBUF_POOL_SIZE 1024 /* frames that are copied when the card's own buffers are scarce */
#define MEMP_NUM_PBUF 256
#define MEMP_NUM_TCP_PCB 80 /* 16 slots of four clients, and of each four that are closing */
#define MEMP_NUM_TCP_PCB_LISTEN 2
#define MEMP_NUM_TCP_SEG 4096
#define MEMP_NUM_UDP_PCB 8
#define MEMP_NUM_ARP_QUEUE 64

/* -- Ethernet and IPv4 -- */
#define LWIP_ARP 1
#define ARP_TABLE_SIZE 32
#define ARP_QUEUEING 1
#define ETHARP_TABLE_MATCH_NETIF 1
#define LWIP_ICMP 1
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1 /* the card may have checked a frame already */

/* -- TCP -- */
#define TCP_MSS 1460
/* The window is what the receive ring of a slot holds (include/leat/net.h): bytes that were
   acknowledged always have a place, and none wait in lwIP. */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 4
#define TCP_WND (512 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN (4 * TCP_SND_BUF / TCP_MSS)
#define TCP_SNDLOWAT                                                                               \
    (16 * TCP_MSS) /* of lwIP's socket layer only, but it insists on a 16-bit value */
#define TCP_QUEUE_OOSEQ 1
#define LWIP_TCP_SACK_OUT 1
#define TCP_OOSEQ_MAX_BYTES TCP_WND
#define TCP_OOSEQ_MAX_PBUFS 480
#define LWIP_TCP_KEEPALIVE 1
/* A tick of 50 ms gives retransmission the same order of delay as other systems have (200 to 300
   ms); lwIP's own 250 ms would make it a second or more. */
#define TCP_TMR_INTERVAL 50
#define TCP_MSL 30000
#define TCP_SYNMAXRTX 12 /* lwIP repeats a SYN at a constant interval; slot.c sets it to 1 s */
#define LWIP_HOOK_FILENAME "lwip_hooks.h"
#define LWIP_HOOK_TCP_ISN net_first_sequence

/* -- UDP: DHCP and DNS -- */
#define LWIP_UDP 1
#define LWIP_DHCP 1
#define DHCP_DOES_ARP_CHECK 0 /* the server has checked; saves a second at each start */
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_DNS 1
#define DNS_MAX_NAME_LENGTH 128
#define DNS_TABLE_SIZE 64 /* 16 slots of each client; a name that is known gives way */
#define DNS_MAX_REQUESTS 64

/* -- counters -- */
#define LWIP_STATS 1
#define LINK_STATS 1
#define ETHARP_STATS 0
#define IP_STATS 1
#define IPFRAG_STATS 0
#define ICMP_STATS 0
#define UDP_STATS 0
#define TCP_STATS 1
#define MEM_STATS 0
#define MEMP_STATS 0
#define SYS_STATS 0

#endif
