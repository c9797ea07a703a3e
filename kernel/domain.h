// SPDX-License-Identifier: BSD-2-Clause
/*
 * Domains: a protection domain of ring 3, that is an address space, a handle table, a quota and
 * threads. A domain dies when it is killed, faults, or its last thread exits. Its threads then
 * stop, each on its way to ring 3; with the last one go mappings, handles and quota, and watchers
 * are told.
 */
#ifndef KERNEL_DOMAIN_H
#define KERNEL_DOMAIN_H

#include "kernel/handle.h"
#include "kernel/share.h"
#include "kernel/space.h"
#include "kernel/timer.h"

#define DOMAIN_NO_FAULT UINT32_MAX
#define DOMAIN_MAX_THREADS 64u
#define DOMAIN_MAX_WATCHERS 4u

struct notif;
struct thread;

struct domain_watcher {
    struct notif *notif; /* a reference; NULL: free */
    uint64_t bits;
};

struct domain {
    struct object object;
    char name[32]; /* NUL-terminated, printable */
    uint64_t id;   /* never used again, unlike the address */
    struct quota *quota;
    struct handle_table handles;
    struct space space;
    struct list threads;
    uint32_t thread_count;
    uint8_t highest_prio; /* enum leat_prio: its threads have no more */
    uint32_t busy;        /* holds by domain_hold: teardown waits for them */
    bool is_vital;        /* the machine stops when it dies: the supervisor */
    bool dying;           /* no new threads, handles or mappings */
    bool torn;            /* teardown has begun */
    bool dead;            /* and is complete */
    struct domain_watcher watchers[DOMAIN_MAX_WATCHERS];
    int32_t exit_code;
    uint32_t fault_vector, fault_error;
    uint64_t fault_rip, fault_address;
    uint64_t cpu_tsc; /* CPU time, TSC ticks */
    struct share share;
    struct timer uncap; /* when it may run again, for sched.c */
};

/* payer pays for the domain object itself and gives the quota. LEAT_OK, LEAT_ENOMEM. */
int domain_create(struct quota *payer, uint64_t quota_pages, enum leat_prio highest_prio,
                  const char *name, struct domain **domain);

/* Starts its death: threads are told to die. The first code counts. Returns also when it is the caller's
   own. */
void domain_kill(struct domain *domain, int32_t code);

/* An exception in ring 3 that nobody handles: kills with code LEAT_EDEAD and records what happened. */
void domain_fault(struct domain *domain, uint32_t vector, uint32_t error, uint64_t rip,
                  uint64_t address);

/* While held it is not torn down, even when dying. LEAT_OK, or LEAT_EDEAD: already dying, not held. */
int domain_hold(struct domain *domain);
void domain_release(struct domain *domain); /* may tear it down; may preempt */

/* Its thread ends; the last one tears the domain down. For thread_exit; may preempt. */
void domain_thread_gone(struct domain *domain, struct thread *thread);

/* Signals bits when the domain dies, at once if it has. Takes its own reference. LEAT_ENOMEM: too many
   watch it. */
int domain_watch(struct domain *domain, struct notif *notif, uint64_t bits);

/* Adds a handle: handle_add, or LEAT_EDEAD when it is dying. */
int64_t domain_add_handle(struct domain *domain, struct object *object, uint32_t rights);

static inline struct domain *domain_of(struct object *object)
{
    return (struct domain *)object;
}

#endif
