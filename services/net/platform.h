// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the service needs from where it runs. services/net/platform.c is the one of Leat; unit tests
 * and fuzzers link their own, with a clock and a randomness that repeat.
 */
#ifndef SERVICES_NET_PLATFORM_H
#define SERVICES_NET_PLATFORM_H

#include <leat/types.h>

/* Monotonic. */
uint64_t net_now_ns(void);

/* Not to be guessed from outside: port numbers, sequence numbers, DNS identifiers. */
uint64_t net_random(void);

/* One line for people. */
__attribute__((format(printf, 1, 2))) void net_log(const char *format, ...);

/* lwIP found itself inconsistent; the supervisor starts us again. */
_Noreturn void net_panic(const char *what);

#endif
