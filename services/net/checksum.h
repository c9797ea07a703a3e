// SPDX-License-Identifier: BSD-2-Clause
#ifndef SERVICES_NET_CHECKSUM_H
#define SERVICES_NET_CHECKSUM_H

#include <stdint.h>

/* The Internet checksum (RFC 1071) of length bytes, not inverted, as it stands in memory: the sum
   of 16-bit words as this CPU loads them. What lwIP calls LWIP_CHKSUM. data need not be aligned. */
uint16_t net_checksum(const void *data, int length);

#endif
