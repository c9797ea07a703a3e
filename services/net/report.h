// SPDX-License-Identifier: BSD-2-Clause
#ifndef SERVICES_NET_REPORT_H
#define SERVICES_NET_REPORT_H

#include "services/net/nic.h"
#include "services/net/stack.h"

/* Answers LEAT_CTL_QUERY: state, card, stack and connections, a line each. nic NULL: no card. */
void net_report(const struct stack *stack, struct nic *nic, uint64_t query);

#endif
