// SPDX-License-Identifier: BSD-2-Clause
#include "irq_senders.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SENDERS 3u
#define FIRST_VECTOR 0x40u
#define LIMIT_S 120u

static struct {
    struct lapic *to;
    unsigned step;
    uint32_t rounds, left;
    uint32_t taken[SENDERS];
    pthread_t threads[SENDERS];
} senders;

static void *send(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;

    for (uint32_t i = 0; i < senders.rounds; i++) {
        while (__atomic_load_n(&senders.taken[me], __ATOMIC_ACQUIRE) != i)
            ;
        lapic_receive(senders.to, LAPIC_FIXED, (uint8_t)(FIRST_VECTOR + me * senders.step), false);
    }
    return NULL;
}

void senders_start(struct lapic *to, unsigned step, uint32_t rounds)
{
    memset(&senders, 0, sizeof(senders));
    senders.to = to;
    senders.step = step;
    senders.rounds = rounds;
    senders.left = SENDERS * rounds;
    alarm(LIMIT_S);
    for (uintptr_t i = 0; i < SENDERS; i++) {
        if (pthread_create(&senders.threads[i], NULL, send, (void *)i))
            abort();
    }
}

void senders_taken(uint8_t vector)
{
    unsigned sender = (vector - FIRST_VECTOR) / senders.step;

    if (sender >= SENDERS || (vector - FIRST_VECTOR) % senders.step) {
        fprintf(stderr, "nobody has sent vector %02xh\n", vector);
        abort();
    }
    senders.left--;
    __atomic_store_n(&senders.taken[sender], senders.taken[sender] + 1, __ATOMIC_RELEASE);
}

bool senders_go_on(void)
{
    if (senders.left)
        return true;
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(senders.threads[i], NULL);
    alarm(0);
    return false;
}
