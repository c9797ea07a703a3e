// SPDX-License-Identifier: BSD-2-Clause
/*
 * The test of several CPUs: what its parts share. Shares of the CPUs are given to domains, so every part works
 * with child domains: they see a copy of this program, read-only, at its own addresses, and struct shared.
 * A thread of a child must write nothing but that and its stack.
 */
#ifndef TESTS_SYSTEM_SMPTEST_H
#define TESTS_SYSTEM_SMPTEST_H

#include "lib/clock.h"
#include "lib/sys.h"
#include "tests/system/smptest/hold.h"

#define JOBS 64u
#define WAKES 100u
#define MOST_CPUS 8u /* that the parts use */
#define STACK_BYTES 8192u
#define PATIENCE_NS                                                                                \
    60000000000ull             /* emulators' CPUs wait for their host, and for each other's locks */
#define PART_NS 15000000000ull /* when a part that repeats something has done it often enough */
#define POISON 0xdeadull
#define MS 1000000ull
#define READ_WRITE (LEAT_PROT_READ | LEAT_PROT_WRITE)

struct
    job { /* one thread of a child domain: what it gets, what it tells. All zero at child_run but for handles */
    volatile uint64_t stop;  /* by main */
    volatile uint64_t count; /* rounds so far */
    volatile uint64_t bad;   /* what must not have been */
    volatile int64_t result;
    volatile uint64_t value[4];
    leat_handle_t handle[4]; /* of the child's domain */
    struct job *peer;
    uint64_t rounds;
} __attribute__((aligned(128)));

struct shared {
    /* Emulators' TLBs are direct-mapped: what readers use must not push the page at PROBE_VA out. */
    uint8_t unused[16 * LEAT_PAGE_SIZE];
    struct job jobs[JOBS];
    struct hold holds[JOBS];
    volatile uint64_t pause, generation; /* of pages.c */
    uint64_t late[WAKES];                /* of shares.c, ns */
    _Alignas(4096) uint8_t stacks[JOBS][STACK_BYTES];
};
#define SHARED ((struct shared *)0x500000000ull) /* in all domains */
#define PROBE_VA 0x600000000ull                  /* in children, for pages.c */
#define WINDOW_VA 0x700000000ull                 /* in main's domain: free for each part */
_Static_assert(sizeof(struct shared) <= LEAT_LARGE_PAGE_SIZE, "one page");

struct child {
    leat_handle_t domain, death;
};

/* -- main.c -- */

extern leat_handle_t machine;
extern unsigned cpus; /* that the parts use: min(MOST_CPUS, the machine's) */
extern struct leat_cpu_info cpu_info[64];

/* Notes a failure of the part that runs. Returns is_good. */
bool check(bool is_good, const char *format, ...) __attribute__((format(printf, 2, 3)));
void nap(uint64_t ns);
uint32_t any_number(void);

/* Waits until the condition is met, for a time that only an error takes. */
#define SOON(condition)                                                                            \
    ({                                                                                             \
        uint64_t soon_end_ = leat_clock_ns() + PATIENCE_NS;                                        \
        while (!(condition) && leat_clock_ns() < soon_end_)                                        \
            nap(MS);                                                                               \
        (condition);                                                                               \
    })

/* -- child.c -- */

/* Makes what the children see of this program. */
bool child_prepare(void);

/* A new domain. cpus: as in struct leat_domain_sched. */
bool child_make(struct child *child, enum leat_prio highest, uint64_t on_cpus);
bool child_share(struct child *child, uint32_t weight, uint32_t cap_permille, uint64_t on_cpus);

/* Starts fn, which must end by leat_thread_exit, on the job's stack. The job is cleared but for handle[], peer
 * and rounds. */
bool child_run(struct child *child, void (*fn)(struct job *job), unsigned job, enum leat_prio prio);

/* A handle for the child with those rights; 0: refused. */
leat_handle_t child_give(struct child *child, leat_handle_t handle, uint32_t rights);

bool child_is_told_dead(struct child *child);
/* Kills it, waits for the word of its death, closes the handles. False: no word came. */
bool child_end(struct child *child);

/* Common jobs */
void job_spin(struct job *job); /* counts until stop */
void job_hold(struct job *job); /* hold_registers of holds[the job's index] */
void job_exit(struct job *job); /* for a job's end */

/* Fills a struct hold with patterns of its own. */
void hold_fill(struct hold *hold, uint64_t seed);
bool has_avx(void);

/* -- the parts -- */

void test_cpus(void);
void test_notifications(void);
void test_pages(void);
void test_guest(void);
void test_registers(void);
void test_kills(void);
void test_shares(void);
void test_storms(void);

#endif
