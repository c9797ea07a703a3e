// SPDX-License-Identifier: BSD-2-Clause
/* lwIP's view of the compiler and of the service (lwIP doc/sys_arch.txt). */
#ifndef SERVICES_NET_PORT_ARCH_CC_H
#define SERVICES_NET_PORT_ARCH_CC_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX /* newlib keeps it behind POSIX */
#endif

/* services/net/platform.h */
uint64_t net_random(void);
_Noreturn void net_panic(const char *what);
/* services/net/checksum.h */
uint16_t net_checksum(const void *data, int length);

#define LWIP_RAND() ((u32_t)net_random())
#define LWIP_PLATFORM_ASSERT(what) net_panic(what)
#define LWIP_PLATFORM_DIAG(what)
#define LWIP_CHKSUM net_checksum

#endif
