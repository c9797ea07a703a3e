# SPDX-License-Identifier: BSD-2-Clause
# The files of lwIP 2.1.3 that the net service is built from, with LWIP_DIR as the root of its tree.
set(LEAT_LWIP_SOURCES
    core/init.c core/def.c core/dns.c core/inet_chksum.c core/ip.c core/mem.c core/memp.c core/netif.c
    core/pbuf.c core/stats.c core/tcp.c core/tcp_in.c core/tcp_out.c core/timeouts.c core/udp.c
    core/ipv4/dhcp.c core/ipv4/etharp.c core/ipv4/icmp.c core/ipv4/ip4.c core/ipv4/ip4_addr.c
    netif/ethernet.c)
list(TRANSFORM LEAT_LWIP_SOURCES PREPEND ${LWIP_DIR}/src/)
