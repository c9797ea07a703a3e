// SPDX-License-Identifier: BSD-2-Clause
/* How often something may happen in a minute, for each of many names (addresses, accounts, clients). */
#ifndef LEATD_LIMIT_H
#define LEATD_LIMIT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define LIMIT_NAMES 1024u /* of each kind */
#define LIMIT_WINDOW 60   /* seconds */

/* What is counted, each in a table of its own: filling one does nothing to another. */
enum limit_kind {
    LIMIT_LOGIN_ADDRESS,
    LIMIT_LOGIN_NAME,
    LIMIT_TLS_EVENT,    /* of an address */
    LIMIT_EXPORT_EVENT, /* of an address */
    LIMIT_BUSY_EVENT,   /* of a client */
    LIMIT_HELLO_ADDRESS,
    LIMIT_HELLO_CLIENT,
    LIMIT_REFUSED_EVENT, /* of a client */
    LIMIT_UNKNOWN_EVENT, /* of an address */
    LIMIT_PROFILE,       /* of a client */
    LIMIT_CHOSEN,        /* of a client */
    LIMIT_ENROL,         /* of an address */
    LIMIT_TOKEN_EVENT,   /* of an address */
    LIMIT_KINDS
};

struct limit_entry {
    uint64_t name; /* keyed hash of it; 0: free */
    int64_t since; /* seconds, of a clock that never goes back */
    uint32_t count;
};

/* All zeros but key, which is random: so nobody outside can make names that fall together. */
struct limit {
    uint64_t key[2];
    struct limit_entry entries[LIMIT_KINDS][LIMIT_NAMES];
};

/*
 * One more of kind for that name: true if it is among the first `most` since the name's window began. Names are forgotten when
 * their window is over and not before: while the table is full of others, false for each further name.
 */
bool limit_take(struct limit *limit, enum limit_kind kind, const char *name, uint32_t most,
                int64_t now);

/* What an address, as text, counts as: one of IPv6 as its network of 64 bits, which one host may have to itself. */
void limit_network(char network[INET6_ADDRSTRLEN], const char *address);

/* limit_take for an address, by its network. */
bool limit_take_address(struct limit *limit, enum limit_kind kind, const char *address,
                        uint32_t most, int64_t now);

/* Takes the count back: the attempt was a good one. */
void limit_clear(struct limit *limit, enum limit_kind kind, const char *name);

#endif
