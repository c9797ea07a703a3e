// SPDX-License-Identifier: BSD-2-Clause
/* How often something may happen in a minute, for each of many names (addresses, accounts, clients). */
#ifndef LEATD_LIMIT_H
#define LEATD_LIMIT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define LIMIT_NAMES 1024u    /* of each kind that strangers can fill, or that is only logged */
#define LIMIT_CLIENTS 16384u /* of each kind of requests of clients who have shown their key */
#define LIMIT_WINDOW 60      /* seconds */
#define LIMIT_TAKES 16u      /* in one transaction at most that can be taken back */

/* What is counted, each in a table of its own: filling one does nothing to another. */
enum limit_kind {
    LIMIT_HELLO_CLIENT,
    LIMIT_PROFILE, /* of a client */
    LIMIT_CHOSEN,  /* of a client */
    LIMIT_CLIENT_KINDS,
    LIMIT_LOGIN_ADDRESS = LIMIT_CLIENT_KINDS,
    LIMIT_LOGIN_NAME,               /* from where it has never been */
    LIMIT_LOGIN_KNOWN,              /* of an account, from an address that it has logged in from */
    LIMIT_HELLO_ADDRESS,            /* over the identity of enrolment */
    LIMIT_ENROL,                    /* of an address */
    LIMIT_EVENTS,                   /* from here on: entries of the log */
    LIMIT_TLS_EVENT = LIMIT_EVENTS, /* of an address */
    LIMIT_EXPORT_EVENT,             /* of an address */
    LIMIT_BUSY_EVENT,               /* of a client */
    LIMIT_REFUSED_EVENT,            /* of a client */
    LIMIT_UNKNOWN_EVENT,            /* of an address */
    LIMIT_TOKEN_EVENT,              /* of an address */
    LIMIT_VERIFY_EVENT,             /* of a client */
    LIMIT_KINDS
};

struct limit_entry {
    uint64_t name; /* keyed hash of it; 0: never used */
    int64_t since; /* seconds, of a clock that never goes back */
    uint32_t count;
};

struct limit_taking {
    enum limit_kind kind;
    struct limit_entry *entry;
};

/* All zeros but key, which is random: so nobody outside can make names that fall together. */
struct limit {
    uint64_t key[2];
    struct limit_taking takes[LIMIT_TAKES]; /* since limit_begin */
    unsigned take_count;
    struct limit_entry clients[LIMIT_CLIENT_KINDS][LIMIT_CLIENTS];
    struct limit_entry others[LIMIT_KINDS - LIMIT_CLIENT_KINDS][LIMIT_NAMES];
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

/*
 * Around a transaction that counts: what is counted after limit_begin is taken back by limit_undo, for kinds from `from` on. A
 * transaction that is repeated takes back all (0); one that came to nothing, LIMIT_EVENTS: what was tried was tried.
 */
void limit_begin(struct limit *limit);
void limit_undo(struct limit *limit, enum limit_kind from);

/* Takes the count back: the attempt was a good one. */
void limit_clear(struct limit *limit, enum limit_kind kind, const char *name);

#endif
