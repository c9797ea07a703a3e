// SPDX-License-Identifier: BSD-2-Clause
#include "services/net/stack.h"
#include "services/net/platform.h"

#include <string.h>

#include "lwip/dns.h"
#include "lwip/init.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "lwip_hooks.h"

_Static_assert(MEMP_NUM_TCP_PCB >= STACK_MAX_CLIENTS * (LEAT_NET_SLOTS + SLOT_MAX_LINGERING) &&
                   DNS_TABLE_SIZE >= STACK_MAX_CLIENTS * LEAT_NET_SLOTS &&
                   DNS_MAX_REQUESTS >= STACK_MAX_CLIENTS * LEAT_NET_SLOTS,
               "each client has its part");

#define NS_PER_MS 1000000ull

/* lwIP's clock: milliseconds, which may wrap. */
u32_t sys_now(void)
{
    return (u32_t)(net_now_ns() / NS_PER_MS);
}

static uint64_t mix(uint64_t value)
{
    value =
        (value ^ (value >> 32)) * 0x9e3779b97f4a7c15ull; /* 2^64 / golden ratio: odd, no pattern */
    value = (value ^ (value >> 29)) * 0x9e3779b97f4a7c15ull;
    return value ^ (value >> 32);
}

/* RFC 6528: a clock of 4 us and a secret function of the four values that name the connection. */
u32_t net_first_sequence(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                         u16_t remote_port)
{
    static uint64_t secret[2];

    if (!secret[0]) {
        secret[0] = net_random() | 1;
        secret[1] = net_random();
    }
    uint64_t addresses = (uint64_t)ip_2_ip4(local)->addr << 32 | ip_2_ip4(remote)->addr;
    uint64_t ports = (uint64_t)local_port << 16 | remote_port;

    return (u32_t)(mix(mix(addresses ^ secret[0]) + ports + secret[1]) + net_now_ns() / 4000);
}

void stack_init(struct stack *stack)
{
    memset(stack, 0, sizeof(*stack));
    lwip_init();
}

struct client *stack_add_client(struct stack *stack, struct leat_net_channel *shared,
                                void (*signal)(void *context), void *context)
{
    for (uint32_t i = 0; i < STACK_MAX_CLIENTS; i++) {
        struct client *client = &stack->clients[i];
        if (!client->shared) {
            client_start(client, shared, signal, context);
            client_set_info(client, &stack->address.info);
            return client;
        }
    }
    return NULL;
}

bool stack_serve(struct stack *stack)
{
    bool may_sleep = true;

    sys_check_timeouts();
    PBUF_CHECK_FREE_OOSEQ();
    bool changed = net_address_update(&stack->address);

    for (uint32_t i = 0; i < STACK_MAX_CLIENTS; i++) {
        struct client *client = &stack->clients[i];
        if (!client->shared)
            continue;
        if (changed)
            client_set_info(client, &stack->address.info);
        client_serve(client, stack->address.info.state == LEAT_NET_UP);
        may_sleep = client_may_sleep(client) && may_sleep;
    }
    return !may_sleep;
}

uint64_t stack_deadline_ns(void)
{
    u32_t ms = sys_timeouts_sleeptime();

    return ms == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? STACK_NEVER : net_now_ns() + ms * NS_PER_MS;
}
