// SPDX-License-Identifier: BSD-2-Clause
/* What a server offers to run, as the client's process has laid it down: copied once, checked, decided. Portable. */
#ifndef SUPERVISOR_OFFER_H
#define SUPERVISOR_OFFER_H

#include <leat/client.h>

struct offer {
    struct leat_client_offer given;         /* a private copy, its texts terminated */
    uint64_t always;                        /* bit n: entry n runs in any case */
    unsigned choices;                       /* entries that are a choice */
    unsigned choice[LEAT_CLIENT_ENTRIES];   /* their indices */
    const char *label[LEAT_CLIENT_ENTRIES]; /* of the choices, in that order; point into `given` */
    unsigned chosen_first;                  /* number of the default in these two */
};

/* shared: memory that the other side may change meanwhile. NULL, or why it is none, for people. */
const char *offer_take(struct offer *offer, const volatile struct leat_client_offer *shared);

/* What runs when that one of the choices is taken: a bit for each entry. choice < choices, or choices == 0. */
uint64_t offer_chosen(const struct offer *offer, unsigned choice);

/* The number of the choice with that name; -1: there is none. */
int offer_find(const struct offer *offer, const char *name);

#endif
